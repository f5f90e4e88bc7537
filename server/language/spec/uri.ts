/** Run specs by the address that the editor gives them, whatever characters their names have. */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Also as Windows may write it. */
export const isSpec = (uri: string): boolean => /\.cola\.ya?ml$/i.test(uri);

/** The path of a file; undefined for a text that is not saved yet, or lies elsewhere than on a disk. */
export function fileOf(uri: string): string | undefined {
  if (!uri.startsWith('file:')) return undefined;
  try {
    return fileURLToPath(uri);
  } catch {
    // An address that the system has no path for, such as one with a broken percent sign.
    return undefined;
  }
}

/** What messages call the spec. */
export function specName(uri: string): string {
  const file = fileOf(uri);
  return file === undefined ? 'the spec' : basename(file);
}
