/** Lines out of pieces of a file, in time that grows with its length alone, and in memory for one line. */
import { fileErrors } from './errors.ts';
import { piecesOf } from './open.ts';

const newline = 0x0a;

/** The longest line that is kept, in bytes. */
export const longestLine = 1 << 23;
/** A file that has a line of so many bytes is not read on. */
export const hopelessLine = 1 << 26;

export interface Line {
  /** Without its line end; undefined where it is longer than {@link longestLine}. */
  readonly bytes: Buffer | undefined;
  /** Bytes from the start of the file to the first of the line, and to behind its line end. */
  readonly start: number;
  readonly end: number;
  /** Whether it has a line end. */
  readonly whole: boolean;
}

export class LineSplitter {
  /** Pieces of the line that has no end yet, and its length. */
  private rest: Buffer[] = [];
  private length = 0;
  /** Where that line starts. */
  private start: number;

  /** @param path for messages. @param start where the first piece begins, behind a line end */
  constructor(
    private readonly path: string,
    start = 0,
  ) {
    this.start = start;
  }

  /** Where the line starts that has no end yet. */
  get offset(): number {
    return this.start;
  }

  /** Where the next piece belongs. */
  get next(): number {
    return this.start + this.length;
  }

  /** What stands behind the last line end. */
  get tail(): Line | undefined {
    return this.length === 0 ? undefined : { bytes: this.bytes(), start: this.start, end: this.next, whole: false };
  }

  /**
   * Takes the next piece, which is kept: it must not be written to any more.
   *
   * @param take receives the lines that end in it, in order
   * @throws files.longLine
   */
  push(piece: Buffer, take: (line: Line) => void): void {
    let from = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, from)) {
      this.keep(piece.subarray(from, end));
      const { start, next } = this;
      const bytes = this.bytes();
      this.rest = [];
      this.length = 0;
      this.start = next + 1;
      take({ bytes, start, end: next + 1, whole: true });
      from = end + 1;
    }
    this.keep(piece.subarray(from));
  }

  /**
   * As {@link push}, but lines that lie whole in the piece come as one, with the line ends between them: a line of a log is short,
   * and to hand over each would take longer than to read it.
   */
  pushTogether(piece: Buffer, take: (lines: Line) => void): void {
    const first = piece.indexOf(newline);
    const last = piece.lastIndexOf(newline);
    this.push(piece.subarray(0, first + 1), take);
    if (last > first) {
      const { start } = this;
      this.start += last - first;
      take({ bytes: piece.subarray(first + 1, last), start, end: this.start, whole: true });
    }
    this.keep(piece.subarray(last + 1));
  }

  private keep(part: Buffer): void {
    if (part.length === 0) return;
    this.length += part.length;
    if (this.length > hopelessLine) throw fileErrors.longLine(this.path, hopelessLine);
    if (this.length > longestLine) this.rest = [];
    else this.rest.push(part);
  }

  private bytes(): Buffer | undefined {
    if (this.length > longestLine) return undefined;
    return this.rest.length === 1 ? this.rest[0] : Buffer.concat(this.rest);
  }
}

/**
 * All lines of a file, the last one also where it has no line end.
 *
 * @throws files.*; a system error
 */
export function* linesOf(path: string): Generator<Line, void> {
  const splitter = new LineSplitter(path);
  let found: Line[] = [];
  for (const piece of piecesOf(path)) {
    splitter.push(piece, (line) => found.push(line));
    yield* found;
    found = [];
  }
  if (splitter.tail !== undefined) yield splitter.tail;
}
