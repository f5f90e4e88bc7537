/**
 * Reading safetensors files: 8 bytes header length (u64), a JSON header, then the tensors back to back, little-endian.
 * A file is checked completely when it is opened; tensors are read one at a time, so a model larger than the memory
 * can be walked through.
 *
 * Source of the format: the README of github.com/huggingface/safetensors.
 */
import { z } from 'zod';
import { ColaError } from '../errors.ts';
import { widenBfloat16, widenFloat16 } from './floats.ts';
import { deeperThan } from './json-depth.ts';
import { refusePretender } from './pretender.ts';
import { RandomFile } from './random-file.ts';
import { safetensorsErrors as errors } from './safetensors-errors.ts';

/** Bytes an element has in each number format that is read. */
export const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

/** Where and how a tensor is stored. */
export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Position of the first byte, counted from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Elements of a tensor, in row-major order. */
export interface ElementRange {
  readonly first: number;
  readonly count: number;
}

/** Where a range of a tensor's elements is. */
function part(info: TensorInfo, range: ElementRange | undefined): TensorInfo {
  if (range === undefined) return info;
  const bytes = DTYPE_BYTES[info.dtype];
  if (range.first < 0 || range.count < 0 || (range.first + range.count) * bytes > info.byteLength)
    throw new RangeError(`elements ${range.first} to ${range.first + range.count} are not all there`);
  return { ...info, offset: info.offset + range.first * bytes, byteLength: range.count * bytes };
}

/** The largest header that is accepted, in bytes; the reference implementation has the same limit. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Names in a header, four for a tensor; the largest models have a few ten thousand tensors. */
const MAX_MEMBERS = 400_000;

/** Bytes read at once while converting, so that widening needs no second copy of a whole tensor. A multiple of 8. */
const CHUNK_BYTES = 1 << 22;

const count = z.number().int().nonnegative();
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(count).max(64),
  data_offsets: z.tuple([count, count]),
});
const metadataSchema = z.record(z.string(), z.string());

/** An open safetensors file. Keep it only as long as tensors are read, and close it. */
export class SafetensorsFile {
  private constructor(
    private readonly file: RandomFile,
    private readonly tensors: ReadonlyMap<string, TensorInfo>,
    /** Free text that the writer of the file left in the header. */
    readonly metadata: Readonly<Record<string, string>>,
  ) {}

  /**
   * Opens a file and checks its header: length, JSON, duplicate names, number formats, and that the tensors fill the
   * rest of the file exactly, without gap or overlap.
   *
   * @throws ColaError safetensors.* naming the file and what is wrong with it
   */
  static open(path: string): SafetensorsFile {
    let file: RandomFile | undefined;
    try {
      file = RandomFile.open(path);
      const { tensors, metadata } = readHeader(file);
      return new SafetensorsFile(file, tensors, metadata);
    } catch (error) {
      file?.close();
      throw error instanceof ColaError ? error : errors.cannotOpen(path, error);
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** The names of all tensors, in the order of their data. */
  get names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** @throws ColaError safetensors.noTensor */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info === undefined) throw errors.noTensor(this.path, name);
    return info;
  }

  /**
   * Reads a tensor of floating-point numbers (F64, F32, F16, BF16) as float32: exact, except that F64 is rounded.
   *
   * @param range a part of its elements; all, if not given
   * @returns the elements in row-major order
   * @throws ColaError safetensors.noTensor, readAs, cannotRead, truncated, tooLarge
   */
  readFloat32(name: string, range?: ElementRange): Float32Array {
    const info = part(this.info(name), range);
    switch (info.dtype) {
      case 'F32': {
        const values = this.allocate(name, info, 4, (n) => new Float32Array(n));
        this.fill(name, asBytes(values), info.offset);
        return values;
      }
      case 'F64':
      case 'F16':
      case 'BF16': {
        const { dtype } = info;
        const values = this.allocate(name, info, 4, (n) => new Float32Array(n));
        this.eachChunk(name, info, (chunk, first) => {
          const n = chunk.byteLength / DTYPE_BYTES[dtype];
          const target = values.subarray(first, first + n);
          if (dtype === 'F64') target.set(new Float64Array(chunk.buffer, 0, n));
          else if (dtype === 'F16') widenFloat16(new Uint16Array(chunk.buffer, 0, n), target);
          else widenBfloat16(new Uint16Array(chunk.buffer, 0, n), target);
        });
        return values;
      }
      default:
        throw errors.readAs(this.path, name, info.dtype, 'floating-point');
    }
  }

