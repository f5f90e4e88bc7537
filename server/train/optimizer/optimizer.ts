/**
 * One compiled training step: forward, backward and AdamW for a chosen set of parameters. On the CPU gradients are
 * written into fixed memory and the update is a loop; on a device that keeps tensors, weights, gradients and moments
 * stay there and only scalars come back.
 */
import type { DeviceBuffer } from '../../device/buffer.ts';
import type { Device } from '../../device/device.ts';
import { type Feed, type Program, State } from '../../device/program.ts';
import { ShapedPrograms } from '../../device/shaped-programs.ts';
import { gradient } from '../../graph/gradient.ts';
import * as ops from '../../graph/ops.ts';
import { type Shape, size, type Tensor } from '../../graph/tensor.ts';
import { trainErrors } from '../errors.ts';
import {
  AdamWMemory,
  type AdamWSettings,
  type AdamWStep,
  adamw,
  adamwOps,
  coefficients,
  sumOfSquares,
} from './adamw.ts';
import { CrossingMemory } from './chain.ts';
import { type Sharing, type StepOutputs, StepProgram } from './step-program.ts';

/** The loss of a stage as a graph. */
export interface Objective {
  /** Shape []. */
  readonly loss: Tensor;
  /** Further outputs that come to the host with every micro-batch. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
}

export interface OptimizerOptions extends AdamWSettings {
  /** Largest global norm of the gradients; Infinity for none. */
  readonly clipNorm: number;
  /** Which parameters weight decay applies to. */
  readonly decays: (name: string, shape: Shape) => boolean;
}

export interface StepResult {
  /** Mean over the micro-batches. */
  readonly loss: number;
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number;
  /** One entry per micro-batch. */
  readonly metrics: readonly Readonly<Record<string, Float32Array | Int32Array>>[];
}

/** Matrices decay, norms and biases do not. */
export const matricesDecay = (_name: string, shape: Shape) => shape.length > 1;

/** Tensors by name for a checkpoint. */
export type NamedTensors = ReadonlyMap<string, { shape: Shape; data: Float32Array }>;

interface Weight {
  readonly name: string;
  readonly shape: Shape;
}

interface Trained extends Weight {
  readonly decay: boolean;
}

/** State names: moments and gradients stand beside the weight's own name. */
const firstName = (name: string) => `first.${name}`;
const secondName = (name: string) => `second.${name}`;
export const gradientName = (name: string) => `grad.${name}`;

export class Optimizer {
  private updates = 0;
  private readonly moments = new State();
  private readonly sums = new State();
  private readonly memory = new CrossingMemory();

  private constructor(
    private readonly device: Device,
    private readonly weights: State,
    private readonly others: readonly State[],
    private readonly trained: readonly Trained[],
    private readonly options: OptimizerOptions,
    /** The update: a program on the device, or a loop over memory of the host. */
    private readonly adamw: Program | AdamWMemory,
    private readonly sharing: Sharing,
    private readonly programs: ShapedPrograms<StepProgram>,
  ) {}

  /**
   * @param objective the loss; undefined where every step names one of the {@link prepare | prepared} variants
   * @param trainable names of the parameters to train; each must occur in the loss
   * @param weights where the trained parameters are, and are updated
   * @param frozen further states with parameters of the graph that do not change
   * @param sharing who else computes on the device
   * @param programs where those of the losses are kept
   */
  static async create(
    device: Device,
    objective: Objective | undefined,
    trainable: readonly string[],
    weights: State,
    frozen: readonly State[],
    options: OptimizerOptions,
    sharing: Sharing = {},
    programs = new ShapedPrograms<StepProgram>(device.onHost ? undefined : Number.POSITIVE_INFINITY),
  ): Promise<Optimizer> {
    const trained = trainable.map((name) => {
      const { shape } = weights.get(name);
      return { name, shape, decay: options.decays(name, shape) };
    });
    const floats = trained.reduce((sum, { shape }) => sum + size(shape), 0);
    // Room for gradients and moments, each array rounded up to four.
    const room = 3 * (floats + 4 * trained.length);
    const update = device.onHost ? new AdamWMemory(room) : await compileUpdate(device, trained, options);
    const optimizer = new Optimizer(device, weights, frozen, trained, options, update, sharing, programs);
    if (objective !== undefined) await optimizer.prepare('', () => objective);
    for (const { name, shape } of trained) {
      const zeros = () => {
        const values = update instanceof AdamWMemory ? update.floats(size(shape)) : new Float32Array(size(shape));
        return device.upload(values, 'float32', shape);
      };
      optimizer.sums.set(gradientName(name), await zeros());
      optimizer.moments.set(firstName(name), await zeros());
      optimizer.moments.set(secondName(name), await zeros());
    }
    return optimizer;
  }

