/**
 * Hidden states of a frozen base on the disk, one slot a row: the states `[T,d]` in float32, and a hash of them with the row's
 * number and the name of the file. A slot that was never written, was written in half when its process died, or was damaged later
 * does not have its hash, and counts as missing. So nothing needs to be forced to the disk, and no list says what is there.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, readSync, type Stats, statSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomic, writing } from '../../files/atomic.ts';
import { openFile } from '../../files/open.ts';
import { makeFolder } from '../../files/place.ts';
import { trainErrors } from '../errors.ts';

const digestBytes = 32;
const floatBytes = 4;

/** Bytes that `rows` rows of `width` numbers take. */
export const statesBytes = (rows: number, width: number): number => rows * (width * floatBytes + digestBytes);

/** Bytes that are left on the disk of a folder, or of the nearest one above it that is there. */
export async function freeDisk(folder: string): Promise<number> {
  for (let at = folder; ; at = dirname(at)) {
    if (statSync(at, { throwIfNoEntry: false }) === undefined && dirname(at) !== at) continue;
    const { bavail, bsize } = await statfs(at);
    return bavail * bsize;
  }
}

export interface StatesShape {
  /** Rows of the data. */
  readonly rows: number;
  /** Rows among them that are going to be written. */
  readonly used: number;
  /** Numbers in a row: T d. */
  readonly width: number;
}

export class StatesFile {
  private readonly slot: Buffer;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    private readonly width: number,
  ) {
    this.slot = Buffer.alloc(statesBytes(1, width));
  }

  /**
   * @param name of all that the states depend on
   * @param free bytes that are left on the disk; asked of it, if not given
   * @throws train.noDisk where they do not fit; files.*, store.cannotWrite
   */
  static async open(folder: string, name: string, shape: StatesShape, free = freeDisk): Promise<StatesFile> {
    const { rows, used, width } = shape;
    makeFolder(folder);
    const path = join(folder, `${name}.states`);
    return writing(path, async () => {
      const before = statSync(path, { throwIfNoEntry: false });
      const bytes = statesBytes(used, width);
      const needed = bytes - takenBy(before);
      const left = needed > 0 ? await free(folder) : 0;
      if (needed > left) throw trainErrors.noDisk(folder, bytes, needed, left);
      if (before === undefined) await writeFileAtomic(path, '');
      const fd = openFile(path, 'change');
      try {
        // Only what is written of it takes room.
        const whole = statesBytes(rows, width);
        if (fstatSync(fd).size !== whole) ftruncateSync(fd, whole);
        return new StatesFile(path, fd, width);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    });
  }

  /** Copies the states of a row into memory. @returns false where it is not there, or not as it was written */
  read(row: number, into: Float32Array): boolean {
    const { slot, fd } = this;
    for (let at = 0; at < slot.length; ) {
      const read = readSync(fd, slot, at, slot.length - at, row * slot.length + at);
      if (read === 0) return false;
      at += read;
    }
    const numbers = slot.subarray(digestBytes);
    if (!slot.subarray(0, digestBytes).equals(this.digest(row, numbers))) return false;
    bytesOf(into).set(numbers);
    return true;
  }

  /** @throws store.cannotWrite */
  async write(row: number, states: Float32Array): Promise<void> {
    const { slot, fd } = this;
    const numbers = bytesOf(states);
    slot.set(this.digest(row, numbers));
    slot.set(numbers, digestBytes);
    await writing(this.path, async () => {
      for (let at = 0; at < slot.length; ) at += writeSync(fd, slot, at, slot.length - at, row * slot.length + at);
    });
  }

  private digest(row: number, numbers: Uint8Array): Buffer {
    if (numbers.byteLength !== this.width * floatBytes) throw new Error('a row of another width');
    return createHash('sha256')
      .update(`${basename(this.path)} ${row}\n`)
      .update(numbers)
      .digest();
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Bytes that a file has on the disk. On Windows all that it is long is taken from the start. */
function takenBy(file: Stats | undefined): number {
  if (file === undefined) return 0;
  return process.platform === 'win32' ? file.size : file.blocks * 512;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