  /**
   * Reads a tensor of whole numbers of at most 32 bits (I32, I16, I8, U8, BOOL).
   *
   * @throws ColaError as {@link readFloat32}
   */
  readInt32(name: string): Int32Array {
    const info = this.info(name);
    const view = INTEGER_VIEWS[info.dtype];
    if (view === undefined) throw errors.readAs(this.path, name, info.dtype, '32-bit whole');
    const values = this.allocate(name, info, 4, (n) => new Int32Array(n));
    this.eachChunk(name, info, (chunk, first) => values.set(view(chunk), first));
    return values;
  }

  /**
   * Reads a tensor of 64-bit whole numbers (I64).
   *
   * @throws ColaError as {@link readFloat32}
   */
  readBigInt64(name: string): BigInt64Array {
    const info = this.info(name);
    if (info.dtype !== 'I64') throw errors.readAs(this.path, name, info.dtype, '64-bit whole');
    const values = this.allocate(name, info, 8, (n) => new BigInt64Array(n));
    this.fill(name, asBytes(values), info.offset);
    return values;
  }

  /** Closes the file; reading is a defect afterwards. Closing twice is allowed. */
  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private allocate<T>(name: string, info: TensorInfo, elementBytes: number, make: (length: number) => T): T {
    const length = info.byteLength / DTYPE_BYTES[info.dtype];
    try {
      return make(length);
    } catch (error) {
      throw errors.tooLarge(this.path, name, length * elementBytes, error);
    }
  }

  /** Hands the bytes of a tensor over in pieces at the start of an aligned buffer, with the index of their first element. */
  private eachChunk(
    name: string,
    info: TensorInfo,
    use: (chunk: Uint8Array<ArrayBuffer>, first: number) => void,
  ): void {
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, info.byteLength));
    for (let done = 0; done < info.byteLength; done += CHUNK_BYTES) {
      const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, info.byteLength - done));
      this.fill(name, chunk, info.offset + done);
      use(chunk, done / DTYPE_BYTES[info.dtype]);
    }
  }

  private fill(name: string, target: Uint8Array, position: number): void {
    this.file.fill(target, position, {
      cannotRead: (cause) => errors.cannotRead(this.path, name, cause),
      truncated: () => errors.truncated(this.path),
    });
  }
}

const INTEGER_VIEWS: Partial<Record<Dtype, (chunk: Uint8Array<ArrayBuffer>) => ArrayLike<number>>> = {
  I32: (chunk) => new Int32Array(chunk.buffer, 0, chunk.byteLength / 4),
  I16: (chunk) => new Int16Array(chunk.buffer, 0, chunk.byteLength / 2),
  I8: (chunk) => new Int8Array(chunk.buffer, 0, chunk.byteLength),
  U8: (chunk) => chunk,
  BOOL: (chunk) => chunk,
};

interface Header {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

function readHeader(file: RandomFile): Header {
  const { path, size } = file;
  const prefix = new Uint8Array(8);
  if (size < 8 || !file.read(prefix, 0)) throw errors.truncated(path);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length < 2n || length > BigInt(MAX_HEADER_BYTES)) {
    const start = new Uint8Array(Math.min(512, size));
    if (file.read(start, 0)) refusePretender(path, start);
    throw errors.headerLength(path, length, MAX_HEADER_BYTES);
  }
  const headerBytes = Number(length);
  if (8 + headerBytes > size) throw errors.truncated(path);
  const bytes = new Uint8Array(headerBytes);
  if (!file.read(bytes, 8)) throw errors.truncated(path);
  return parseHeader(path, bytes, size);
}

