/** The lines of a log from some place on, read in pieces: a log of gigabytes neither fills the memory nor holds up others. */
import { type Line, LineSplitter } from '../files/lines.ts';
import { openFileToRead } from '../files/open.ts';
import { isAbsent, readable } from '../files/place.ts';
import { storeErrors as errors } from './errors.ts';

/** Bytes read at once: between two pieces others have their turn. */
const pieceSize = 1 << 18;

/** A place in a log. `file` tells it from one that replaced it under the same name. */
export interface LogPosition {
  readonly file: string;
  /** Bytes; always behind a line end, or 0. */
  readonly offset: number;
}

export class LogLine {
  constructor(
    private readonly bytes: Buffer | undefined,
    /** Bytes from the start of the log to the first of the line, and to behind its line end. */
    readonly start: number,
    readonly end: number,
  ) {}

  /** Empty for one that is longer than any line should be. Of most lines nobody asks. */
  get text(): string {
    return this.bytes?.toString('utf8') ?? '';
  }
}

/** The position before the first line of a log that is not there yet. */
const nothingYet: LogPosition = { file: '', offset: 0 };

interface Read {
  /** Where the reading ended. */
  readonly position: LogPosition;
  /** Whether it began at the start. */
  readonly whole: boolean;
}

/**
 * Reads the complete lines of a log; what stands behind the last line end is being written, or torn.
 *
 * @param after goes on from there, unless the log was replaced or is shorter now: then from the start
 * @param take receives the lines in order
 * @returns a log that is not there is empty
 * @throws store.cannotRead, files.*; the signal's reason
 */
export async function readLinesFrom(
  path: string,
  after: LogPosition | undefined,
  take: (line: LogLine) => void,
  signal?: AbortSignal,
): Promise<Read> {
  return readFrom(
    path,
    after,
    (lines, piece) => lines.push(piece, ({ bytes, start, end }) => take(new LogLine(bytes, start, end))),
    signal,
  );
}

/** As {@link readLinesFrom}, for logs whose every line is wanted. @param take receives lines in order, some at a time */
export async function readTextsFrom(
  path: string,
  after: LogPosition | undefined,
  take: (texts: readonly string[]) => void,
  signal?: AbortSignal,
): Promise<Read> {
  // Split as a text, for a line of its own has to be found, cut out and decoded.
  const split = ({ bytes }: Line) => take(bytes?.toString('utf8').split('\n') ?? ['']);
  return readFrom(path, after, (lines, piece) => lines.pushTogether(piece, split), signal);
}

async function readFrom(
  path: string,
  after: LogPosition | undefined,
  push: (lines: LineSplitter, piece: Buffer) => void,
  signal?: AbortSignal,
): Promise<Read> {
  try {
    await using file = await openFileToRead(path);
    const { ino, birthtimeMs, size } = await file.stat();
    const name = `${ino} ${birthtimeMs}`;
    const goesOn = after !== undefined && after.file === name && after.offset <= size;
    const lines = new LineSplitter(path, goesOn ? after.offset : 0);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(pieceSize), 0, pieceSize, lines.next);
      if (bytesRead === 0) break;
      push(lines, buffer.subarray(0, bytesRead));
    }
    return { position: { file: name, offset: lines.offset }, whole: !goesOn };
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) throw error;
    if (isAbsent(error)) return { position: nothingYet, whole: true };
    throw readable(error, (cause) => errors.cannotRead(path, cause));
  }
}
