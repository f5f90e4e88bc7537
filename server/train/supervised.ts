/** What stages with a plain loss on batches of sequences share: the optimiser, its schedule, the data and the held-out loss. */
import { z } from 'zod';
import type { Program } from '../device/program.ts';
import type { Graph } from '../graph/tensor.ts';
import type { Checkpoint } from '../store/checkpoint.ts';
import { matricesDecay, type Objective, Optimizer, type StepResult } from './optimizer/optimizer.ts';
import { learningRate } from './optimizer/schedule.ts';
import { namedTensors, toWrite } from './run/checkpointing.ts';
import { recomputes } from './run/recompute.ts';
import { OwnShards } from './shards/own-shards.ts';
import { cut, type Shards } from './shards/shards.ts';
import { type BatchShape, batchResults, type Learning, packedFeeds, SupervisedWork } from './shards/supervised-work.ts';
import type { Evaluation, Metrics, Stage, StageContext, StageState, StepOutcome } from './stage.ts';

const savedStage = z.looseObject({ stage: z.looseObject({ updates: z.int(), data: z.unknown() }) });

/** Feeds of one micro-batch by input name. */
export type Feeds = Readonly<Record<string, Int32Array | Float32Array | BigInt64Array>>;

/** What a program gives for one micro-batch, by name. */
type BatchOutputs = Record<string, Float32Array | Int32Array>;

/** Held-out batches, behind the first one, that say how long all of them take. */
const timedBatches = 2;

/** Where micro-batches come from, with a state that can be saved. */
export interface BatchSource {
  /** Feeds of the next micro-batch. */
  next(): Feeds | Promise<Feeds>;
  readonly state: unknown;
  restore(state: unknown): void;
}

/** Settings of AdamW as the spec names them. */
export interface OptimisationSettings {
  readonly learning_rate?: number | undefined;
  readonly warmup: number;
  readonly floor: number;
  readonly weight_decay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly clip: number;
}

export interface SupervisedPlan {
  readonly name: string;
  readonly steps: number;
  /** Micro-batches of a step. */
  readonly accumulate: number;
  readonly settings: OptimisationSettings & {
    readonly checkpoint_every: number;
    readonly evaluate_every: number;
  };
  /** The loss of a micro-batch. */
  readonly learning: Learning;
  readonly shape: BatchShape;
  /** Names without weight decay beside norms and biases. */
  readonly undecayed?: readonly string[];
  /** The loss on a held-out micro-batch, without noise where the stage has any. */
  measured(graph: Graph): Objective;
  readonly batches: BatchSource;
  /** Feeds of the held-out batches; always the same. */
  readonly heldOut: readonly Feeds[];
  /** Texts in a row; one, if not given. */
  readonly texts?: number;
  /** Turns the outputs of the micro-batches into metrics. */
  readonly metrics: (outputs: readonly Readonly<BatchOutputs>[], heldOut: boolean) => Metrics;
  /** Closes what the batches come from. */
  readonly close?: () => void | Promise<void>;
}

export const adamWOptions = (settings: OptimisationSettings, undecayed: readonly string[] = []) => ({
  beta1: settings.beta1,
  beta2: settings.beta2,
  epsilon: 1e-8,
  weightDecay: settings.weight_decay,
  clipNorm: settings.clip,
  decays: (name: string, shape: readonly number[]) => matricesDecay(name, shape) && !undecayed.includes(name),
});

export class SupervisedStage implements Stage {
  private heldOutProgram: Program | undefined;

  private constructor(
    private readonly context: StageContext,
    private readonly plan: SupervisedPlan,
    private readonly optimizer: Optimizer,
    private readonly shards: Shards | undefined,
  ) {}

  static async create(context: StageContext, plan: SupervisedPlan): Promise<SupervisedStage> {
    const { learning, accumulate, shape: detail } = plan;
    const { device, sharding } = context;
    const { trained } = learning;
    const build = (graph: Graph) => learning.objective(graph);
    const whole = () => {
      const recompute = recomputes(learning.checkpoint, device, trained, accumulate, build);
      return build(device.graph({ recompute }));
    };
    const objective = sharding === undefined ? whole() : undefined;
    const { state } = context.weights;
    const options = adamWOptions(plan.settings, plan.undecayed);
    const optimizer = await Optimizer.create(device, objective, trained, state, [], options, context);
    const own = () => new OwnShards(new SupervisedWork(context, learning));
    const shards = sharding === undefined ? undefined : (sharding.open?.({ learned: trained, detail }) ?? own());
    return new SupervisedStage(context, plan, optimizer, shards);
  }