  /** Compiles the same loss for other shapes: once, unless it has to give way to yet others before it comes again. */
  async prepare(variant: string, build: () => Objective): Promise<void> {
    if (this.programs.find(variant) !== undefined) return;
    const { device, memory, sharing } = this;
    const program = new StepProgram(device, stepOutputs(device, build(), this.trained), memory, sharing);
    // What others hold goes before it takes its own.
    await this.programs.keep(variant, program, () => program.bytes);
    await program.prepare();
  }

  /**
   * One update from one or more micro-batches of equal weight.
   *
   * @param variant which of the prepared losses the micro-batches are for
   * @throws train.diverged when loss or gradients are not finite; the weights are then unchanged
   */
  async step(
    batches: readonly Readonly<Record<string, Feed>>[],
    learningRate: number,
    variant = '',
  ): Promise<StepResult> {
    const compiled = this.programs.find(variant);
    if (compiled === undefined) throw new Error(`the loss ${variant} is not prepared`);
    let loss = 0;
    let squares = 0;
    const metrics: Record<string, Float32Array | Int32Array>[] = [];
    for (const [i, feeds] of batches.entries()) {
      if (i > 0) await this.sharing.turn?.();
      const result = this.device.onHost
        ? await this.hostBatch(compiled, feeds, i)
        : await this.deviceBatch(compiled, feeds, i);
      loss += result.loss / batches.length;
      squares = result.squares;
      metrics.push(result.metrics);
    }
    if (this.device.onHost && batches.length > 1) {
      squares = this.trained.reduce(
        (n, { name }) => n + sumOfSquares(this.hostArray(this.sums, gradientName(name))),
        0,
      );
    }
    return { loss, gradientNorm: await this.descend(loss, squares, batches.length, learningRate), metrics };
  }

  /**
   * One update from gradients that were computed elsewhere; see {@link Gradients}.
   *
   * @param gradients in the order of the trained weights
   * @returns their global norm before clipping
   * @throws train.diverged as {@link step}
   */
  async update(gradients: readonly Float32Array[], loss: number, learningRate: number): Promise<number> {
    let squares = 0;
    for (const [i, { name, shape }] of this.trained.entries()) {
      squares += sumOfSquares(gradients[i]);
      const key = gradientName(name);
      if (this.device.onHost) this.hostArray(this.sums, key).set(gradients[i]);
      else this.sums.set(key, await this.device.upload(gradients[i].slice(), 'float32', shape));
    }
    return this.descend(loss, squares, 1, learningRate);
  }

  /** The gradients of nothing, in the order of the trained weights. */
  zeros(): Float32Array[] {
    return this.trained.map(({ shape }) => new Float32Array(size(shape)));
  }

  /** @returns the global norm of the gradients before clipping */
  private async descend(loss: number, squares: number, batches: number, learningRate: number): Promise<number> {
    const gradientNorm = Math.sqrt(squares) / batches;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
      throw trainErrors.diverged(this.updates + 1, loss, gradientNorm);
    const clip = gradientNorm > this.options.clipNorm ? this.options.clipNorm / (gradientNorm + 1e-6) : 1;
    this.updates++;
    await this.apply({ learningRate, scale: clip / batches, update: this.updates });
    return gradientNorm;
  }

  private async hostBatch(compiled: StepProgram, feeds: Readonly<Record<string, Feed>>, index: number) {
    // Later micro-batches go to memory of their own first, and are added.
    const into: Record<string, Float32Array> = {};
    for (const { name, shape } of this.trained) {
      const key = gradientName(name);
      into[key] = index === 0 ? this.hostArray(this.sums, key) : new Float32Array(size(shape));
    }
    const { squares, ...outputs } = await compiled.run(feeds, { states: [this.weights, ...this.others], into });
    if (index > 0) {
      for (const [key, part] of Object.entries(into)) {
        const sum = this.hostArray(this.sums, key);
        for (let i = 0; i < sum.length; i++) sum[i] += part[i];
      }
    }
    return { ...(await scalars(compiled, outputs)), squares: await scalarOf(squares) };
  }

  private async deviceBatch(compiled: StepProgram, feeds: Readonly<Record<string, Feed>>, index: number) {
    const given = { ...feeds, micro_batch: Int32Array.of(index) };
    const { squares, ...outputs } = await compiled.run(given, {
      states: [this.sums, this.weights, ...this.others],
    });
    return { ...(await scalars(compiled, outputs)), squares: await scalarOf(squares) };
  }

