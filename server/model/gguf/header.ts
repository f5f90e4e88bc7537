/**
 * The header of a GGUF file: `GGUF`, version, counts, metadata, and what tensors there are. Every count, length and place is
 * held against the size of the file before memory is taken for it.
 *
 * Source of the format: docs/gguf.md of github.com/ggml-org/ggml.
 */
import { ColaError } from '../../errors.ts';
import { ggufErrors as errors } from './errors.ts';
import { type ReadType, tensorType, tensorTypeName } from './types.ts';

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[] | GgufNumbers;
/** Arrays of numbers come as typed arrays: vocabularies have one entry a token. */
export type GgufNumbers =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

export interface GgufTensor {
  readonly name: string;
  /** As PyTorch has it: the last extent is the one that lies together. */
  readonly shape: readonly number[];
  /** Undefined for a format that is not read. */
  readonly type: ReadType | undefined;
  readonly typeName: string;
  /** Position of the first byte, counted from the start of the file. */
  readonly offset: number;
  /** 0 for a format that is not read. */
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

/** Where bytes come from: a file, or memory. */
export interface ByteSource {
  readonly size: number;
  /** @returns false if there are fewer bytes than the target has */
  read(target: Uint8Array, position: number): boolean;
}

/** What is believed of a header; real ones are far below. */
const LIMITS = {
  headerBytes: 1 << 28,
  keys: 1 << 16,
  tensors: 1 << 16,
  nameBytes: 1 << 16,
  textBytes: 1 << 26,
  elements: 1 << 23,
  depth: 4,
  alignment: 1 << 20,
} as const;

const WINDOW = 1 << 18;

/** Reads little-endian values one behind the other, in windows of the source. */
class Cursor {
  private window = new Uint8Array(0);
  private view = new DataView(this.window.buffer);
  private windowAt = 0;
  at = 0;

  constructor(
    private readonly source: ByteSource,
    private readonly file: string,
  ) {}

  get left(): number {
    return Math.min(this.source.size, LIMITS.headerBytes) - this.at;
  }

  /** Makes sure that `bytes` (of at most a window) can be read at the returned place of the view. */
  private take(bytes: number): number {
    if (bytes > this.source.size - this.at) throw errors.truncated(this.file);
    if (bytes > this.left) throw errors.header(this.file, `it has more than ${LIMITS.headerBytes} bytes`);
    let place = this.at - this.windowAt;
    if (place + bytes > this.window.length) {
      const size = Math.min(Math.max(WINDOW, bytes), this.source.size - this.at);
      this.window = new Uint8Array(size);
      this.view = new DataView(this.window.buffer);
      if (!this.source.read(this.window, this.at)) throw errors.truncated(this.file);
      this.windowAt = this.at;
      place = 0;
    }
    this.at += bytes;
    return place;
  }

  bytes(length: number): Uint8Array {
    const place = this.take(length);
    return this.window.subarray(place, place + length);
  }
  // Taking may bring another window, so it comes before the view is asked.
  u8 = (): number => this.value(1, (view, at) => view.getUint8(at));
  i8 = (): number => this.value(1, (view, at) => view.getInt8(at));
  u16 = (): number => this.value(2, (view, at) => view.getUint16(at, true));
  i16 = (): number => this.value(2, (view, at) => view.getInt16(at, true));
  u32 = (): number => this.value(4, (view, at) => view.getUint32(at, true));
  i32 = (): number => this.value(4, (view, at) => view.getInt32(at, true));
  f32 = (): number => this.value(4, (view, at) => view.getFloat32(at, true));
  f64 = (): number => this.value(8, (view, at) => view.getFloat64(at, true));
  u64 = (): number | bigint => plain(this.value(8, (view, at) => view.getBigUint64(at, true)));
  i64 = (): number | bigint => plain(this.value(8, (view, at) => view.getBigInt64(at, true)));

  private value<T>(bytes: number, read: (view: DataView, at: number) => T): T {
    const place = this.take(bytes);
    return read(this.view, place);
  }

