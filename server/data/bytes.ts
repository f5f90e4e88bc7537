/** The bytes of a file, unpacked where they are packed. */
import { statSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { ColaError } from '../errors.ts';
import { openFileToRead } from '../files/open.ts';
import { dataErrors } from './errors.ts';

const gzipMark = [0x1f, 0x8b];
const chunkBytes = 256 * 1024;
/** Text packs to a tenth, repetitive text to a hundredth. What unpacks to more is made to fill memory and disk. */
const unpackedLimit = { least: 64 * 1024 * 1024, ratio: 200 };

/** Why a file is not read, in words that fit data. */
function refused(file: string, error: unknown): ColaError {
  const odd = error instanceof ColaError && error.id === 'files.kind';
  if (odd && statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true) return dataErrors.notPlain(file);
  return error instanceof ColaError && !odd ? error : dataErrors.missingFile(file, error);
}

/** The first bytes of a file as it lies on the disk. Throws `data.missingFile`, `data.notPlain` where there may be no end. */
export async function firstBytes(file: string, count: number): Promise<Buffer> {
  try {
    const handle = await openFileToRead(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw refused(file, error);
  }
}

/** Whether a file is packed by gzip, whatever its name. Throws `data.missingFile`. */
async function isGzip(file: string): Promise<boolean> {
  const start = await firstBytes(file, 2);
  return start.length === 2 && gzipMark.every((byte, i) => start[i] === byte);
}

/**
 * The bytes of a file as they lie on the disk, in pieces: of a plain file alone, for a device or a pipe may have no end.
 * Throws `data.missingFile`, `data.notPlain`.
 */
export async function* storedBytes(file: string): AsyncGenerator<Buffer> {
  try {
    const handle = await openFileToRead(file);
    for await (const chunk of handle.createReadStream({ highWaterMark: chunkBytes })) yield chunk as Buffer;
  } catch (error) {
    throw refused(file, error);
  }
}

/**
 * The bytes of a file in pieces, in constant memory.
 * Throws `data.missingFile`, `data.brokenArchive`, `data.unpacksTooLarge`, `data.notPlain`.
 */
export async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  const packed = await isGzip(file);
  const handle = await openFileToRead(file).catch((error: unknown) => {
    throw refused(file, error);
  });
  const stream = handle.createReadStream({ highWaterMark: chunkBytes });
  const unpack = packed ? createGunzip({ chunkSize: chunkBytes }) : undefined;
  if (unpack !== undefined) {
    stream.on('error', (error) => unpack.destroy(error));
    stream.pipe(unpack);
  }
  let read = 0;
  const limit = packed ? Math.max(unpackedLimit.least, unpackedLimit.ratio * statSync(file).size) : Infinity;
  try {
    for await (const chunk of (unpack ?? stream) as AsyncIterable<Buffer>) {
      read += chunk.length;
      if (read > limit) throw dataErrors.unpacksTooLarge(file, limit);
      yield chunk;
    }
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw syscall === undefined && packed ? dataErrors.brokenArchive(file, cause) : dataErrors.missingFile(file, cause);
  } finally {
    stream.destroy();
    unpack?.destroy();
  }
}

/** {@link bytesOf} as UTF-8, also of a file in UTF-16, as spreadsheets and Windows write it: its first bytes tell. */
export async function* utf8Of(file: string): AsyncGenerator<Buffer> {
  let decoder: TextDecoder | undefined;
  let first = true;
  for await (const chunk of bytesOf(file)) {
    if (first && chunk[0] === 0xff && chunk[1] === 0xfe) decoder = new TextDecoder('utf-16le');
    if (first && chunk[0] === 0xfe && chunk[1] === 0xff) decoder = new TextDecoder('utf-16be');
    first = false;
    yield decoder === undefined ? chunk : Buffer.from(decoder.decode(chunk, { stream: true }), 'utf8');
  }
  const rest = decoder?.decode() ?? '';
  if (rest !== '') yield Buffer.from(rest, 'utf8');
}
