/** Rows of Parquet files, one group of rows at a time. */

import type { Compressors } from 'hyparquet';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import { ColaError } from '../../errors.ts';
import type { Columns } from '../../schemas/columns.ts';
import { firstBytes } from '../bytes.ts';
import { dataErrors } from '../errors.ts';

const mark = 'PAR1';
/** Unpacked bytes of a group of rows, and of a page of it, beyond which a file is not read. */
const groupLimit = 1024 * 1024 * 1024;
const pageLimit = 256 * 1024 * 1024;

/** Whether a file is Parquet, whatever its name. Throws `data.missingFile`. */
export async function isParquet(file: string): Promise<boolean> {
  return (await firstBytes(file, mark.length)).toString('latin1') === mark;
}

/** Values as JSON has them: whole numbers as numbers where those are exact, dates and bytes as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  return value;
}

/**
 * The decompressors, each with a bound: a page says itself how much it unpacks to. They are loaded when they are needed: their
 * WebAssembly takes ten gigabytes of addresses, which a system may not give.
 */
async function compressors(file: string): Promise<Compressors> {
  const { compressors: all } = await import('hyparquet-compressors');
  return Object.fromEntries(
    Object.entries(all).map(([codec, unpack]) => [
      codec,
      (input: Uint8Array, length: number) => {
        if (length > pageLimit) throw dataErrors.unpacksTooLarge(file, pageLimit);
        return unpack(input, length);
      },
    ]),
  );
}

/**
 * The bytes of a file for a reader that reads columns beside each other. In a damaged file it may give up at one while others are
 * under way, whose failures then nobody waits for: that would be the end of the process. So all that is made of a piece is waited for.
 */
function watched({ byteLength, slice }: AsyncBuffer): AsyncBuffer {
  return { byteLength, slice: (start, end) => waitedFor(Promise.resolve(slice(start, end))) };
}

/** A promise with somebody who waits for it, and for all that follow from it. */
function waitedFor<T>(promise: Promise<T>): Promise<T> {
  Promise.prototype.then.call(promise, undefined, () => {});
  // biome-ignore lint/suspicious/noThenProperty: a promise has one already, and the reader calls it.
  promise.then = ((...handlers: Parameters<typeof promise.then>) =>
    waitedFor(Promise.prototype.then.apply(promise, handlers))) as typeof promise.then;
  return promise;
}

/**
 * The rows of a file, with their numbers from 1.
 *
 * Throws `data.missingFile`, `data.brokenParquet`, `data.unpacksTooLarge`, `data.emptyFile`.
 */
export async function* readParquet(file: string): AsyncGenerator<{ number: number; columns: Columns }> {
  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      if (cause instanceof ColaError) throw cause;
      throw dataErrors.brokenParquet(
        file,
        cause instanceof Error ? cause.message.replace(/\.$/, '') : `${cause}`,
        cause,
      );
    }
  };
  if (!(await isParquet(file))) throw dataErrors.brokenParquet(file, 'it does not begin as such a file does');
  const buffer = watched(await guarded(() => asyncBufferFromFile(file)));
  const metadata: FileMetaData = await guarded(() => parquetMetadataAsync(buffer));
  const unpackers = await compressors(file);
  let start = 0;
  for (const group of metadata.row_groups) {
    if (group.total_byte_size > groupLimit) throw dataErrors.unpacksTooLarge(file, groupLimit);
    const end = start + Number(group.num_rows);
    const rows = await guarded(() =>
      parquetReadObjects({
        file: buffer,
        metadata,
        rowStart: start,
        rowEnd: end,
        compressors: unpackers,
      }),
    );
    for (const [i, row] of rows.entries()) yield { number: start + i + 1, columns: plain(row) as Columns };
    start = end;
  }
  if (start === 0) throw dataErrors.emptyFile(file);
}