  /** A number of things that follow. */
  count(what: string, limit: number): number {
    const count = this.u64();
    if (typeof count === 'bigint' || count > limit)
      throw errors.header(this.file, `it has ${count} ${what}; ${limit} are possible`);
    return count;
  }

  /** Passes over bytes that nobody asks for. */
  skip(bytes: number): void {
    if (bytes > this.source.size - this.at) throw errors.truncated(this.file);
    if (bytes > this.left) throw errors.header(this.file, `it has more than ${LIMITS.headerBytes} bytes`);
    this.at += bytes;
  }

  text(limit: number): string {
    const length = this.count('bytes in a text', limit);
    // Some tokens of old files are no UTF-8: what is wrong in them becomes U+FFFD, and the vocabulary then says so.
    return decoder.decode(this.bytes(length));
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A number where it is one exactly. */
function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Kinds of values, by their number in a file: how long one is, how one is read, and how many at once. */
const scalars: Readonly<
  Record<number, { bytes: number; read: (cursor: Cursor) => number | bigint | boolean; array?: NumbersConstructor }>
> = {
  0: { bytes: 1, read: (c) => c.u8(), array: Uint8Array },
  1: { bytes: 1, read: (c) => c.i8(), array: Int8Array },
  2: { bytes: 2, read: (c) => c.u16(), array: Uint16Array },
  3: { bytes: 2, read: (c) => c.i16(), array: Int16Array },
  4: { bytes: 4, read: (c) => c.u32(), array: Uint32Array },
  5: { bytes: 4, read: (c) => c.i32(), array: Int32Array },
  6: { bytes: 4, read: (c) => c.f32(), array: Float32Array },
  7: { bytes: 1, read: (c) => c.u8() !== 0 },
  10: { bytes: 8, read: (c) => c.u64() },
  11: { bytes: 8, read: (c) => c.i64() },
  12: { bytes: 8, read: (c) => c.f64(), array: Float64Array },
};
const TEXT = 8;
const ARRAY = 9;

type NumbersConstructor = new (buffer: ArrayBuffer) => GgufNumbers;

/** @param most arrays with more elements are passed over, and have none */
function readValue(cursor: Cursor, kind: number, file: string, key: string, depth: number, most: number): GgufValue {
  const scalar = Object.hasOwn(scalars, kind) ? scalars[kind] : undefined;
  if (scalar !== undefined) return scalar.read(cursor);
  if (kind === TEXT) return cursor.text(LIMITS.textBytes);
  if (kind !== ARRAY) throw errors.header(file, `${JSON.stringify(key)} is of the unknown kind ${kind}`);
  if (depth >= LIMITS.depth)
    throw errors.header(file, `${JSON.stringify(key)} is nested deeper than ${LIMITS.depth} arrays`);
  const inner = cursor.u32();
  const count = cursor.count(`elements in ${JSON.stringify(key)}`, LIMITS.elements);
  const element = Object.hasOwn(scalars, inner) ? scalars[inner] : undefined;
  // A text needs 8 bytes for its length, an array 12.
  const least = element?.bytes ?? (inner === TEXT ? 8 : 12);
  if (count * least > cursor.left) throw errors.truncated(file);
  if (count > most && depth === 0 && (element !== undefined || inner === TEXT)) {
    if (element !== undefined) cursor.skip(count * element.bytes);
    else for (let i = 0; i < count; i++) cursor.skip(cursor.count('bytes in a text', LIMITS.textBytes));
    return [];
  }
  if (element?.array !== undefined) return new element.array(cursor.bytes(count * least).slice().buffer);
  const values: GgufValue[] = [];
  for (let i = 0; i < count; i++) values.push(readValue(cursor, inner, file, key, depth + 1, most));
  return values;
}

/**
 * @param file what to call it in errors
 * @param most arrays with more elements are passed over: the vocabulary, where only the rest is asked for
 * @throws ColaError gguf.*
 */
export function parseGgufHeader(source: ByteSource, file: string, most = Number.POSITIVE_INFINITY): GgufHeader {
  const cursor = new Cursor(source, file);
  const magic = cursor.bytes(4);
  if (String.fromCharCode(...magic) !== 'GGUF') throw errors.header(file, 'it does not begin with GGUF');
  const version = cursor.u32();
  if (version > 0xffff) throw errors.bigEndian(file);
  if (version !== 2 && version !== 3) throw errors.version(file, version);
  const tensorCount = cursor.count('tensors', LIMITS.tensors);
  const keys = cursor.count('keys', LIMITS.keys);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keys; i++) {
    const key = cursor.text(LIMITS.nameBytes);
    if (metadata.has(key)) throw errors.header(file, `the key ${JSON.stringify(key.slice(0, 200))} occurs twice`);
    metadata.set(key, readValue(cursor, cursor.u32(), file, key.slice(0, 200), 0, most));
  }
  const alignment = alignmentOf(metadata, file);
  const entries = Array.from({ length: tensorCount }, () => readEntry(cursor, file));
  const start = Math.ceil(cursor.at / alignment) * alignment;
  const tensors = entries.map((entry) => place(entry, start, alignment, source.size, file));
  refuseDoubles(tensors, file);
  return { version, metadata, tensors };
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, file: string): number {
  const alignment = metadata.get('general.alignment') ?? 32;
  if (
    typeof alignment !== 'number' ||
    alignment < 1 ||
    alignment > LIMITS.alignment ||
    (alignment & (alignment - 1)) !== 0
  )
    throw errors.header(file, '"general.alignment" is no power of two');
  return alignment;
}

interface Entry {
  readonly name: string;
  readonly extents: readonly number[];
  readonly type: number;
  readonly offset: number | bigint;
}

function readEntry(cursor: Cursor, file: string): Entry {
  const name = cursor.text(LIMITS.nameBytes);
  const dimensions = cursor.u32();
  if (dimensions > 4) throw errors.tensor(file, name, `it has ${dimensions} dimensions; 4 are possible`);
  const extents = Array.from({ length: dimensions }, () => {
    const extent = cursor.u64();
    if (typeof extent === 'bigint' || extent < 1) throw errors.tensor(file, name, `it has the extent ${extent}`);
    return extent;
  });
  return { name, extents, type: cursor.u32(), offset: cursor.u64() };
}

function place(entry: Entry, start: number, alignment: number, fileBytes: number, file: string): GgufTensor {
  const { name, extents, offset } = entry;
  const type = tensorType(entry.type);
  const typeName = tensorTypeName(entry.type);
  if (typeof offset === 'bigint' || offset > fileBytes) throw errors.truncated(file);
  if (offset % alignment !== 0)
    throw errors.tensor(file, name, `it begins at ${offset}, which is not aligned to ${alignment}`);
  let elements = 1;
  for (const extent of extents) {
    elements *= extent;
    if (!Number.isSafeInteger(elements))
      throw errors.tensor(file, name, `its shape [${extents.join(', ')}] is too large`);
  }
  const row = extents[0] ?? 1;
  if (type !== undefined && row % type.elements !== 0)
    throw errors.tensor(file, name, `its rows of ${row} are no whole blocks of ${type.elements} (${typeName})`);
  const byteLength = type === undefined ? 0 : (elements / type.elements) * type.bytes;
  if (start + offset + byteLength > fileBytes) throw errors.truncated(file);
  return { name, shape: extents.toReversed(), type, typeName, offset: start + offset, byteLength };
}

/** Neither two of one name, nor two in one place. */
function refuseDoubles(tensors: readonly GgufTensor[], file: string): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw errors.tensor(file, name, 'it occurs twice');
    names.add(name);
  }
  let end = 0;
  for (const { name, offset, byteLength } of [...tensors].sort((a, b) => a.offset - b.offset)) {
    if (offset < end) throw errors.tensor(file, name, 'it overlaps the tensor before it');
    end = offset + byteLength;
  }
}

/** Runs `read` so that whatever else goes wrong in it leaves as an error about the file. */
export function guardedHeader(source: ByteSource, file: string, most?: number): GgufHeader {
  try {
    return parseGgufHeader(source, file, most);
  } catch (cause) {
    if (cause instanceof ColaError) throw cause;
    throw errors.cannotOpen(file, cause);
  }
}
