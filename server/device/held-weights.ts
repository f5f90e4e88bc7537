/**
 * Weights that programs of one device share: each is on the device once, for as long as a program uses it. Which ones are the same
 * is told by their memory, so that a model that is loaded once is there once, however many programs read it.
 */
import { inputName } from '../graph/onnx.ts';
import type { Shape, Tensor } from '../graph/tensor.ts';
import type { DeviceBuffer } from './buffer.ts';

/** The shared weights of one program, by the name of its input. */
export interface Held {
  get(name: string): DeviceBuffer | undefined;
  /** The program has ended. */
  release(): void;
}

export class HeldWeights {
  private readonly buffers = new Map<Float32Array, { readonly buffer: Promise<DeviceBuffer>; users: number }>();

  constructor(private readonly upload: (values: Float32Array, shape: Shape) => Promise<DeviceBuffer>) {}

  /** Takes the weights that are among the inputs of a program. */
  async take(inputs: readonly Tensor[], weights: ReadonlyMap<string, Float32Array>): Promise<Held> {
    const taken = new Map<string, DeviceBuffer>();
    const sources: Float32Array[] = [];
    const release = () => {
      for (const source of sources.splice(0)) this.drop(source);
    };
    try {
      for (const input of inputs) {
        const name = inputName(input);
        const values = weights.get(name);
        if (values === undefined) continue;
        const entry = this.buffers.get(values) ?? { buffer: this.upload(values, input.shape), users: 0 };
        entry.users++;
        this.buffers.set(values, entry);
        sources.push(values);
        taken.set(name, await entry.buffer);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { get: (name) => taken.get(name), release };
  }

  private drop(values: Float32Array): void {
    const entry = this.buffers.get(values);
    if (entry === undefined || --entry.users > 0) return;
    this.buffers.delete(values);
    void entry.buffer.then(
      (buffer) => buffer.release(),
      () => {},
    );
  }
}
