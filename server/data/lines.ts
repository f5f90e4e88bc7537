/** The lines of a file of any size, in constant memory. */
import { bytesOf, utf8Of } from './bytes.ts';

export const DEFAULT_LINE_LIMIT = 16 * 1024 * 1024;

export interface Line {
  /** Counts from 1. */
  readonly number: number;
  /** Bytes from the start of the file, unpacked. */
  readonly offset: number;
  /** Length in bytes, with the line end. */
  readonly length: number;
  /** The bytes with the line end; `undefined` for a line beyond the limit. */
  readonly bytes: Buffer | undefined;
}

/** Where something else than white space stands, from `from` on; behind the end where nothing does. */
export function firstNotBlank(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] === 0x20 || (bytes[at] >= 0x09 && bytes[at] <= 0x0d))) at++;
  return at;
}

/** Whether a line has nothing but white space. */
export const isBlank = (bytes: Uint8Array): boolean => firstNotBlank(bytes, 0) === bytes.length;

/** Where the first line from `from` on begins that is not blank, or has no line end here. */
function behindBlank(chunk: Buffer, from: number, ends: number, count: () => void): number {
  let start = from;
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at];
    if (byte === ends) {
      count();
      start = at + 1;
    } else if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) break;
  }
  return start;
}

export interface LineOptions {
  /** Bytes of the longest line that is kept. Default 16 MiB. */
  readonly limit?: number;
  /** Leave out lines that have nothing but white space; they are counted. There may be millions of them. Default false. */
  readonly skipBlank?: boolean;
  /** What ends a line. Default a line feed; old files have a carriage return alone. */
  readonly ends?: '\n' | '\r';
}

/**
 * Yields every line of `file`; a byte order mark at the start is no part of the first. Throws what
 * {@link utf8Of} throws.
 */
export async function* readLines(
  file: string,
  { limit = DEFAULT_LINE_LIMIT, skipBlank = false, ends = '\n' }: LineOptions = {},
): AsyncGenerator<Line> {
  const last = ends.charCodeAt(0);
  let number = 1;
  let offset = 0;
  let length = 0;
  let kept: Buffer[] = [];
  const finish = (): Line => {
    const line = {
      number,
      offset,
      length,
      bytes: length > limit ? undefined : kept.length === 1 ? kept[0] : Buffer.concat(kept),
    };
    number++;
    offset += length;
    length = 0;
    kept = [];
    return line;
  };
  const take = (part: Buffer): void => {
    length += part.length;
    if (length > limit) kept = [];
    else kept.push(part);
  };
  for await (const chunk of utf8Of(file)) {
    let from = 0;
    if (number === 1 && length === 0 && offset === 0 && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) {
      from = 3;
      offset = 3;
    }
    for (;;) {
      if (skipBlank && length === 0) {
        const behind = behindBlank(chunk, from, last, () => number++);
        offset += behind - from;
        from = behind;
      }
      const end = chunk.indexOf(last, from);
      if (end === -1) break;
      take(chunk.subarray(from, end + 1));
      yield finish();
      from = end + 1;
    }
    if (from < chunk.length) take(chunk.subarray(from));
  }
  if (length > 0) yield finish();
}

/** Lines that follow each other, as they stand in a file. */
export interface Passage {
  /** Of its first line; counts from 1. */
  readonly number: number;
  /** Whole lines with their ends; `undefined` for a line beyond the limit, with which the reading ends. */
  readonly bytes: Buffer | undefined;
}

export function countLineEnds(bytes: Buffer): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0x0a) count++;
  return count;
}

/**
 * Yields the lines of `file`, as many together as a piece of it has: nothing is done for each, and a file may have millions. A
 * byte order mark at the start is left out. Throws what {@link bytesOf} throws.
 *
 * @param limit bytes of the longest line, with its end
 */
export async function* readPassages(file: string, limit: number): AsyncGenerator<Passage> {
  let number = 1;
  let start = true;
  /** The beginning of a line whose end is in another piece. */
  let open: Buffer[] = [];
  let opened = 0;
  for await (const piece of bytesOf(file)) {
    const marked = start && piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf;
    const chunk = marked ? piece.subarray(3) : piece;
    start = false;
    // From line end to line end in steps as long as a line may be: `at` is where the last line that is known to be short ends.
    let at = 0;
    let tooLong = false;
    while (at < chunk.length) {
      const before = at === 0 ? opened : 0;
      const end = chunk.lastIndexOf(0x0a, Math.min(chunk.length, at + limit - before) - 1);
      if (end >= at) at = end + 1;
      else {
        tooLong = before + chunk.length - at > limit;
        break;
      }
    }
    if (at > 0) {
      const bytes = Buffer.concat([...open, chunk.subarray(0, at)]);
      yield { number, bytes };
      number += countLineEnds(bytes);
      open = [];
      opened = 0;
    }
    if (tooLong) {
      yield { number, bytes: undefined };
      return;
    }
    if (at < chunk.length) open.push(chunk.subarray(at));
    opened += chunk.length - at;
  }
  if (opened > 0) yield { number, bytes: Buffer.concat(open) };
}
