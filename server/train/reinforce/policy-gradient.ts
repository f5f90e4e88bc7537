/**
 * Reinforcement from outcomes: rollouts, rewards, advantages, updates, for actions and for tokens with the same code
 * (paper, section 3.3 and appendix B.2). GRPO compares the samples of a prompt, ReMax subtracts a greedy sample, PPO
 * learns values.
 */
import { actionLogProbabilities, choiceMean, divergence, entropy } from '../../cola/losses.ts';
import { type Program, State } from '../../device/program.ts';
import { ShapedPrograms } from '../../device/shaped-programs.ts';
import { maskedMean } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import { plannedMemory } from '../../graph/planned.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import type { Random } from '../../random.ts';
import type { AdvantageName, AlgorithmName } from '../../spec/algorithms.ts';
import { hasValue, type UpdateSettings } from '../algorithms/algorithm.ts';
import { algorithmOf } from '../algorithms/index.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { type Packed, type PackedShape, packed, shapeKey } from '../shared-prefix.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import type { LearningPolicy, PolicyGraph } from './actor.ts';
import { advantages, stepRewards, whiten } from './advantages.ts';
import { type Judged, scoreOf } from './episode.ts';

export interface PolicyGradientSettings extends UpdateSettings {
  readonly algorithm: AlgorithmName;
  readonly temperature: number;
  /** Of a divergence in the rewards. */
  readonly kl: number;
  readonly advantage: AdvantageName;
  /** Of a divergence in the loss. */
  readonly kl_loss: number;
  /** Nats a choice that the policy is held at from below. */
  readonly entropy_target?: number | undefined;
  readonly entropy_weight: number;
  readonly gamma: number;
  readonly lambda: number;
  readonly whiten: boolean;
}

/** The number of choices of an answer is rounded up to this, so that few programs are compiled. */
export const answerStep = 4;

/** Added to the logit of a choice that top-k left out. */
const banned = -1e9;

/**
 * Episodes laid out as the update reads them: choices and all per-choice numbers, `[B,A]`, from the first choice on. What others
 * said has no place here, and so no part in losses, advantages and divergences.
 */
export interface Batch {
  readonly rows: readonly (Judged | undefined)[];
  /** A. */
  readonly length: number;
  readonly choices: Int32Array;
  /** 1 where a choice was made by a sample with a score. */
  readonly mask: Float32Array;
  readonly logpOld: Float32Array;
  readonly valuesOld: Float32Array;
}

/**
 * @param least choices that a row has room for, whatever there are
 * @param learned whether a row with a score is learned from; the score counts for its group all the same
 */
export function layOut(
  rows: readonly (Judged | undefined)[],
  least = 1,
  learned: (row: Judged) => boolean = () => true,
): Batch {
  const longest = Math.max(least, ...rows.map((row) => row?.choices.length ?? 1));
  const length = Math.ceil(longest / answerStep) * answerStep;
  const size = rows.length * length;
  const batch = {
    rows,
    length,
    choices: new Int32Array(size),
    mask: new Float32Array(size),
    logpOld: new Float32Array(size),
    valuesOld: new Float32Array(size),
  };
  for (const [b, row] of rows.entries()) {
    if (row === undefined) continue;
    const start = b * length;
    batch.choices.set(row.choices, start);
    batch.logpOld.set(row.logp, start);
    batch.valuesOld.set(row.values, start);
    if (scoreOf(row.result) !== undefined && learned(row)) batch.mask.fill(1, start, start + row.choices.length);
  }
  return batch;
}

/** What one row adds to a batch beyond {@link Batch}. */
export interface Credit {
  readonly advantages: Float64Array;
  readonly returns: Float64Array;
  /** log pi of the choices under the policy of the start. */
  readonly logpRef: Float32Array;
}

/**
 * Advantages of a whole round, `[B,A]`.
 *
 * @param baseline reward of the greedy sample of each row's prompt (ReMax); undefined entries have no score
 */
