/**
 * Weights in 8 or 4 bits on the disk, so that a large model is brought into them once: in the cache folder of the person's account,
 * shared by all processes, found by what the model's files contain. A file appears whole or not at all, is checked against its own
 * hash whenever it is read, and the ones that were not used for the longest go when there is too much.
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, readdirSync, readSync, realpathSync, statSync, utimesSync } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically, writeFileAtomic } from '../../files/atomic.ts';
import { limits, openFile, openFileToRead, readText } from '../../files/open.ts';
import { blockSize, type StoredWeight } from '../../graph/stored.ts';
import { size } from '../../graph/tensor.ts';
import type { Precision } from '../../protocol/precision.ts';
import { bytesIn, formOf } from './precision.ts';
import type { HeldWeight } from './shelf.ts';
import { type ExpectedTensor, weightFiles } from './weights.ts';

/** Raised whenever the same files would give other numbers: another rule of rounding, or other forms for some weights. */
const RULES = 2;
const MAGIC = `CoLA weights ${RULES}\n`;
const ENDING = '.weights';
const MEMO = 'files.json';
/** Bytes that are read or written at once. */
const PIECE = 1 << 24;
const DIGEST = 32;
/** Files whose contents are known by their stamp. */
const MOST_KNOWN = 400;

const headerSchema = z.array(
  z.tuple([z.string(), z.enum(['f32', 'f16', 'int8', 'int4']), z.array(z.int().positive())]),
);
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

  /**
   * The file for a model in a form.
   *
   * @param model its folder, or a GGUF file
   * @returns undefined for one that is not kept: a small one, one in 16 or 32 bits, or one whose files cannot be told
   */
  async fileOf(model: string, precision: Precision, tensors: readonly ExpectedTensor[]): Promise<string | undefined> {
    if (precision !== 'int8' && precision !== 'int4') return undefined;
    const bytes = tensors.reduce((sum, tensor) => sum + bytesIn(precision, tensor), 0);
    if (bytes < this.limits.least || bytes > this.limits.most) return undefined;
    try {
      return join(this.folder, `${await this.contentOf(model)}-${precision}${ENDING}`);
    } catch {
      // Whoever reads the model says what is wrong with it.
      return undefined;
    }
  }

  /** The weights in a file of {@link fileOf}, checked; undefined where it is not there or not what it should be. */
  read(file: string, precision: Precision, tensors: readonly ExpectedTensor[]): Map<string, HeldWeight> | undefined {
    let fd: number;
    try {
      fd = openFile(file, 'read');
    } catch {
      return undefined;
    }
    try {
      const found = readWeights(fd, precision, tensors);
      const now = new Date();
      if (found !== undefined) utimesSync(file, now, now);
      return found;
    } catch {
      // A disk that fails, or a file that is cut off: the model itself is there.
      return undefined;
    } finally {
      closeSync(fd);
    }
  }

  /** Keeps weights, if the disk has room; if it takes them not, nothing is lost. */
  async write(file: string, weights: ReadonlyMap<string, HeldWeight>): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const bytes = [...weights.values()].reduce(
        (sum, weight) => sum + heldParts(weight).reduce((n, p) => n + p.byteLength, 0),
        0,
      );
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
        };
        await put(headerOf(weights));
        for (const weight of weights.values()) for (const part of heldParts(weight)) await put(part);
        await handle.writeFile(hash.digest());
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

const bytesOf = (data: Uint8Array | Uint16Array | Float32Array) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function heldParts(weight: HeldWeight): Uint8Array[] {
  if (weight instanceof Float32Array) return [bytesOf(weight)];
  return weight.form === 'f16' ? [bytesOf(weight.values)] : [bytesOf(weight.values), bytesOf(weight.scales)];
}

/** What is in the file, and how long that is: `[magic, bytes of the list, list]`. */
function headerOf(weights: ReadonlyMap<string, HeldWeight>): Uint8Array {
  const list = [...weights].map(([name, weight]) =>
    weight instanceof Float32Array ? [name, 'f32', [weight.length]] : [name, weight.form, weight.shape],
  );
  const text = Buffer.from(JSON.stringify(list));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from(MAGIC), length, text]);
}

function readWeights(
  fd: number,
  precision: Precision,
  tensors: readonly ExpectedTensor[],
): Map<string, HeldWeight> | undefined {
  const hash = createHash('sha256');
  const start = take(fd, Buffer.alloc(MAGIC.length + 4), hash);
  const length = start.readUInt32LE(MAGIC.length);
  if (start.toString('latin1', 0, MAGIC.length) !== MAGIC || length > limits.note * 16) return undefined;
  const text = take(fd, Buffer.alloc(length), hash);
  const list = headerSchema.parse(JSON.parse(text.toString('utf8')));
  const expected = tensors.map((tensor) => {
    const form = formOf(precision, tensor);
    return [tensor.name, form ?? 'f32', form === undefined ? [size(tensor.shape)] : [...tensor.shape]];
  });
  if (JSON.stringify(list) !== JSON.stringify(expected)) return undefined;
  const bytes = tensors.reduce((sum, tensor) => sum + bytesIn(precision, tensor), 0);
  if (fstatSync(fd).size !== MAGIC.length + 4 + length + bytes + DIGEST) return undefined;
  const weights = new Map<string, HeldWeight>();
  for (const tensor of tensors) {
    const weight = room(precision, tensor);
    for (const part of heldParts(weight)) take(fd, part, hash);
    weights.set(tensor.name, weight);
  }
  const digest = hash.digest();
  return take(fd, Buffer.alloc(DIGEST)).equals(digest) ? weights : undefined;
}

/** Memory for a weight. */
function room(precision: Precision, tensor: ExpectedTensor): HeldWeight {
  const form = formOf(precision, tensor);
  const count = size(tensor.shape);
  if (form === undefined) return new Float32Array(count);
  if (form === 'f16') return { form, shape: tensor.shape, values: new Uint16Array(count) };
  const values = new Uint8Array(form === 'int8' ? count : count / 2);
  const [rows, inner] = tensor.shape;
  return { form, shape: [rows, inner], values, scales: new Float32Array(count / blockSize) } satisfies StoredWeight;
}

/** Fills memory from where a file stands. @throws where it ends before */
function take<T extends Uint8Array>(fd: number, into: T, hash?: Hash): T {
  for (let at = 0; at < into.byteLength; ) {
    const read = readSync(fd, into, at, Math.min(PIECE, into.byteLength - at), null);
    if (read === 0) throw new Error('the file ends too early');
    hash?.update(into.subarray(at, at + read));
    at += read;
  }
  return into;
}
