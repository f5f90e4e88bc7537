/** A file that is read at places: weights, of which no more is in memory than somebody asks for. */
import { closeSync, fstatSync, readSync, statSync } from 'node:fs';
import { openFile } from './open.ts';
import { needPlace } from './place.ts';

/** What is said of a read that failed, and of a file that ends too early. */
export interface Refusals {
  cannotRead(cause: unknown): Error;
  truncated(): Error;
}

/** A single read is limited to 2 GiB on some systems. */
const readBytes = 1 << 30;

/** An open regular file. Close it. */
export class RandomFile {
  private constructor(
    readonly path: string,
    private fd: number | null,
    readonly size: number,
    /** Which file it is, and when it was last written. */
    readonly stamp: string,
  ) {}

  /** @throws files.link, files.linkedHome; a system error, or one that says that it is no regular file */
  static open(path: string): RandomFile {
    needPlace(path);
    if (!statSync(path).isFile()) throw new Error('it is not a regular file');
    const fd = openFile(path, 'read');
    try {
      const { dev, ino, size, mtimeNs } = fstatSync(fd, { bigint: true });
      return new RandomFile(path, fd, Number(size), [dev, ino, size, mtimeNs].join(' '));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /**
   * Fills `target` with the bytes from a position on.
   *
   * @returns false if the file ends before the target is full
   * @throws a system error
   */
  read(target: Uint8Array, position: number): boolean {
    if (this.fd === null) throw new Error(`${this.path} is closed`);
    for (let done = 0; done < target.byteLength; ) {
      const read = readSync(this.fd, target, done, Math.min(target.byteLength - done, readBytes), position + done);
      if (read === 0) return false;
      done += read;
    }
    return true;
  }

  /** {@link read} for who cannot do with less. @throws what `refuse` says */
  fill(target: Uint8Array, position: number, refuse: Refusals): void {
    if (this.fd === null) throw new Error(`${this.path} is closed`);
    let whole: boolean;
    try {
      whole = this.read(target, position);
    } catch (cause) {
      throw refuse.cannotRead(cause);
    }
    if (!whole) throw refuse.truncated();
  }

  /** Reading is a defect afterwards. Closing twice is allowed. */
  close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
