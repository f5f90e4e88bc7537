/** A folder that a person names to a command, which reads what is in it. */
import { type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { cliErrors } from './errors.ts';

/** @returns the absolute path. @throws cli.noFolder */
export function givenFolder(path: string, cwd: string): string {
  const folder = resolve(cwd, path);
  let found: Stats | undefined;
  try {
    found = statSync(folder);
  } catch {
    throw cliErrors.noFolder(folder, cwd);
  }
  if (!found.isDirectory()) throw cliErrors.noFolder(folder, cwd);
  return folder;
}
