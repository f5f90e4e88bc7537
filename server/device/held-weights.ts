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
  private readonly buffers = new Map<Float32Array, Promise<DeviceBuffer>>();

  constructor(private readonly upload: (values: Float32Array, shape: Shape) => Promise<DeviceBuffer>) {}

  /** The buffer of memory that is never written; the caller releases it. */
  async hold(values: Float32Array, shape: Shape): Promise<DeviceBuffer> {
    for (let there = this.buffers.get(values); there !== undefined; there = this.buffers.get(values)) {
      const buffer = await there;
      // It may have gone while this one waited.
      if (buffer.alive) return buffer.retain();
    }
    const made = this.upload(values, shape);
    this.buffers.set(values, made);
    const forget = () => {
      if (this.buffers.get(values) === made) this.buffers.delete(values);
    };
    made.then((buffer) => buffer.whenGone(forget), forget);
    return made;
  }

  /** Takes the weights that are among the inputs of a program. */
  async take(inputs: readonly Tensor[], weights: ReadonlyMap<string, Float32Array>): Promise<Held> {
    const taken = new Map<string, DeviceBuffer>();
    const release = () => {
      for (const buffer of taken.values()) buffer.release();
      taken.clear();
    };
    try {
      for (const input of inputs) {
        const name = inputName(input);
        const values = weights.get(name);
        if (values !== undefined) taken.set(name, await this.hold(values, input.shape));
      }
    } catch (error) {
      release();
      throw error;
    }
    return { get: (name) => taken.get(name), release };
  }
}
