/** The text of a prompt that a person keeps in a file, or hands over through a pipe: `--prompt-file <(git diff)`. */
import { closeSync, openSync, readSync } from 'node:fs';
import { fileErrors } from '../files/errors.ts';
import { limits } from '../files/open.ts';
import { cliErrors } from './errors.ts';

/** The whole text, in UTF-8. @throws cli.promptFile; files.tooLarge, for more than any context holds, as from a device without end */
export function readPromptFile(file: string): string {
  const bytes = readUpTo(file, limits.document);
  if (bytes === undefined) throw fileErrors.tooLarge(file, limits.document);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw cliErrors.promptFile(file, cause);
  }
}

/** Undefined where there is more. A pipe does not know its size before it ends. */
function readUpTo(file: string, limit: number): Uint8Array | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const bytes = Buffer.allocUnsafe(limit + 1);
    let length = 0;
    for (;;) {
      const count = readSync(fd, bytes, length, bytes.length - length, null);
      length += count;
      if (length > limit) return undefined;
      if (count === 0) return bytes.subarray(0, length);
    }
  } catch (cause) {
    throw cliErrors.promptFile(file, cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
