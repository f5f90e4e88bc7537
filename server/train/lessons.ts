/**
 * Lessons: what the policy should do at some positions of a sequence, as a search or a person has found. The sequence's h
 * is at hand, so an update runs the policy (and Q) and never the base.
 */
import type { ColaConfig } from '../cola/config.ts';
import { entropy, returnLoss, visitLoss } from '../cola/losses.ts';
import type { ColaModel } from '../cola/model.ts';
import { headLogits, headOn, headTrunk, stateValue } from '../cola/modules.ts';
import type { Program } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import { maskedMean } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { causalContext } from '../model/block.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { Objective } from './optimizer/optimizer.ts';
import { learningRate } from './optimizer/schedule.ts';
import { paddedLength } from './shared-prefix.ts';
import type { Metrics, StageContext } from './stage.ts';
import type { Feeds } from './supervised.ts';

/** What is taught at one position. */
export interface LessonPoint {
  /** Position of the last token that the state has read: the policy's logits there choose. */
  readonly at: number;
  /** Shares of the actions; they sum to 1. */
  readonly shares: readonly { readonly code: number; readonly share: number }[];
  /** How much the point counts beside others, 0 or more. */
  readonly weight: number;
  /** What the state was worth; undefined if it is not known. */
  readonly value?: number | undefined;
  /** What actions were worth, and how much that counts. */
  readonly returns?: readonly { readonly code: number; readonly value: number; readonly weight: number }[];
}

export interface Lesson {
  /** h of the tokens up to the last point at least, `[S,d]`. */
  readonly hidden: Float32Array;
  readonly points: readonly LessonPoint[];
}

/** Weights of the losses beside the policy's; 0 leaves a module as it is. */
export interface LessonWeights {
  readonly value: number;
  readonly q: number;
}

/** Rows are filled up to a multiple of this, so that few programs are compiled. */
const rowStep = 8;
/** Lessons that are measured in one run. */
const measuredRows = 32;

export interface LessonShape {
  readonly rows: number;
  readonly length: number;
}

/** The shape that so many lessons of so many positions get. */
export function paddedLessons(rows: number, length: number): LessonShape {
  return { rows: rowStep * Math.ceil(rows / rowStep), length: paddedLength(length) };
}

/** What tells a shape's programs from others. */
export const shapeName = ({ rows, length }: LessonShape): string => `${rows} ${length}`;

/** What the policy's loss of some lessons is averaged over. */
export const weightOf = (lessons: readonly Lesson[]): number =>
  lessons.reduce((n, { points }) => n + points.reduce((m, point) => m + point.weight, 0), 0);

/** The shape in which some lessons are read together; rows and positions beyond them are empty. */
export function lessonShape(lessons: readonly Lesson[]): LessonShape {
  const longest = Math.max(1, ...lessons.flatMap(({ points }) => points.map(({ at }) => at + 1)));
  return paddedLessons(Math.max(1, lessons.length), longest);
}

/**
 * The loss of lessons: {@link visitLoss} of the policy, and {@link returnLoss} of V and Q by their weights. Metrics, each averaged by
 * weight: `policy_loss`, `agreement` (of the most likely action with the largest share), `entropy`, `value_loss`, `q_loss`.
 */
export function lessonObjective(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  { rows, length }: LessonShape,
  weights: LessonWeights,
): Objective {
  const h = graph.input('hidden', 'float32', [rows, length, config.hiddenSize]);
  const context = causalContext(graph, config, rows, length);
  const positions = (name: string) => graph.input(name, 'float32', [rows, length]);
  const codes = (name: string) => graph.input(name, 'float32', [rows, length, cola.numCodes]);
  const { trunk } = headTrunk(graph, config, cola, 'policy', h, context);
  const logits = headLogits(graph, config, cola, 'policy', trunk);
  const [shares, counts] = [codes('shares'), positions('weights')];
  const policy = visitLoss(logits, shares, counts);
  const same = ops.cast(ops.equal(ops.argmax(logits), ops.argmax(shares)), 'float32');
  const metrics: Record<string, Tensor> = {
    policy_loss: policy,
    agreement: maskedMean(same, counts),
    entropy: maskedMean(entropy(logits), counts),
  };
  let loss = policy;
  if (weights.value > 0) {
    const values = stateValue(graph, trunk);
    metrics.value_loss = returnLoss(values, positions('values'), positions('value_weights'));
    loss = ops.add(loss, ops.mul(metrics.value_loss, weights.value));
  }
  if (weights.q > 0) {
    const q = headOn(graph, config, cola, 'q', h, context);
    metrics.q_loss = returnLoss(q, codes('returns'), codes('return_weights'));
    loss = ops.add(loss, ops.mul(metrics.q_loss, weights.q));
  }
  return { loss, metrics };
}