export function creditOf(
  batch: Batch,
  logpRef: Float32Array,
  baseline: readonly (number | undefined)[] | undefined,
  settings: PolicyGradientSettings,
): Credit {
  const rewards = batch.rows.map((row) => (row === undefined ? undefined : scoreOf(row.result)));
  const groups = batch.rows.map((row) => row?.group ?? -1);
  const layout = { rows: batch.rows.length, length: batch.length, mask: batch.mask };
  const algorithm = algorithmOf(settings.algorithm);
  const outcomes = algorithm.outcomes({ rewards, groups, greedy: baseline, advantage: settings.advantage });
  const steps = stepRewards(layout, batch.logpOld, logpRef, outcomes, settings.kl);
  const values = hasValue(algorithm) ? batch.valuesOld : undefined;
  // Values tell what is still to come, so that what a turn earned may stand where it was earned.
  if (values !== undefined) turnRewards(batch, steps);
  const raw = advantages(layout, steps, values, settings.gamma, settings.lambda);
  const returns = raw.map((a, i) => (batch.mask[i] === 0 ? 0 : a + batch.valuesOld[i]));
  return { advantages: settings.whiten ? whiten(layout, raw) : raw, returns, logpRef };
}

/** Moves what turns earned from the end of each episode to the last choice of the turn. */
function turnRewards({ rows, length, mask }: Batch, steps: Float64Array): void {
  for (const [b, row] of rows.entries()) {
    if (row === undefined || row.choices.length === 0 || mask[b * length] === 0) continue;
    for (const { end, reward } of row.turns) {
      steps[b * length + row.choices.length - 1] -= reward;
      steps[b * length + end - 1] += reward;
    }
  }
}

/**
 * The update's loss for answers that are laid out so.
 *
 * @param hasBans whether the rollout chose among some of the choices only
 */
export function policyObjective(
  graph: Graph,
  policy: PolicyGraph,
  shape: PackedShape,
  settings: PolicyGradientSettings,
  hasBans: boolean,
): Objective {
  const { samples: batch, answer: length } = shape;
  const { logits, values } = policy.build(graph, shape);
  const row = (name: string) => graph.input(name, 'float32', [batch, length]);
  const choices = graph.input('choices', 'int32', [batch, length]);
  const open = hasBans ? ops.add(logits, graph.input('bans', 'float32', [batch, length, policy.choices])) : logits;
  const mask = row('mask');
  const logp = ops.mul(actionLogProbabilities(open, choices, settings.temperature), mask);
  const scores = row('advantages');
  const spread = maskedMean(entropy(settings.temperature === 1 ? open : ops.mul(open, 1 / settings.temperature)), mask);
  const update = { settings, logp, advantages: scores, mask, values, noted: row };
  const { loss, metrics } = algorithmOf(settings.algorithm).objective(update);
  const terms = [loss];
  const { kl_loss, entropy_target, entropy_weight } = settings;
  if (kl_loss > 0) {
    const apart = choiceMean(divergence(logp, row('logp_ref')), mask, settings.loss);
    terms.push(ops.mul(apart, kl_loss));
  }
  if (entropy_target !== undefined) {
    // The entropy over all choices is known exactly, and so is its gradient.
    const missing = ops.maximum(ops.sub(graph.scalar(entropy_target), spread), 0);
    terms.push(ops.mul(missing, entropy_weight));
  }
  return { loss: terms.reduce((a, b) => ops.add(a, b)), metrics: { entropy: spread, ...metrics } };
}

/** Of each row its prompt, as a key of {@link minibatches}. */
export const promptsIn = ({ rows }: Batch): unknown[] => rows.map((row, i) => row?.prompt ?? i);

/** Some rows of a batch, laid out for an update. */
export function layOutUpdate({ rows, length }: Batch, picked: readonly number[], { width }: PolicyGraph): Packed {
  return packed(
    picked.map((b) => rows[b]),
    length,
    width,
  );
}

/** Feeds of {@link policyObjective} for some rows of a batch. */
export function policyFeeds(
  actor: LearningPolicy,
  batch: Batch,
  credit: Credit,
  picked: readonly number[],
  layout: Packed,
  hasBans: boolean,
): Feeds {
  const { length } = batch;
  const cut = (values: Float32Array | Float64Array) => {
    const result = new Float32Array(picked.length * length);
    for (const [k, b] of picked.entries()) result.set(values.subarray(b * length, (b + 1) * length), k * length);
    return result;
  };
  const choices = new Int32Array(picked.length * length);
  for (const [k, b] of picked.entries()) choices.set(batch.choices.subarray(b * length, (b + 1) * length), k * length);
  const rows = picked.map((b) => batch.rows[b]);
  return {
    ...actor.feeds(rows, layout),
    choices,
    mask: cut(batch.mask),
    logp_old: cut(batch.logpOld),
    advantages: cut(credit.advantages),
    values_old: cut(batch.valuesOld),
    returns: cut(credit.returns),
    logp_ref: cut(credit.logpRef),
    ...(hasBans ? { bans: bansOf(rows, length, actor.choices) } : {}),
  };
}

