import type * as ort from 'onnxruntime-node';
import { inputName, outputName } from '../graph/onnx.ts';
import type { Tensor, TensorData } from '../graph/tensor.ts';
import { DeviceBuffer, type Download, giveBack, hostTensor, type Ledger, smallCopy } from './buffer.ts';
import { discard } from './discard.ts';
import { deviceErrors } from './errors.ts';
import type { Held } from './held-weights.ts';
import { KeptHeap } from './kept-heap.ts';

/** A value for a run: a buffer of the device, or host memory of the input's type and size. */
export type Feed = DeviceBuffer | TensorData;

/**
 * Tensors that live on the device from run to run and are replaced by a program's outputs of the same names: weights,
 * moments, key-value caches. In host memory they are updated in place.
 */
export class State {
  private readonly buffers = new Map<string, DeviceBuffer>();

  get names(): IterableIterator<string> {
    return this.buffers.keys();
  }

  has(name: string): boolean {
    return this.buffers.has(name);
  }

  get(name: string): DeviceBuffer {
    const buffer = this.buffers.get(name);
    if (buffer === undefined) throw new Error(`no state named ${name}`);
    return buffer;
  }

  /** Takes over `buffer`; what was there under that name is released. */
  set(name: string, buffer: DeviceBuffer): void {
    const before = this.buffers.get(name);
    if (before === buffer) return;
    before?.release();
    this.buffers.set(name, buffer);
  }

  dispose(): void {
    for (const buffer of this.buffers.values()) buffer.release();
    this.buffers.clear();
  }

  /** {@link dispose}, where nobody has the memory of a buffer otherwise. */
  giveBack(): void {
    giveBack(this.buffers.values());
    this.buffers.clear();
  }
}

export interface RunOptions {
  /** Where inputs are looked up that are not among the feeds, and where carried outputs go. */
  readonly states?: readonly State[];
  /** Host memory that receives outputs: in place on the CPU, by a copy elsewhere. */
  readonly into?: Readonly<Record<string, TensorData>>;
}

/** What a program is made of. */
export interface ProgramParts {
  readonly session: ort.InferenceSession;
  readonly inputs: readonly Tensor[];
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** Outputs that stay on the device; the others come to host memory. */
  readonly resident: ReadonlySet<string>;
  /** Outputs that replace the state they came from. */
  readonly carried: ReadonlySet<string>;
  readonly onHost: boolean;
  readonly ledger: Ledger;
  readonly download: Download | undefined;
  readonly deviceName: string;
  /** Weights that it shares with other programs. */
  readonly held?: Held | undefined;
  /** Inputs that are the same in every run: weights in their stored form. */
  readonly stored?: ReadonlyMap<string, ort.Tensor>;
}

/** A compiled graph. All outputs are computed in every run, in a fixed order. */
export class Program {
  private disposed = false;
  /**
   * Buffers on the device that this program made and that are alive. The runtime frees them through the session: one that
   * is freed, or even used, after its session crashes the process. So the session stays until the last of them.
   */
  private made = 0;
  private readonly heap = new KeptHeap();

  constructor(private readonly parts: ProgramParts) {
    parts.ledger.programs++;
  }

  /**
   * @returns the outputs that are not carried; each is the caller's to release
   * @throws the catalogued device errors
   */
  async run(feeds: Readonly<Record<string, Feed>>, options: RunOptions = {}): Promise<Record<string, DeviceBuffer>> {
    if (this.disposed) throw deviceErrors.released('A compiled program');
    const states = options.states ?? [];
    const given: Record<string, ort.Tensor> = Object.fromEntries(this.parts.stored ?? []);
    for (const input of this.parts.inputs) {
      const name = inputName(input);
      const feed = feeds[name] ?? this.parts.held?.get(name) ?? states.find((state) => state.has(name))?.get(name);
      if (feed === undefined) throw new Error(`the input ${name} [${input.shape}] is not given`);
      given[name] = feed instanceof DeviceBuffer ? feed.handle : hostTensor(feed, input.dtype, input.shape);
    }
    const fetches: Record<string, ort.Tensor | null> = {};
    for (const [name, tensor] of this.parts.outputs) {
      const into = options.into?.[name];
      const own = this.parts.carried.has(name) ? this.stateOf(states, name).get(name) : undefined;
      if (!this.parts.onHost) fetches[outputName(name)] = null;
      else if (own !== undefined) fetches[outputName(name)] = own.handle;
      else fetches[outputName(name)] = into === undefined ? null : hostTensor(into, tensor.dtype, tensor.shape);
    }
    let results: Awaited<ReturnType<ort.InferenceSession['run']>>;
    const faults = this.heap.before();
    try {
      results = await this.parts.session.run(given, fetches);
    } catch (cause) {
      throw runError(this.parts.deviceName, cause);
    }
    return this.collect(results, states, options.into, faults);
  }

