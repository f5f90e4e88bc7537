/** What stages with a plain loss on batches of sequences share: the optimiser, its schedule, the data and the held-out loss. */
import { z } from 'zod';
import type { Program } from '../device/program.ts';
import type { Graph } from '../graph/tensor.ts';
import type { Checkpointing } from '../spec/settings/parts.ts';
import type { Checkpoint } from '../store/checkpoint.ts';
import { matricesDecay, type Objective, Optimizer } from './optimizer/optimizer.ts';
import { learningRate } from './optimizer/schedule.ts';
import { namedTensors, toWrite } from './run/checkpointing.ts';
import { recomputes } from './run/recompute.ts';
import type { Evaluation, Metrics, Stage, StageContext, StageState, StepOutcome } from './stage.ts';

const savedStage = z.looseObject({ stage: z.looseObject({ updates: z.int(), data: z.unknown() }) });

/** Feeds of one micro-batch by input name. */
export type Feeds = Readonly<Record<string, Int32Array | Float32Array | BigInt64Array>>;

/** Where micro-batches come from, with a state that can be saved. */
export interface BatchSource {
  /** Feeds of the next micro-batch. */
  next(): Feeds;
  readonly state: unknown;
  restore(state: unknown): void;
}

/** Settings of AdamW as the spec names them. */
export interface OptimisationSettings {
  readonly learning_rate: number;
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
  readonly accumulate: number;
  readonly settings: OptimisationSettings & {
    readonly checkpoint_every: number;
    readonly evaluate_every: number;
    readonly checkpoint?: Checkpointing;
  };
  readonly trained: readonly string[];
  /** Names without weight decay beside norms and biases. */
  readonly undecayed?: readonly string[];
  /** The loss, on a micro-batch or on a held-out one (without noise where the stage has any). */
  objective(graph: Graph, heldOut: boolean): Objective;
  readonly batches: BatchSource;
  /** Feeds of the held-out batches; always the same. */
  readonly heldOut: readonly Feeds[];
  /** Tokens in a micro-batch. */
  readonly tokensPerBatch: number;
  /** Turns the outputs of the micro-batches into metrics. */
  readonly metrics: (
    outputs: readonly Readonly<Record<string, Float32Array | Int32Array>>[],
    heldOut: boolean,
  ) => Metrics;
  /** Closes what the batches come from. */
  readonly close?: () => void;
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
  ) {}

  static async create(context: StageContext, plan: SupervisedPlan): Promise<SupervisedStage> {
    const build = (graph: Graph) => plan.objective(graph, false);
    const { checkpoint } = plan.settings;
    const recompute = recomputes(checkpoint, context.device, plan.trained, plan.accumulate, build);
    const objective = build(context.device.graph({ recompute }));
    const { state } = context.weights;
    const options = adamWOptions(plan.settings, plan.undecayed);
    const optimizer = await Optimizer.create(context.device, objective, plan.trained, state, [], options, context);
    return new SupervisedStage(context, plan, optimizer);
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
    return this.plan.trained;
  }

  async step(index: number): Promise<StepOutcome> {
    const { plan } = this;
    const { settings } = plan;
    const rate = learningRate(
      { peak: settings.learning_rate, warmupSteps: settings.warmup, steps: plan.steps, floor: settings.floor },
      index,
    );
    const batches = Array.from({ length: plan.accumulate }, () => plan.batches.next());
    const result = await this.optimizer.step(batches, rate);
    const own = plan.metrics(result.metrics, false);
    const tokens = plan.tokensPerBatch * plan.accumulate;
    return { metrics: { loss: result.loss, gradient_norm: result.gradientNorm, learning_rate: rate, tokens, ...own } };
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    const { plan, context } = this;
    if (this.heldOutProgram === undefined) {
      const { loss, metrics } = plan.objective(context.device.graph(), true);
      this.heldOutProgram = await context.device.compile({ loss, ...metrics });
    }
    let sum = 0;
    const outputs: Record<string, Float32Array | Int32Array>[] = [];
    for (const feeds of plan.heldOut) {
      await context.turn?.();
      signal.throwIfAborted();
      const results = await this.heldOutProgram.run(feeds, { states: [context.weights.state] });
      const values: Record<string, Float32Array | Int32Array> = {};
      for (const [name, buffer] of Object.entries(results)) {
        values[name] = (await buffer.read()) as Float32Array | Int32Array;
        buffer.release();
      }
      sum += values.loss[0];
      outputs.push(values);
    }
    const loss = sum / plan.heldOut.length;
    return { metrics: { held_out_loss: loss, ...plan.metrics(outputs, true) }, score: -loss };
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
    this.plan.close?.();
    await this.optimizer.dispose();
    await this.heldOutProgram?.dispose();
  }
}
