/** The gradients of a loss without an update, for whoever adds those of several; see {@link Optimizer.update}. */
import type { Device } from '../../device/device.ts';
import { type Feed, State } from '../../device/program.ts';
import { type Shape, size } from '../../graph/tensor.ts';
import { CrossingMemory } from './chain.ts';
import { gradientName, type Objective, scalars, stepOutputs } from './optimizer.ts';
import { type Sharing, StepProgram } from './step-program.ts';

export interface GradientResult {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, Float32Array | Int32Array>>;
  /** In the order of the trained weights. The memory is that of the next call too. */
  readonly gradients: readonly Float32Array[];
}

export class Gradients {
  private readonly programs = new Map<string, StepProgram>();
  private readonly memory = new CrossingMemory();
  private readonly trained: readonly { readonly name: string; readonly shape: Shape }[];
  private readonly arrays: readonly Float32Array[];

  /** @param weights where the trained parameters are, by these names */
  constructor(
    private readonly device: Device,
    trainable: readonly string[],
    private readonly weights: State,
    private readonly sharing: Sharing = {},
  ) {
    this.trained = trainable.map((name) => ({ name, shape: weights.get(name).shape }));
    this.arrays = this.trained.map(({ shape }) => new Float32Array(size(shape)));
  }

  /** @param variant names the loss that `build` makes, which is compiled once */
  async of(feeds: Readonly<Record<string, Feed>>, variant: string, build: () => Objective): Promise<GradientResult> {
    const { device, weights, trained, arrays } = this;
    let program = this.programs.get(variant);
    if (program === undefined) {
      program = new StepProgram(device, stepOutputs(device, build(), trained), this.memory, this.sharing);
      this.programs.set(variant, program);
    }
    if (device.onHost) {
      const into = Object.fromEntries(trained.map(({ name }, i) => [gradientName(name), arrays[i]]));
      const { squares, ...outputs } = await program.run(feeds, { states: [weights], into });
      squares.release();
      return { ...(await scalars(program, outputs)), gradients: arrays };
    }
    const sums = new State();
    try {
      for (const [i, { name, shape }] of trained.entries())
        sums.set(gradientName(name), await device.upload(arrays[i].fill(0).slice(), 'float32', shape));
      const given = { ...feeds, micro_batch: Int32Array.of(0) };
      const { squares, ...outputs } = await program.run(given, { states: [sums, weights] });
      squares.release();
      for (const [i, { name }] of trained.entries()) arrays[i].set(await sums.get(gradientName(name)).readFloats());
      return { ...(await scalars(program, outputs)), gradients: arrays };
    } finally {
      sums.dispose();
    }
  }

  async dispose(): Promise<void> {
    for (const program of this.programs.values()) await program.dispose();
  }
}
