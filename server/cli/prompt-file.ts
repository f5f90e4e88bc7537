/** The text of a prompt that a person keeps in a file, or hands over through a pipe: `--prompt-file <(git diff)`. */
import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileErrors } from '../files/errors.ts';
import { limits } from '../files/open.ts';
import { cliErrors } from './errors.ts';

/** Milliseconds between two looks at a pipe in which nothing is. */
const pause = 20;

/**
 * The whole text, in UTF-8. Of a named pipe, whoever is going to write to it is waited for.
 *
 * @param signal ends the waiting
 * @throws cli.promptFile; files.tooLarge, for more than any context holds, as from a device without end; the signal's reason
 */
export async function readPromptFile(file: string, signal: AbortSignal): Promise<string> {
  const bytes = await readUpTo(file, limits.document, signal);
  if (bytes === undefined) throw fileErrors.tooLarge(file, limits.document);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw cliErrors.promptFile(file, cause);
  }
}

/** Undefined where there is more. A pipe does not know its size before it ends. */
async function readUpTo(file: string, limit: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  let fd: number | undefined;
  try {
    const named = lstatSync(file).isFIFO();
    // Opened otherwise, a pipe to which nobody writes would hold up this process, and so whoever wants to end it.
    fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const bytes = Buffer.allocUnsafe(limit + 1);
    let length = 0;
    for (;;) {
      const count = readNow(fd, bytes, length);
      // Of a pipe without a name, whoever writes to it was there first.
      if (count === undefined || (count === 0 && length === 0 && named)) {
        await setTimeout(pause, undefined, { signal });
        continue;
      }
      length += count;
      if (length > limit) return undefined;
      if (count === 0) return bytes.subarray(0, length);
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw cliErrors.promptFile(file, cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Undefined where nothing is there yet. */
function readNow(fd: number, bytes: Buffer, at: number): number | undefined {
  try {
    return readSync(fd, bytes, at, bytes.length - at, null);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    throw error;
  }
}
