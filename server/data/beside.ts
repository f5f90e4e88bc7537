/** The files of a folder in one language, as far as somebody wrote them: what else a person has in front of them. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ColaError } from '../errors.ts';
import { mustBeWritten } from './authorship.ts';
import { readRows } from './sources.ts';
import { listWorkspace } from './workspace.ts';

export interface FileBeside {
  readonly path: string;
  /** Another one when it has changed. */
  readonly mark: string;
}

/**
 * Those that match a pattern and git does not ignore, the newest first; none where the folder cannot be listed.
 *
 * @param wanted by its path from the folder, with forward slashes
 */
export async function newestFiles(
  root: string,
  glob: string,
  most: number,
  wanted: (path: string) => boolean,
): Promise<FileBeside[]> {
  const found: (FileBeside & { readonly changed: number })[] = [];
  for (const name of listed(root, glob).filter(wanted)) {
    const path = join(root, name);
    const status = await stat(path).catch(() => undefined);
    if (status?.isFile()) found.push({ path, mark: `${status.size} ${status.mtimeMs}`, changed: status.mtimeMs });
  }
  return found.sort((a, b) => b.changed - a.changed).slice(0, most);
}

function listed(root: string, glob: string): string[] {
  try {
    return listWorkspace(root, [glob]);
  } catch (error) {
    if (error instanceof ColaError) return [];
    throw error;
  }
}

/** The beginning of a text that a person wrote; empty for other files. */
export async function writtenText(path: string, mostCharacters: number): Promise<string> {
  try {
    await mustBeWritten(path);
    for await (const row of readRows({ kind: 'text', files: [path] }))
      if (row.kind === 'text') return row.text.slice(0, mostCharacters);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
  }
  return '';
}
