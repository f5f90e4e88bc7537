import type { Tensor } from 'onnxruntime-node';
import { isRange, type StoredPart } from '../graph/stored.ts';
import { type DType, elementSize, type Shape, size, type TensorData } from '../graph/tensor.ts';
import { discard } from './discard.ts';
import { deviceErrors } from './errors.ts';
import { ort } from './runtime.ts';

/** Counts what is alive, so that a test can prove that nothing leaks. */
export class Ledger {
  buffers = 0;
  bytes = 0;
  programs = 0;
}

/** Reads a tensor back that lives on an accelerator. */
export type Download = (tensor: Tensor, dtype: DType, shape: Shape) => Promise<TensorData>;

/**
 * A tensor that a device owns. It is counted: whoever keeps one calls {@link retain}, whoever is done calls
 * {@link release}; the memory goes with the last of them.
 */
export class DeviceBuffer {
  private references = 1;
  private readonly watching: (() => void)[] = [];

  constructor(
    readonly dtype: DType,
    readonly shape: Shape,
    private readonly tensor: Tensor,
    private readonly ledger: Ledger,
    /** Undefined when the data is in host memory. */
    private readonly download: Download | undefined,
    /** Told when the memory has gone. */
    private readonly freed: () => void = () => {},
  ) {
    ledger.buffers++;
    ledger.bytes += this.byteLength;
  }

  get byteLength(): number {
    return size(this.shape) * elementSize[this.dtype];
  }

  /** The runtime's handle, for a run. */
  get handle(): Tensor {
    if (this.references <= 0) throw deviceErrors.released(`A buffer of shape [${this.shape}]`);
    return this.tensor;
  }

  /** Whether the data is in host memory, where {@link host} reads it without a copy. */
  get onHost(): boolean {
    return this.download === undefined;
  }

  /** The live memory of a buffer on the host. */
  get host(): TensorData {
    if (this.download !== undefined) throw new Error('the buffer is not in host memory');
    return this.handle.data as TensorData;
  }

  /** The values, in host memory: without a copy where they are there already. */
  async read(): Promise<TensorData> {
    return this.download === undefined ? this.host : this.download(this.handle, this.dtype, this.shape);
  }

  /** {@link read}, for buffers known to hold float32. */
  async readFloats(): Promise<Float32Array> {
    const data = await this.read();
    if (!(data instanceof Float32Array)) throw new Error(`a ${this.dtype} buffer was read as float32`);
    return data;
  }

  /** {@link read}, for buffers known to hold int32. */
  async readInts(): Promise<Int32Array> {
    const data = await this.read();
    if (!(data instanceof Int32Array)) throw new Error(`a ${this.dtype} buffer was read as int32`);
    return data;
  }

  /** Whether anybody still has it. */
  get alive(): boolean {
    return this.references > 0;
  }

  /** Calls `gone` when its memory has gone. */
  whenGone(gone: () => void): void {
    this.watching.push(gone);
  }

  retain(): this {
    if (this.references <= 0) throw deviceErrors.released(`A buffer of shape [${this.shape}]`);
    this.references++;
    return this;
  }

  release(): void {
    if (this.references <= 0) throw deviceErrors.released(`A buffer of shape [${this.shape}]`);
    if (--this.references > 0) return;
    this.ledger.buffers--;
    this.ledger.bytes -= this.byteLength;
    this.tensor.dispose();
    this.freed();
    for (const gone of this.watching) gone();
  }
}

/** Bytes of memory that is left to the collection of garbage: to give it back costs more. */
export const smallCopy = 65536;
/** The same of all that would go together. */
const worthwhile = 2 ** 20;

/**
 * Releases buffers whose values nobody reads any more, not even those that were read before: memory on the host goes at once. A
 * collection of garbage would find it later, and until then every run takes new pages, which the system has to clear.
 */
export function giveBack(buffers: Iterable<DeviceBuffer>): void {
  const gone: ArrayBuffer[] = [];
  for (const buffer of buffers) {
    const data = buffer.onHost ? buffer.host : undefined;
    buffer.release();
    const { buffer: memory, byteLength } = data ?? {};
    if (buffer.alive || !(memory instanceof ArrayBuffer)) continue;
    if (byteLength === memory.byteLength && byteLength > smallCopy) gone.push(memory);
  }
  if (gone.reduce((bytes, { byteLength }) => bytes + byteLength, 0) >= worthwhile) discard(gone);
}

/**
 * Wraps a part of a stored weight as a runtime tensor, without a copy.
 *
 * Half precision is given as bit patterns. Where JavaScript has a `Float16Array` (node 24, the node of newer editors) the runtime
 * makes one of them, and its own native side does not know that kind: it finds an array of no bytes. So it is shown the patterns.
 */
export function storedTensor({ name, dtype, data, shape }: StoredPart): Tensor {
  if (isRange(data)) throw new Error(`${name} lies in a file, and is part of the program`);
  const tensor = new ort.Tensor(dtype, data, shape);
  if (dtype === 'float16') Object.defineProperty(tensor, 'data', { value: data });
  return tensor;
}

/** Wraps host memory as a runtime tensor, without a copy. */
export function hostTensor(data: TensorData, dtype: DType, shape: Shape): Tensor {
  return new ort.Tensor(dtype, data, shape);
}