function bansOf(rows: readonly (Judged | undefined)[], length: number, choices: number): Float32Array {
  const bans = new Float32Array(rows.length * length * choices);
  for (const [b, row] of rows.entries()) {
    if (row === undefined) continue;
    for (const [j, flags] of row.banned.entries()) {
      const start = (b * length + j) * choices;
      for (let c = 0; c < choices; c++) if (flags[c] === 1) bans[start + c] = banned;
    }
  }
  return bans;
}

/** log pi of the choices of answers that are laid out for an update, `[B,A]`. */
export function choiceLogProbabilities(
  graph: Graph,
  policy: PolicyGraph,
  shape: PackedShape,
  temperature: number,
  hasBans = false,
): Tensor {
  const { logits } = policy.build(graph, shape);
  const chosen = [shape.samples, shape.answer];
  const choices = graph.input('choices', 'int32', chosen);
  const open = hasBans ? ops.add(logits, graph.input('bans', 'float32', [...chosen, policy.choices])) : logits;
  return actionLogProbabilities(open, choices, temperature);
}

/** log pi of the choices under the weights at the start of the stage. */
export class ReferencePolicy {
  /** The weights, by their own names. */
  readonly state = new State();
  private readonly programs: ShapedPrograms<Program>;

  private constructor(
    private readonly context: StageContext,
    private readonly actor: LearningPolicy,
    private readonly temperature: number,
  ) {
    this.programs = new ShapedPrograms(context.device.onHost ? undefined : Number.POSITIVE_INFINITY);
  }

  static async create(
    context: StageContext,
    actor: LearningPolicy,
    temperature: number,
    weights: ReadonlyMap<string, Float32Array>,
  ): Promise<ReferencePolicy> {
    const reference = new ReferencePolicy(context, actor, temperature);
    for (const name of actor.trained) {
      const { shape } = context.weights.state.get(name);
      const values = weights.get(name) ?? (await context.weights.read(name));
      reference.state.set(name, await context.device.upload(values.slice(), 'float32', shape));
    }
    return reference;
  }

  /** `[B,A]`; 0 outside the mask. */
  async logProbabilities(batch: Batch, hasBans: boolean): Promise<Float32Array> {
    const all = packed(batch.rows, batch.length, this.actor.width);
    const key = `${shapeKey(all.shape)} ${hasBans}`;
    const program = this.programs.find(key) ?? (await this.compile(key, all.shape, hasBans));
    const feeds = {
      ...this.actor.feeds(batch.rows, all),
      choices: batch.choices,
      ...(hasBans ? { bans: bansOf(batch.rows, batch.length, this.actor.choices) } : {}),
    };
    const { logp } = await program.run(feeds, { states: [this.state, this.context.weights.state] });
    const values = await logp.readFloats();
    logp.release();
    return values.map((x, i) => x * batch.mask[i]);
  }

  private async compile(key: string, shape: PackedShape, hasBans: boolean): Promise<Program> {
    const { device } = this.context;
    const outputs = { logp: choiceLogProbabilities(device.graph(), this.actor, shape, this.temperature, hasBans) };
    const program = await device.compile(outputs);
    return this.programs.keep(key, program, () => plannedMemory(Object.values(outputs)).bytes);
  }

  /** The reference weights, for a checkpoint. */
  async entries(): Promise<{ name: string; shape: readonly number[]; data: Float32Array }[]> {
    const names = [...this.state.names];
    return Promise.all(
      names.map(async (name) => ({
        name,
        shape: this.state.get(name).shape,
        data: await this.state.get(name).readFloats(),
      })),
    );
  }

  async dispose(): Promise<void> {
    this.state.dispose();
    await this.programs.dispose();
  }
}

/** Rows of the largest of so many minibatches. */
export const minibatchRows = (rows: number, count: number): number => Math.max(1, Math.ceil(rows / count));

/**
 * Rows of a round, cut into minibatches as equal as can be: in random order, but those of one key together.
 *
 * @param keys what each row belongs to: its prompt, which an update then reads once for all its answers
 */
export function minibatches(keys: readonly unknown[], count: number, random: Random): number[][] {
  const groups = new Map<unknown, number[]>();
  for (const [i, key] of keys.entries()) groups.set(key, [...(groups.get(key) ?? []), i]);
  const lists = [...groups.values()];
  const order = [...random.permutation(lists.length)].flatMap((g) => lists[g]);
  const size = minibatchRows(keys.length, count);
  return Array.from({ length: count }, (_, i) => order.slice(i * size, (i + 1) * size)).filter(
    (picked) => picked.length > 0,
  );
}