  private collect(
    results: Awaited<ReturnType<ort.InferenceSession['run']>>,
    states: readonly State[],
    into: RunOptions['into'],
    faults: number | undefined,
  ): Record<string, DeviceBuffer> {
    const out: Record<string, DeviceBuffer> = {};
    if (this.parts.onHost) {
      const copies = this.copies(results, states, into);
      const bytes = copies.reduce((sum, { byteLength }) => sum + byteLength, 0);
      this.heap.after(faults, bytes);
      discard(copies);
    }
    for (const [name, tensor] of this.parts.outputs) {
      const result = results[outputName(name)];
      if (this.parts.carried.has(name)) {
        // On the host the state's own memory was written.
        if (!this.parts.onHost) this.stateOf(states, name).set(name, this.wrap(result, name, tensor));
        continue;
      }
      const target = into?.[name];
      if (target !== undefined) {
        if (!this.parts.onHost) (target as Float32Array).set(result.data as Float32Array);
        continue;
      }
      out[name] = this.wrap(result, name, tensor);
    }
    return out;
  }

  /**
   * What was written into memory that was given comes back a second time, as a copy. It would stay until the next collection
   * of garbage: another set of gradients with every step.
   */
  private copies(
    results: Readonly<Record<string, ort.Tensor>>,
    states: readonly State[],
    into: RunOptions['into'],
  ): ArrayBuffer[] {
    const copies: ArrayBuffer[] = [];
    for (const name of this.parts.outputs.keys()) {
      const given = this.parts.carried.has(name) ? this.stateOf(states, name).get(name).host : into?.[name];
      if (given === undefined) continue;
      const { buffer } = results[outputName(name)].data as Float32Array<ArrayBuffer>;
      if (buffer !== given.buffer && buffer.byteLength > smallCopy) copies.push(buffer);
    }
    return copies;
  }

  private wrap(result: ort.Tensor, name: string, tensor: Tensor): DeviceBuffer {
    const download = this.parts.resident.has(name) ? this.parts.download : undefined;
    if (download === undefined)
      return new DeviceBuffer(tensor.dtype, tensor.shape, result, this.parts.ledger, undefined);
    this.made++;
    return new DeviceBuffer(tensor.dtype, tensor.shape, result, this.parts.ledger, download, () => {
      this.made--;
      void this.releaseSession();
    });
  }

  private stateOf(states: readonly State[], name: string): State {
    const state = states.find((s) => s.has(name));
    if (state === undefined) throw new Error(`no state holds ${name}`);
    return state;
  }

  /** Ends the program. Its buffers on the device live on, and the ledger counts it until the last of them is released. */
  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    this.heap.release();
    await this.releaseSession();
  }

  private async releaseSession(): Promise<void> {
    if (!this.disposed || this.made > 0) return;
    this.parts.ledger.programs--;
    this.parts.held?.release();
    await this.parts.session.release();
  }
}

/** Sorts what the runtime says into the catalogue. */
export function runError(device: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (
    /out of memory|failed to allocate|bad_alloc|bad allocation|AllocateRawInternal|exceeds the max buffer/i.test(
      message,
    )
  ) {
    return deviceErrors.outOfMemory(device, cause);
  }
  return deviceErrors.failed(device, cause);
}
