/** Folders below `.cola`, which git leaves alone from its first day on. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

const name = '.cola';

/** The `.cola` that was made just now on the way to a folder. @param made the first folder that was not there */
function freshIn(folder: string, made: string | undefined): string | undefined {
  const at = `${folder}${sep}`.indexOf(`${sep}${name}${sep}`);
  if (made === undefined || at < 0) return undefined;
  const cola = join(folder.slice(0, at), name);
  return relative(made, cola).startsWith('..') ? undefined : cola;
}

/**
 * Makes a folder below `.cola` where it is not there. With `.cola` itself comes a `.gitignore`: what runs write belongs to
 * this machine.
 */
export function makeColaFolder(path: string): void {
  const folder = resolve(path);
  const cola = freshIn(folder, mkdirSync(folder, { recursive: true }));
  if (cola === undefined) return;
  try {
    writeFileSync(join(cola, '.gitignore'), '*\n', { flag: 'wx' });
  } catch {
    // Another window was quicker.
  }
}

/** {@link makeColaFolder} for the folder of a file. */
export const makeColaFolderOf = (file: string): void => makeColaFolder(dirname(file));
