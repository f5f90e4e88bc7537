/**
 * Weights in 8 or 4 bits on the disk, so that a large model is brought into them once: in the cache folder of the person's account,
 * shared by all processes, found by what the model's files contain. A file appears whole or not at all, is checked against its own
 * hash whenever it is read, and the ones that were not used for the longest go when there is too much.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readdirSync, readSync, realpathSync, statSync, utimesSync } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { writeAtomically, writeFileAtomic } from '../../files/atomic.ts';
import { limits, openFile, openFileToRead, readText } from '../../files/open.ts';
import { blockSize, type FileRange, isMapped, type WeightFile } from '../../graph/stored.ts';
import { size } from '../../graph/tensor.ts';
import type { Precision } from '../../protocol/precision.ts';
import { bytesIn, formOf } from './precision.ts';
import type { HeldWeight } from './shelf.ts';
import { type ExpectedTensor, weightFiles } from './weights.ts';

/** Raised whenever the same files would give other numbers: another rule of rounding, or other forms for some weights. */
const RULES = 2;
const MAGIC = `CoLA weights ${RULES}\n`;
/** Bytes on whose multiples numbers begin, so that whoever maps the file finds every number where a processor wants it. */
const ALIGNMENT = 64;
const ENDING = '.weights';
const MEMO = 'files.json';
/** Bytes that are read or written at once. */
const PIECE = 1 << 24;
const DIGEST = 32;
/** Files whose contents are known by their stamp. */
const MOST_KNOWN = 400;

const memoSchema = z.record(z.string(), z.string().length(64));

export interface StoredCacheLimits {
  /** Bytes of all files. */
  readonly most: number;
  /** Bytes below which a model is not kept: to bring it into its form takes no longer than to read it. */
  readonly least: number;
}

const usual: StoredCacheLimits = { most: 16e9, least: 64e6 };