function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): Header {
  let text: string;
  let nested: boolean;
  let written: number;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    // Three levels are all there is: names, what they say, and their lists.
    nested = deeperThan(text, 3);
    written = countMembers(text);
    json = nested || written > MAX_MEMBERS ? undefined : JSON.parse(text);
  } catch {
    throw errors.header(path, 'it is not JSON');
  }
  if (nested) throw errors.header(path, 'it is nested too deeply');
  if (written > MAX_MEMBERS) throw errors.header(path, `it has ${written} entries`);
  if (!text.startsWith('{') || typeof json !== 'object' || json === null) {
    throw errors.header(path, 'it is not a JSON object');
  }

  let members = 0;
  let metadata: Readonly<Record<string, string>> = {};
  const tensors: [name: string, info: TensorInfo][] = [];
  const dataStart = 8 + bytes.length;
  for (const [name, value] of Object.entries(json)) {
    members++;
    if (name === '__metadata__') {
      const parsed = metadataSchema.safeParse(value ?? {});
      if (!parsed.success) throw errors.header(path, `its "__metadata__" is not made of text`);
      metadata = parsed.data;
      members += Object.keys(value ?? {}).length;
    } else {
      tensors.push([name, parseEntry(path, name, value, dataStart)]);
      members += 3;
    }
  }
  if (written !== members) throw errors.header(path, 'a name occurs twice');
  checkLayout(path, tensors, dataStart, fileBytes);
  return { tensors: new Map(tensors), metadata };
}

function parseEntry(path: string, name: string, value: unknown, dataStart: number): TensorInfo {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
    throw errors.header(path, `the entry of ${JSON.stringify(name.slice(0, 200))} is wrong${where}`);
  }
  const { dtype, shape, data_offsets } = parsed.data;
  const [begin, end] = data_offsets;
  if (!isDtype(dtype)) throw errors.dtype(path, name, dtype);
  let needed: number = DTYPE_BYTES[dtype];
  for (const extent of shape) {
    needed *= extent;
    if (!Number.isSafeInteger(needed)) throw errors.size(path, name, `its shape [${shape.join(', ')}] is too large`);
  }
  if (end - begin !== needed) {
    throw errors.size(path, name, `its shape [${shape.join(', ')}] needs ${needed} bytes, but it has ${end - begin}`);
  }
  return { dtype, shape, offset: dataStart + begin, byteLength: needed };
}

/** Sorts the tensors by position and checks that each starts where the one before ends, and that the file ends with the last. */
function checkLayout(path: string, tensors: [string, TensorInfo][], dataStart: number, fileBytes: number): void {
  tensors.sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, info] of tensors) {
    if (info.offset < end) throw errors.layout(path, name, 'overlaps the tensor before it');
    if (info.offset > end) throw errors.layout(path, name, 'leaves a gap to the tensor before it');
    end += info.byteLength;
  }
  if (end > fileBytes) throw errors.truncated(path);
  if (end < fileBytes) throw errors.header(path, `${fileBytes - end} bytes at the end of the file belong to no tensor`);
}

function isDtype(text: string): text is Dtype {
  return Object.hasOwn(DTYPE_BYTES, text);
}

/**
 * Counts the members of all objects in JSON; of what is none, some number. JSON.parse keeps only the last of two members of one name, so a
 * difference to what it returned gives duplicates away.
 */
function countMembers(json: string): number {
  let members = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === 0x3a) members++;
    else if (code === 0x22) {
      for (i++; i < json.length && json.charCodeAt(i) !== 0x22; i++) if (json.charCodeAt(i) === 0x5c) i++;
    }
  }
  return members;
}

/** The memory of a typed array as bytes. Every platform Node runs the engine on is little-endian, as the format is. */
export function asBytes(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
