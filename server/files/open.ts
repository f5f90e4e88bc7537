/**
 * The one way to open files that lie in a `.cola` or that a folder may bring along: plain files only, not through links inside
 * `.cola` (see {@link needPlace}), and never more of them than is expected.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fileErrors } from './errors.ts';
import { isAbsent, isGuarded, needFile, needPlace } from './place.ts';

/** What is read of a file at most, in bytes. */
export const limits = {
  /** Locks, states, versions, the spec of a run: files of a few thousand. */
  note: 1 << 20,
  /** What a person writes. */
  document: 5 << 20,
  /** What is known of the actions of a model. */
  actions: 1 << 26,
  /** A search. */
  whole: 1 << 28,
} as const;

/** Bytes read at once. */
const pieceSize = 1 << 20;

const flags = {
  read: constants.O_RDONLY,
  /** Reads and writes what is there. */
  change: constants.O_RDWR,
  /** Writes behind the end; makes the file if it is not there. */
  append: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT,
} as const;
export type Use = keyof typeof flags;

/** Windows knows neither. A pipe that nobody writes to would hold up whoever opens it. */
const flagsOf = (path: string, use: Use) =>
  flags[use] | (constants.O_NONBLOCK ?? 0) | (isGuarded(path) ? (constants.O_NOFOLLOW ?? 0) : 0);

/** Refuses a path that {@link openFile} would. What is not there is none. @throws files.* */
export function needPlainFile(path: string): void {
  needPlace(path);
  const info = statSync(path, { throwIfNoEntry: false });
  if (info !== undefined) needFile(path, info);
}

/**
 * Opens a file; the caller closes it.
 *
 * @param mode rights of a file that is made
 * @throws files.*; a system error
 */
export function openFile(path: string, use: Use, mode?: number): number {
  // Opening alone may already do something to a device.
  needPlainFile(path);
  const fd = openSync(path, flagsOf(path, use), mode);
  try {
    needFile(path, fstatSync(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** {@link openFile} for reading in the background. */
export async function openFileToRead(path: string): Promise<FileHandle> {
  needPlainFile(path);
  const handle = await open(path, flagsOf(path, 'read'));
  try {
    needFile(path, await handle.stat());
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

/** The bytes of a file from its start, piece by piece. @throws as {@link openFile} */
export function* piecesOf(path: string): Generator<Buffer, void> {
  const fd = openFile(path, 'read');
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(pieceSize);
      const count = readSync(fd, piece);
      if (count === 0) return;
      yield piece.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
}

/** A whole file. @throws files.tooLarge, and as {@link openFile} */
export function readBytes(path: string, limit: number): Buffer {
  const fd = openFile(path, 'read');
  try {
    const { size } = fstatSync(fd);
    if (size > limit) throw fileErrors.tooLarge(path, limit);
    // It may grow meanwhile, but not beyond what was seen: what is appended later is not missed.
    const bytes = Buffer.allocUnsafe(size);
    let read = 0;
    while (read < size) {
      const count = readSync(fd, bytes, read, size - read, read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}

/** A whole text in UTF-8. @throws as {@link readBytes} */
export function readText(path: string, limit: number): string {
  return readBytes(path, limit).toString('utf8');
}

/** {@link readText}; undefined where there is no such file. */
export function readTextIfThere(path: string, limit: number): string | undefined {
  try {
    return readText(path, limit);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** The end of a text in UTF-8, from the start of a line on; empty where there is no such file. @throws as {@link openFile} */
export function readEnd(path: string, most: number): string {
  let fd: number;
  try {
    fd = openFile(path, 'read');
  } catch (error) {
    if (isAbsent(error)) return '';
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(0, size - most);
    const bytes = Buffer.alloc(size - start);
    const count = readSync(fd, bytes, 0, bytes.length, start);
    const text = bytes.toString('utf8', 0, count);
    if (start === 0) return text;
    const newline = text.indexOf('\n');
    return newline < 0 ? '' : text.slice(newline + 1);
  } finally {
    closeSync(fd);
  }
}

/** Writes behind the end of a file, which is made if it is not there. @throws files.*; a system error */
export function appendText(path: string, text: string | Uint8Array): void {
  const fd = openFile(path, 'append');
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Makes a file that is not there yet. @throws files.link and the like; a system error, EEXIST where there is one */
export function createFile(path: string, text: string): void {
  needPlace(path);
  writeFileSync(path, text, { flag: 'wx' });
}
