/** Writing safetensors files, one tensor at a time, so that the file appears completely or not at all. */
import type { FileHandle } from 'node:fs/promises';
import { writeAtomically } from './atomic.ts';
import { narrowBfloat16, narrowFloat16 } from './floats.ts';
import { asBytes, DTYPE_BYTES } from './safetensors.ts';

type Supplier<T> = T | (() => T | Promise<T>);

/** Formats that weights, which are float32 here, are saved in. */
export type SavedDtype = 'F32' | 'F16' | 'BF16';

/**
 * A tensor to be written. `data` is the elements in row-major order, or a function that is called when their turn
 * comes and whose result is let go afterwards, so that large models need not be in memory at once. F16 and BF16 are
 * narrowed from float32, to nearest, ties to even.
 */
export type TensorToWrite = { readonly name: string; readonly shape: readonly number[] } & (
  | { readonly dtype: SavedDtype; readonly data: Supplier<Float32Array> }
  | { readonly dtype: 'I32'; readonly data: Supplier<Int32Array> }
  | { readonly dtype: 'I64'; readonly data: Supplier<BigInt64Array> }
);

/** Elements converted at once. */
const CHUNK_ELEMENTS = 1 << 20;

/**
 * Writes a safetensors file atomically: into a temporary file in the same folder, forced to the disk, then renamed.
 * The header is padded to 8 bytes and wide elements come first, so every tensor is aligned to its element size.
 *
 * @param tensors in any order; names must differ
 * @param metadata free text for the header
 * @throws ColaError store.cannotWrite if the disk does not take it
 * @throws RangeError if a tensor's data does not have the length of its shape, or a name is used twice: a defect of the caller
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const ordered = [...tensors].sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  const header = makeHeader(ordered, metadata);
  await writeAtomically(path, async (handle) => {
    await writeFully(handle, header);
    for (const tensor of ordered) await writeTensor(handle, tensor);
  });
}

function makeHeader(tensors: readonly TensorToWrite[], metadata?: Readonly<Record<string, string>>): Uint8Array {
  const entries = new Map<string, unknown>();
  if (metadata !== undefined) entries.set('__metadata__', metadata);
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (entries.has(name) || name === '__metadata__') throw new RangeError(`the tensor name "${name}" is not free`);
    const end = offset + elements(shape) * DTYPE_BYTES[dtype];
    entries.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

async function writeTensor(handle: FileHandle, tensor: TensorToWrite): Promise<void> {
  const data = await (typeof tensor.data === 'function' ? tensor.data() : tensor.data);
  if (data.length !== elements(tensor.shape)) {
    throw new RangeError(`"${tensor.name}" has ${data.length} elements, not those of [${tensor.shape.join(', ')}]`);
  }
  const narrow = tensor.dtype === 'F16' ? narrowFloat16 : tensor.dtype === 'BF16' ? narrowBfloat16 : undefined;
  if (narrow === undefined || !(data instanceof Float32Array)) return writeFully(handle, asBytes(data));
  const half = new Uint16Array(Math.min(CHUNK_ELEMENTS, data.length));
  for (let first = 0; first < data.length; first += CHUNK_ELEMENTS) {
    const chunk = data.subarray(first, first + CHUNK_ELEMENTS);
    narrow(chunk, half);
    await writeFully(handle, asBytes(half.subarray(0, chunk.length)));
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
    done += bytesWritten;
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
