/** The lines of a log from some place on, read in pieces: a log of gigabytes neither fills the memory nor holds up others. */
import { open } from 'node:fs/promises';
import { storeErrors as errors } from './errors.ts';

/** Bytes read at once. */
const pieceSize = 1 << 20;
const newline = 0x0a;

/** A place in a log. `file` tells it from one that replaced it under the same name. */
export interface LogPosition {
  readonly file: string;
  /** Bytes; always behind a line end, or 0. */
  readonly offset: number;
}

export interface LogLine {
  readonly text: string;
  /** Bytes from the start of the log to the first of the line, and to behind its line end. */
  readonly start: number;
  readonly end: number;
}

/** The position before the first line of a log that is not there yet. */
const nothingYet: LogPosition = { file: '', offset: 0 };

/**
 * Reads the complete lines of a log; what stands behind the last line end is being written, or torn.
 *
 * @param after goes on from there, unless the log was replaced or is shorter now: then from the start
 * @param take receives the lines in order
 * @returns where the reading ended, and whether it began at the start. A log that is not there is empty.
 * @throws store.cannotRead; the signal's reason
 */
export async function readLinesFrom(
  path: string,
  after: LogPosition | undefined,
  take: (line: LogLine) => void,
  signal?: AbortSignal,
): Promise<{ position: LogPosition; whole: boolean }> {
  try {
    await using file = await open(path, 'r');
    const { ino, birthtimeMs, size } = await file.stat();
    const name = `${ino} ${birthtimeMs}`;
    const goesOn = after !== undefined && after.file === name && after.offset <= size;
    let offset = goesOn ? after.offset : 0;
    let rest: Buffer = Buffer.alloc(0);
    const piece = Buffer.alloc(pieceSize);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(piece, 0, pieceSize, offset + rest.length);
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([rest, piece.subarray(0, bytesRead)]);
      let from = 0;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
        take({ text: bytes.toString('utf8', from, end), start: offset + from, end: offset + end + 1 });
        from = end + 1;
      }
      offset += from;
      rest = bytes.subarray(from);
    }
    return { position: { file: name, offset }, whole: !goesOn };
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { position: nothingYet, whole: true };
    throw errors.cannotRead(path, error);
  }
}