  get name(): string {
    return this.plan.name;
  }
  get steps(): number {
    return this.plan.steps;
  }
  get checkpointEvery(): number {
    return this.plan.settings.checkpoint_every;
  }
  get evaluateEvery(): number {
    return this.plan.settings.evaluate_every;
  }
  get trained(): readonly string[] {
    return this.plan.learning.trained;
  }

  async step(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const { plan } = this;
    const { settings } = plan;
    const rate = learningRate(
      { peak: settings.learning_rate, warmupSteps: settings.warmup, steps: plan.steps, floor: settings.floor },
      index,
    );
    const { state } = plan.batches;
    const batches: Feeds[] = [];
    const { shards } = this;
    const made = async () => {
      while (batches.length < plan.accumulate) batches.push(await plan.batches.next());
      if (shards === undefined) return this.optimizer.step(batches, rate);
      return this.inShards(shards, index, batches, rate, signal);
    };
    const result = await made().catch((error: unknown) => {
      plan.batches.restore(state);
      throw error;
    });
    const own = plan.metrics(result.metrics, false);
    const { rows, length } = plan.shape;
    const tokens = (plan.texts ?? 1) * rows * length * plan.accumulate;
    const figures = { loss: result.loss, gradient_norm: result.gradientNorm, learning_rate: rate, tokens, ...own };
    return { metrics: { ...figures, ...shards?.figures() } };
  }

  private async inShards(
    shards: Shards,
    round: number,
    batches: readonly Feeds[],
    rate: number,
    signal: AbortSignal,
  ): Promise<StepResult> {
    const parts = cut(batches, this.context.sharding?.count ?? 1);
    await shards.begin(round, parts.map(packedFeeds), (value) => z.null().parse(value), signal);
    const shares = parts.map(() => 1 / batches.length);
    const { values, gradients, release } = await shards.sum({ round, part: null, shares, gradients: true });
    const results = values.flatMap(({ value }) => batchResults(value));
    const loss = results.reduce((sum, each) => sum + each.loss / batches.length, 0);
    const gradientNorm = await this.optimizer.update(gradients, loss, rate);
    release();
    return { loss, gradientNorm, metrics: results.map(({ metrics }) => metrics) };
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    const { plan } = this;
    const outputs = await this.measure(plan.heldOut, signal);
    const loss = outputs.reduce((sum, { loss }) => sum + loss[0], 0) / plan.heldOut.length;
    return { metrics: { held_out_loss: loss, ...plan.metrics(outputs, true) }, score: -loss };
  }

  async timeEvaluation(signal: AbortSignal): Promise<number> {
    const { heldOut } = this.plan;
    const seconds = async (batches: readonly Feeds[]) => {
      const started = performance.now();
      await this.measure(batches, signal);
      return (performance.now() - started) / 1000;
    };
    // The first one compiles the program.
    const first = await seconds(heldOut.slice(0, 1));
    const few = heldOut.slice(1, 1 + timedBatches);
    return few.length === 0 ? first : first + ((await seconds(few)) / few.length) * (heldOut.length - 1);
  }

  private async measure(batches: readonly Feeds[], signal: AbortSignal): Promise<BatchOutputs[]> {
    const { plan, context } = this;
    if (this.heldOutProgram === undefined) {
      const { loss, metrics } = plan.measured(context.device.graph());
      this.heldOutProgram = await context.device.compile({ loss, ...metrics });
    }
    const outputs: BatchOutputs[] = [];
    for (const feeds of batches) {
      await context.turn?.();
      signal.throwIfAborted();
      const results = await this.heldOutProgram.run(feeds, { states: [context.weights.state] });
      const values: BatchOutputs = {};
      for (const [name, buffer] of Object.entries(results)) {
        values[name] = (await buffer.read()) as Float32Array | Int32Array;
        buffer.release();
      }
      outputs.push(values);
    }
    return outputs;
  }

  async save(): Promise<StageState> {
    const { tensors, updates } = await this.optimizer.save();
    return { tensors: toWrite(tensors), state: { updates, data: this.plan.batches.state } };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const { stage } = checkpoint.state(savedStage);
    await this.optimizer.restore(namedTensors(checkpoint, 'optimiser'), stage.updates);
    this.plan.batches.restore(stage.data);
  }

  async dispose(): Promise<void> {
    await this.plan.close?.();
    await this.shards?.close();
    await this.optimizer.dispose();
    await this.heldOutProgram?.dispose();
  }
}
