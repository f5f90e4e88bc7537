/** The lines of a file of any size, in constant memory. */
import { bytesOf } from './bytes.ts';

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

/** Whether a line has nothing but white space. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

/** Where the first line from `from` on begins that is not blank, or has no line end here. */
function behindBlank(chunk: Buffer, from: number, count: () => void): number {
  let start = from;
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at];
    if (byte === 0x0a) {
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
}

/**
 * Yields every line of `file`; a byte order mark at the start is no part of the first. Throws what
 * {@link bytesOf} throws.
 */
export async function* readLines(file: string, options: LineOptions = {}): AsyncGenerator<Line> {
  for await (const lines of readLinesTogether(file, options)) yield* lines;
}

/** {@link readLines}, those of a piece of the file together: to wait for each costs more than to read it. */
export async function* readLinesTogether(
  file: string,
  { limit = DEFAULT_LINE_LIMIT, skipBlank = false }: LineOptions = {},
): AsyncGenerator<Line[]> {
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
  for await (const chunk of bytesOf(file)) {
    const found: Line[] = [];
    let from = 0;
    if (number === 1 && length === 0 && offset === 0 && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) {
      from = 3;
      offset = 3;
    }
    for (;;) {
      if (skipBlank && length === 0) {
        const behind = behindBlank(chunk, from, () => number++);
        offset += behind - from;
        from = behind;
      }
      const end = chunk.indexOf(0x0a, from);
      if (end === -1) break;
      take(chunk.subarray(from, end + 1));
      found.push(finish());
      from = end + 1;
    }
    if (from < chunk.length) take(chunk.subarray(from));
    if (found.length > 0) yield found;
  }
  if (length > 0) yield [finish()];
}