/** The folder in the person's account. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  if (process.platform === 'darwin') return join(home, 'Library', 'Caches', 'cola-studio', 'weights');
  const own = process.platform === 'win32' ? env.LOCALAPPDATA : env.XDG_CACHE_HOME;
  return join(own ?? join(home, '.cache'), 'cola-studio', 'weights');
}

export class StoredCache {
  private readonly limits: StoredCacheLimits;

  constructor(
    readonly folder: string,
    given: Partial<StoredCacheLimits> = {},
  ) {
    this.limits = { ...usual, ...given };
  }

  /** That of the account; undefined where COLA_WEIGHT_CACHE is `off`. Another folder, if it names one. */
  static ofAccount(env: NodeJS.ProcessEnv = process.env): StoredCache | undefined {
    const { COLA_WEIGHT_CACHE: named } = env;
    if (named === 'off') return undefined;
    return new StoredCache(named === undefined || named === '' ? cacheFolder(env) : named);
  }

  /** Whether weights of so many bytes are kept, if the disk has room. */
  keeps(bytes: number): boolean {
    return bytes >= this.limits.least && bytes <= this.limits.most;
  }

  /**
   * The file for a model in a form.
   *
   * @param model its folder, or a GGUF file
   * @returns undefined for one that is not kept: a small one, one in 16 or 32 bits, or one whose files cannot be told
   */
  async fileOf(model: string, precision: Precision, tensors: readonly ExpectedTensor[]): Promise<string | undefined> {
    if (precision !== 'int8' && precision !== 'int4') return undefined;
    const bytes = tensors.reduce((sum, tensor) => sum + bytesIn(precision, tensor), 0);
    if (!this.keeps(bytes)) return undefined;
    try {
      return join(this.folder, `${await this.contentOf(model)}-${precision}${ENDING}`);
    } catch {
      // Whoever reads the model says what is wrong with it.
      return undefined;
    }
  }

  /**
   * The weights in a file of {@link fileOf}, checked; undefined where it is not there or not what it should be. Those in fewer bits
   * stay in the file.
   */
  read(file: string, precision: Precision, tensors: readonly ExpectedTensor[]): Map<string, HeldWeight> | undefined {
    let fd: number;
    try {
      fd = openFile(file, 'read');
    } catch {
      return undefined;
    }
    const kept = new KeptFile(this.folder, basename(file), fd);
    let found: Map<string, HeldWeight> | undefined;
    try {
      found = readWeights(kept, fd, precision, tensors);
      const now = new Date();
      if (found !== undefined) utimesSync(file, now, now);
    } catch {
      // A disk that fails, or a file that is cut off: the model itself is there.
    }
    if (found === undefined) kept.close();
    return found;
  }

  /**
   * Keeps weights, if the disk has room; if it takes them not, nothing is lost.
   *
   * @param weightOf each of them, asked for once and in order: they need not be in memory together
   * @param still whether they are what the file is named after, asked for when all were written
   */
  async write(
    file: string,
    precision: Precision,
    tensors: readonly ExpectedTensor[],
    weightOf: (tensor: ExpectedTensor) => HeldWeight,
    still: () => Promise<boolean>,
  ): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const bytes = tensors.reduce((sum, tensor) => sum + bytesIn(precision, tensor), 0);
      const { bavail, bsize } = await statfs(this.folder);
      if (bavail * bsize < 2 * bytes) return;
      await writeAtomically(file, async (handle) => {
        const hash = createHash('sha256');
        const put = async (part: Uint8Array) => {
          for (let at = 0; at < part.byteLength; at += PIECE) {
            const piece = part.subarray(at, at + PIECE);
            hash.update(piece);
            await handle.writeFile(piece);
          }
          const rest = part.byteLength % ALIGNMENT;
          if (rest > 0) {
            const zeros = new Uint8Array(ALIGNMENT - rest);
            hash.update(zeros);
            await handle.writeFile(zeros);
          }
        };
        await put(headerOf(precision, tensors));
        for (const tensor of tensors) for (const part of partsIn(weightOf(tensor))) await put(part);
        await handle.writeFile(hash.digest());
        if (!(await still())) throw new Error('the model has changed');
      });
      await this.makeRoom(file);
    } catch {
      // The next process brings the model into its form again.
    }
  }

  /** Removes what was not used for the longest, and what was left half written, until there is no more than there may be. */
  private async makeRoom(kept: string): Promise<void> {
    const day = 86_400_000;
    const files = readdirSync(this.folder).flatMap((name) => {
      const path = join(this.folder, name);
      const { size: bytes = 0, mtimeMs: used = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
      return name === MEMO ? [] : [{ path, bytes, used, half: !name.endsWith(ENDING) }];
    });
    const old = files.filter(({ half, used }) => half && Date.now() - used > day);
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const byAge = files.filter(({ half, path }) => !half && path !== kept).sort((a, b) => a.used - b.used);
    for (const { path, bytes } of [...old, ...byAge]) {
      if (total <= this.limits.most && !old.some((each) => each.path === path)) break;
      await rm(path, { force: true }).catch(() => undefined);
      total -= bytes;
    }
  }

  /** The hash of the files with a model's weights. Files that are as they were are not read again. */
  private async contentOf(model: string): Promise<string> {
    const known = this.known();
    const all = createHash('sha256');
    let fresh = false;
    for (const name of weightFiles(model)) {
      const stamp = stampOf(name);
      const before = known.get(stamp);
      const hash = before ?? (await hashOf(name));
      // A file that was written to meanwhile has no name yet.
      if (stampOf(name) !== stamp) throw new Error(`${name} has changed`);
      known.set(stamp, hash);
      fresh ||= before === undefined;
      all.update(`${hash}\n`);
    }
    if (fresh) await this.remember(known);
    return all.digest('hex').slice(0, 40);
  }

  private known(): Map<string, string> {
    try {
      return new Map(Object.entries(memoSchema.parse(JSON.parse(readText(join(this.folder, MEMO), limits.note)))));
    } catch {
      return new Map();
    }
  }

  private async remember(known: ReadonlyMap<string, string>): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const last = Object.fromEntries([...known].slice(-MOST_KNOWN));
    await writeFileAtomic(join(this.folder, MEMO), JSON.stringify(last)).catch(() => undefined);
  }
}

