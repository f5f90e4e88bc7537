/** Writing GGUF files of version 3, one tensor at a time, so that the file appears completely or not at all. */
import type { FileHandle } from 'node:fs/promises';
import { writeAtomically } from '../../files/atomic.ts';
import { type ReadType, tensorTypeId } from './types.ts';

/** A value of the metadata; numbers say which kind they are. */
export type Written =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly flag: boolean }
  | { readonly flags: readonly boolean[] }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };

export interface TensorToWrite {
  readonly name: string;
  /** As PyTorch has it. */
  readonly shape: readonly number[];
  readonly type: ReadType;
  /** The bytes in order, in pieces of any length; called once when their turn comes. */
  readonly pieces: () => Iterable<Uint8Array>;
}

const ALIGNMENT = 32;
const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** @throws ColaError store.cannotWrite */
export async function writeGgufFile(
  path: string,
  metadata: ReadonlyMap<string, Written>,
  tensors: readonly TensorToWrite[],
): Promise<void> {
  let offset = 0;
  const entries = tensors.map(({ name, shape, type }) => {
    const byteLength = (shape.reduce((n, extent) => n * extent, 1) / type.elements) * type.bytes;
    const begin = offset;
    offset = aligned(begin + byteLength);
    const extents = shape.toReversed().map(u64);
    return Buffer.concat([text(name), u32(extents.length), ...extents, u32(tensorTypeId(type.name)), u64(begin)]);
  });
  const pairs = [...metadata].map(([key, value]) => Buffer.concat([text(key), encoded(value)]));
  const counts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(pairs.length)];
  await writeAtomically(path, async (handle) => {
    await writePadded(handle, [Buffer.concat([...counts, ...pairs, ...entries])]);
    for (const { pieces } of tensors) await writePadded(handle, pieces());
  });
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}

const numbers = (values: Float32Array | Int32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** A value behind the number of its kind. */
function encoded(value: Written): Buffer {
  if ('u32' in value) return Buffer.concat([u32(4), u32(value.u32)]);
  if ('f32' in value) return Buffer.concat([u32(6), numbers(Float32Array.of(value.f32))]);
  if ('flag' in value) return Buffer.concat([u32(7), Buffer.from([value.flag ? 1 : 0])]);
  if ('text' in value) return Buffer.concat([u32(8), text(value.text)]);
  if ('texts' in value) return Buffer.concat([u32(9), u32(8), u64(value.texts.length), ...value.texts.map(text)]);
  if ('flags' in value)
    return Buffer.concat([u32(9), u32(7), u64(value.flags.length), Buffer.from(value.flags.map(Number))]);
  const isFloats = 'f32s' in value;
  const values = isFloats ? Float32Array.from(value.f32s) : Int32Array.from(value.i32s);
  return Buffer.concat([u32(9), u32(isFloats ? 6 : 5), u64(values.length), numbers(values)]);
}

async function writePadded(handle: FileHandle, pieces: Iterable<Uint8Array>): Promise<void> {
  let length = 0;
  for (const piece of pieces) {
    for (let done = 0; done < piece.byteLength; ) {
      const { bytesWritten } = await handle.write(piece, done, Math.min(piece.byteLength - done, 1 << 30));
      done += bytesWritten;
    }
    length += piece.byteLength;
  }
  if (aligned(length) > length) await handle.write(Buffer.alloc(aligned(length) - length));
}