  private async apply(step: AdamWStep): Promise<void> {
    const { adamw: update } = this;
    if (update instanceof AdamWMemory) {
      let since = performance.now();
      for (const { name, decay } of this.trained) {
        if (performance.now() - since > updateStretch) {
          await this.sharing.turn?.();
          since = performance.now();
        }
        const array = (state: State, key: string) => this.hostArray(state, key);
        const arrays = {
          weights: array(this.weights, name),
          gradients: array(this.sums, gradientName(name)),
          first: array(this.moments, firstName(name)),
          second: array(this.moments, secondName(name)),
        };
        adamw(arrays, this.options, step, decay, update);
      }
      return;
    }
    const { keep, rate, correction } = coefficients(this.options, step, true);
    const scalars = { scale: step.scale, keep, rate, correction };
    const feeds = Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, Float32Array.of(value)]));
    await update.run(feeds, { states: [this.sums, this.moments, this.weights] });
  }

  private hostArray(state: State, name: string): Float32Array {
    return state.get(name).host as Float32Array;
  }

  /** Moments by name, and the number of updates: with the weights, all that a resumed run needs. */
  async save(): Promise<{ tensors: NamedTensors; updates: number }> {
    const tensors = new Map<string, { shape: Shape; data: Float32Array }>();
    for (const { name, shape } of this.trained) {
      for (const key of [firstName(name), secondName(name)]) {
        tensors.set(key, { shape, data: await this.moments.get(key).readFloats() });
      }
    }
    return { tensors, updates: this.updates };
  }

  async restore(tensors: NamedTensors, updates: number): Promise<void> {
    this.updates = updates;
    for (const { name, shape } of this.trained) {
      for (const key of [firstName(name), secondName(name)]) {
        const saved = tensors.get(key);
        if (saved === undefined || saved.data.length !== size(shape)) throw trainErrors.checkpointMismatch(key);
        if (this.device.onHost) this.hostArray(this.moments, key).set(saved.data);
        else this.moments.set(key, await this.device.upload(saved.data.slice(), 'float32', shape));
      }
    }
  }

  async dispose(): Promise<void> {
    this.moments.dispose();
    this.sums.dispose();
    await this.programs.dispose();
    if (!(this.adamw instanceof AdamWMemory)) await this.adamw.dispose();
  }
}

/** Milliseconds of the update on the host between two turns. */
const updateStretch = 20;

/** Loss, metrics and gradients as outputs of one graph. */
export function stepOutputs(device: Device, objective: Objective, trained: readonly Weight[]): StepOutputs {
  const { graph } = objective.loss;
  const parameters = trained.map(({ name }) => {
    const parameter = graph.parameters.get(name);
    if (parameter === undefined) throw new Error(`the loss does not contain ${name}`);
    return parameter;
  });
  const gradients = gradient(objective.loss, parameters);
  const metrics = objective.metrics ?? {};
  const outputs: Record<string, Tensor> = { loss: objective.loss, ...metrics };
  const carried: string[] = [];
  // The first micro-batch of a step replaces the sum, the others add to it. On the host the addition is a loop.
  const first = device.onHost ? undefined : ops.equal(graph.input('micro_batch', 'int32', []), 0);
  let squares = graph.scalar(0);
  for (const [i, { name, shape }] of trained.entries()) {
    let total = gradients[i];
    if (first !== undefined) {
      const before = graph.input(gradientName(name), 'float32', shape);
      // Chosen, not multiplied: after a step that diverged the sum holds NaN, and 0 NaN is NaN.
      total = ops.where(first, total, ops.add(before, total));
      carried.push(gradientName(name));
    }
    outputs[gradientName(name)] = total;
    squares = ops.add(squares, ops.sumOfSquares(total));
  }
  outputs.squares = squares;
  const into = device.onHost ? trained.map(({ name }) => gradientName(name)) : [];
  return { outputs, carried, into, metricNames: Object.keys(metrics) };
}

/** The value of a buffer of one element, which is released. */
export async function scalarOf(buffer: DeviceBuffer): Promise<number> {
  const [value] = await buffer.readFloats();
  buffer.release();
  return value;
}

/** Loss and metrics of a micro-batch, on the host. */
export async function scalars({ metricNames }: StepProgram, outputs: Awaited<ReturnType<Program['run']>>) {
  const [loss] = await outputs.loss.readFloats();
  const metrics: Record<string, Float32Array | Int32Array> = {};
  for (const name of metricNames) metrics[name] = (await outputs[name].read()) as Float32Array | Int32Array;
  for (const buffer of Object.values(outputs)) buffer.release();
  return { loss, metrics };
}

/** The AdamW update of all tensors as one program. */
function compileUpdate(device: Device, trained: readonly Trained[], settings: AdamWSettings): Promise<Program> {
  const graph = device.graph();
  const scalar = (name: string) => graph.input(name, 'float32', []);
  const scalars = {
    scale: scalar('scale'),
    keep: scalar('keep'),
    rate: scalar('rate'),
    correction: scalar('correction'),
  };
  const outputs: Record<string, Tensor> = {};
  for (const { name, shape, decay } of trained) {
    const input = (key: string) => graph.input(key, 'float32', shape);
    const [weights, first, second] = [input(name), input(firstName(name)), input(secondName(name))];
    const keep = decay ? scalars.keep : graph.scalar(1);
    const next = adamwOps(weights, input(gradientName(name)), first, second, settings, { ...scalars, keep });
    outputs[name] = next.weights;
    outputs[firstName(name)] = next.first;
    outputs[secondName(name)] = next.second;
  }
  return device.compile(outputs, { carried: Object.keys(outputs) });
}
