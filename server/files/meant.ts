/** What a path that leads nowhere was meant as. */
import { sep } from 'node:path';

/** A sentence with a blank before it; nothing where the path is an ordinary one. @param path as it is written, or whole */
export function meantPath(path: string): string {
  // The folder of the spec may stand before what was written.
  if (/(?:^|[\\/])(?:https?|hf|s3|gs|ftp):[\\/]/.test(path))
    return ' Nothing is read from a network: download it first, and name the file or folder.';
  if (/(?:^|[\\/])file:[\\/]/.test(path)) return ' It is written without file:// before it.';
  if (/(?:^|[\\/])~[\\/]/.test(path)) return ' Write it from its beginning: ~ is not taken for your home folder.';
  if (/(?:^|[\\/])\$\w|\$\{\w+\}|%\w+%/.test(path)) return ' Variables are not filled in: write the path itself.';
  if (/[“”‘’„«»]/.test(path)) return ' It has quotes of a text in it: write " or none.';
  return sep === '/' && path.includes('\\') ? ' Here folders are told apart by /.' : '';
}