/** Feeds of {@link lessonObjective}. @param width d; @param numCodes N */
export function lessonFeeds(
  lessons: readonly Lesson[],
  { rows, length }: LessonShape,
  width: number,
  numCodes: number,
): Feeds {
  const positions = () => new Float32Array(rows * length);
  const codes = () => new Float32Array(rows * length * numCodes);
  const hidden = new Float32Array(rows * length * width);
  const [weights, values, valueWeights] = [positions(), positions(), positions()];
  const [shares, returns, returnWeights] = [codes(), codes(), codes()];
  for (const [b, lesson] of lessons.entries()) {
    hidden.set(lesson.hidden.subarray(0, length * width), b * length * width);
    for (const { at, weight, value, shares: own, returns: worth = [] } of lesson.points) {
      const place = b * length + at;
      weights[place] = weight;
      for (const { code, share } of own) shares[place * numCodes + code] += share;
      if (value !== undefined) {
        values[place] = value;
        valueWeights[place] = weight;
      }
      for (const each of worth) {
        returns[place * numCodes + each.code] = each.value;
        returnWeights[place * numCodes + each.code] = each.weight;
      }
    }
  }
  return { hidden, shares, weights, values, value_weights: valueWeights, returns, return_weights: returnWeights };
}

/** Each averaged over lessons by weight. */
export interface Agreement {
  /** Of the most likely action with the largest share. */
  readonly agreement: number;
  /** In nats. */
  readonly entropy: number;
}

export interface LessonSettings {
  readonly steps: number;
  readonly minibatches: number;
  readonly learning_rate?: number | undefined;
  readonly warmup: number;
  readonly floor: number;
  readonly value_weight: number;
  readonly q_weight: number;
}

/** What a policy makes of lessons: their loss, and how far it agrees with them. */
export class LessonModel {
  private readonly measures = new ProgramCache<string>();
  private readonly weights: LessonWeights;

  constructor(
    private readonly context: StageContext,
    private readonly cola: ColaModel,
    settings: Pick<LessonSettings, 'value_weight' | 'q_weight'>,
  ) {
    this.weights = { value: settings.value_weight, q: settings.q_weight };
  }

  objective(shape: LessonShape): Objective {
    return lessonObjective(this.context.device.graph(), this.cola.base.config, this.cola.config, shape, this.weights);
  }

  feeds(lessons: readonly Lesson[], shape: LessonShape): Feeds {
    const { config } = this.cola;
    return lessonFeeds(lessons, shape, this.cola.base.config.hiddenSize, config.numCodes);
  }

  /** Agreement and entropy of the policy as it is, over some lessons by weight. */
  async measure(lessons: readonly Lesson[]): Promise<Agreement> {
    const sums = { agreement: 0, entropy: 0, weight: 0 };
    for (let at = 0; at < lessons.length; at += measuredRows) {
      await this.context.turn?.();
      const some = lessons.slice(at, at + measuredRows);
      const shape = lessonShape(some);
      const program = await this.measureProgram(shape);
      const out = await program.run(this.feeds(some, shape), { states: [this.context.weights.state] });
      const weight = weightOf(some);
      for (const name of ['agreement', 'entropy'] as const) {
        const [value] = await out[name].readFloats();
        sums[name] += value * weight;
      }
      for (const buffer of Object.values(out)) buffer.release();
      sums.weight += weight;
    }
    return { agreement: sums.agreement / sums.weight, entropy: sums.entropy / sums.weight };
  }

  private measureProgram(shape: LessonShape): Promise<Program> {
    const { config, base } = this.cola;
    const build = (graph: Graph) => {
      const { metrics = {} } = lessonObjective(graph, base.config, config, shape, { value: 0, q: 0 });
      return { agreement: metrics.agreement, entropy: metrics.entropy };
    };
    return this.measures.get(shapeName(shape), () => this.context.device.program(build));
  }

  dispose(): Promise<void> {
    return this.measures.dispose();
  }
}

/** An update as {@link lessonRound} counts it. */
export interface LessonUpdate {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly metrics: Readonly<Record<string, number | undefined>>;
}

/**
 * The updates of a round, between two measurements.
 *
 * @param index of the round, from 0
 * @param updates how many
 * @returns means of the updates, and agreement and entropy over all lessons before and after them
 */
export async function lessonRound(
  settings: LessonSettings,
  index: number,
  updates: number,
  measure: () => Promise<Agreement>,
  update: (number: number, rate: number) => Promise<LessonUpdate>,
): Promise<Metrics> {
  if (updates === 0) return { loss: 0, gradient_norm: 0 };
  const before = await measure();
  const schedule = {
    peak: settings.learning_rate,
    warmupSteps: settings.warmup,
    steps: settings.steps * settings.minibatches,
    floor: settings.floor,
  };
  const sums: Record<string, number> = {};
  const count = (name: string, value: number) => {
    sums[name] = (sums[name] ?? 0) + value / updates;
  };
  for (let i = 0; i < updates; i++) {
    const rate = learningRate(schedule, index * settings.minibatches + i);
    const { loss, gradientNorm, metrics } = await update(i, rate);
    count('loss', loss);
    count('gradient_norm', gradientNorm);
    count('learning_rate', rate);
    for (const name of ['value_loss', 'q_loss']) if (metrics[name] !== undefined) count(name, metrics[name]);
  }
  const after = await measure();
  return {
    ...sums,
    agreement_before: before.agreement,
    agreement: after.agreement,
    entropy_before: before.entropy,
    entropy: after.entropy,
  };
}