/** By which a file is known again: one that is written anew, or in place, has another. */
function stampOf(path: string): string {
  const { ino, size: bytes, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [realpathSync(path), ino, bytes, mtimeNs, ctimeNs].join(' ');
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  // The stream closes the file.
  const file = await openFileToRead(path);
  for await (const piece of file.createReadStream({ highWaterMark: PIECE })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/**
 * A file whose weights programs map. It is held open, so that its content stays where its name is taken away: by another process
 * that makes room, or by somebody who tidies up.
 */
class KeptFile implements WeightFile {
  constructor(
    readonly folder: string,
    readonly name: string,
    private readonly fd: number,
  ) {
    closing.register(this, fd, this);
  }

  close(): void {
    closing.unregister(this);
    closeSync(this.fd);
  }

  async present(): Promise<void> {
    const path = join(this.folder, this.name);
    const [held, there] = [fstatSync(this.fd), statSync(path, { throwIfNoEntry: false })];
    if (there?.ino === held.ino && there.dev === held.dev) return;
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await writeAtomically(path, async (handle) => {
      const piece = Buffer.alloc(PIECE);
      for (let at = 0; at < held.size; ) {
        const read = readSync(this.fd, piece, 0, PIECE, at);
        if (read === 0) throw new Error('the file ends too early');
        await handle.writeFile(piece.subarray(0, read));
        at += read;
      }
    });
  }
}

const closing = new FinalizationRegistry(closeSync);

const bytesOf = (data: Uint8Array | Uint16Array | Float32Array) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const onlyBlocks = 'only weights in blocks are kept';

function partsIn(weight: HeldWeight): Uint8Array[] {
  if (weight instanceof Float32Array) return [bytesOf(weight)];
  if (weight.form === 'f16' || isMapped(weight)) throw new Error(onlyBlocks);
  return [bytesOf(weight.values), bytesOf(weight.scales)];
}

/** What is in the file, and how long that is: `[magic, bytes of the list, list]`. */
function headerOf(precision: Precision, tensors: readonly ExpectedTensor[]): Uint8Array {
  const list = tensors.map((tensor) => {
    const form = formOf(precision, tensor);
    return [tensor.name, form ?? 'f32', tensor.shape];
  });
  const text = Buffer.from(JSON.stringify(list));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from(MAGIC), length, text]);
}

const padded = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function readWeights(
  file: WeightFile,
  fd: number,
  precision: Precision,
  tensors: readonly ExpectedTensor[],
): Map<string, HeldWeight> | undefined {
  const hash = createHash('sha256');
  const header = headerOf(precision, tensors);
  const weights = new Map<string, HeldWeight>();
  let at = padded(header.byteLength);
  const range = (byteLength: number): FileRange => {
    const found = { file, offset: at, byteLength };
    at += padded(byteLength);
    return found;
  };
  const plain: [Float32Array, FileRange][] = [];
  for (const tensor of tensors) {
    const form = formOf(precision, tensor);
    const count = size(tensor.shape);
    if (form === 'f16') throw new Error(onlyBlocks);
    if (form === undefined) {
      const values = new Float32Array(count);
      plain.push([values, range(values.byteLength)]);
      weights.set(tensor.name, values);
    } else {
      const [rows, inner] = tensor.shape;
      const values = range(form === 'int8' ? count : count / 2);
      const scales = range((count / blockSize) * Float32Array.BYTES_PER_ELEMENT);
      weights.set(tensor.name, { form, shape: [rows, inner], values, scales });
    }
  }
  if (fstatSync(fd).size !== at + DIGEST) return undefined;
  if (!take(fd, Buffer.alloc(header.byteLength), 0).equals(header)) return undefined;
  const piece = Buffer.alloc(PIECE);
  for (let done = 0; done < at; done += PIECE)
    hash.update(take(fd, piece.subarray(0, Math.min(PIECE, at - done)), done));
  if (!take(fd, Buffer.alloc(DIGEST), at).equals(hash.digest())) return undefined;
  for (const [values, { offset }] of plain) take(fd, bytesOf(values), offset);
  return weights;
}

/** Fills memory from a place in a file. @throws where it ends before */
function take<T extends Uint8Array>(fd: number, into: T, position: number): T {
  for (let at = 0; at < into.byteLength; ) {
    const read = readSync(fd, into, at, into.byteLength - at, position + at);
    if (read === 0) throw new Error('the file ends too early');
    at += read;
  }
  return into;
}
