/** The weights of a model in training: in host memory, and on the device that computes. */
import type { Device } from '../../device/device.ts';
import { State } from '../../device/program.ts';
import type { TensorToWrite } from '../../files/safetensors-writer.ts';
import { type WeightMap, weightOf } from '../../model/language-model.ts';
import type { SharedWeights } from '../../model/weights/shelf.ts';
import type { ExpectedTensor } from '../../model/weights/weights.ts';

export class DeviceWeights {
  readonly state = new State();
  private readonly shapes = new Map<string, readonly number[]>();
  /** The host memory each tensor came from. */
  private readonly sources = new Map<string, Float32Array>();

  constructor(private readonly device: Device) {}

  /**
   * Takes weights to the device. On the CPU they stay where they are, and training writes through them. What is there
   * already stays as it is, unless a tensor of that name comes from other memory: then a module has been made anew.
   *
   * @param others knows whose memory others may have too: it is never written, and is on the device once for all
   */
  async add(weights: WeightMap, tensors: readonly ExpectedTensor[], others?: SharedWeights): Promise<void> {
    for (const { name, shape } of tensors) {
      const source = weightOf(weights, name);
      if (this.sources.get(name) === source) continue;
      this.sources.set(name, source);
      this.shapes.set(name, shape);
      const buffer =
        others?.has(name) === true
          ? await this.device.hold(source, shape)
          : await this.device.upload(source, 'float32', shape);
      this.state.set(name, buffer);
    }
  }

  /** Whether there is a tensor of that name and shape. */
  has(name: string, shape: readonly number[]): boolean {
    return this.shapes.get(name)?.join() === shape.join();
  }

  /** Replaces the values of one tensor. */
  async write(name: string, values: Float32Array): Promise<void> {
    const shape = this.shapeOf(name);
    if (this.device.onHost) (this.state.get(name).host as Float32Array).set(values);
    else this.state.set(name, await this.device.upload(values, 'float32', shape));
  }

  /** The values of one tensor: on the CPU the live memory, elsewhere a copy. */
  read(name: string): Promise<Float32Array> {
    return this.state.get(name).readFloats();
  }

  /** Brings the named weights that were trained elsewhere back into host memory; names that `weights` lacks are passed over. */
  async download(weights: WeightMap, names: Iterable<string>): Promise<void> {
    if (this.device.onHost) return;
    for (const name of names) weights.get(name)?.set(await this.read(name));
  }

  /** The named tensors as a checkpoint takes them. */
  entries(names: Iterable<string>): TensorToWrite[] {
    return [...names].map((name) => ({ name, shape: this.shapeOf(name), dtype: 'F32', data: () => this.read(name) }));
  }

  private shapeOf(name: string): readonly number[] {
    const shape = this.shapes.get(name);
    if (shape === undefined) throw new Error(`no weight ${name}`);
    return shape;
  }

  dispose(): void {
    this.state.dispose();
  }
}
