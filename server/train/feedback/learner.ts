/**
 * Learns a policy from feedback. h of what was shown is read once and kept, and so are the logits of the reference: an
 * update runs the policy and nothing else.
 *
 * The loss of a decision is the clipped surrogate around the policy at the start of the update (PPO, arXiv 1707.06347), times
 * min(c, pi_start / pi_shown) where an older policy had made what was shown (Hilton et al., arXiv 2110.00641: the policy
 * that behaved and the one that steps are held near need not be the same); plus KL(pi || pi_ref) over all codes at the
 * decisions and at places of the text before; plus the cross entropy to visits of a search.
 */
import type { ColaModel } from '../../cola/model.ts';
import { State } from '../../device/program.ts';
import { ProgramCache } from '../../device/program-cache.ts';
import type { Random } from '../../random.ts';
import { type NamedTensors, type Objective, Optimizer } from '../optimizer/optimizer.ts';
import { logProbability } from '../reinforce/latent-actor.ts';
import type { Metrics, StageContext } from '../stage.ts';
import { adamWOptions, type OptimisationSettings } from '../supervised.ts';
import {
  type BatchShape,
  baseStates,
  batchesOf,
  decisionLogits,
  keyOf,
  shapeOf,
  stateFeeds,
  tokenFeeds,
} from './batch.ts';
import type { Lesson } from './lessons.ts';
import { type FeedbackWeights, feedbackObjective } from './objective.ts';
import { TextProbe } from './text-probe.ts';

export interface LearnerSettings extends OptimisationSettings, FeedbackWeights {
  readonly batch: number;
  readonly importance: number;
}

/** What is known of a lesson beside its tokens. */
interface Known {
  /** `[S,d]`. */
  readonly states: Float32Array;
  /** log pi_ref `[D,N]`. */
  readonly reference: Float32Array;
  /** log pi of each decision's action at the start of the update. */
  start: Float32Array;
}

/** How a policy does on lessons that nothing was learned from. */
export interface ShadowScore {
  /** How far what the policy prefers was wanted, 0 to 1; null where nothing was judged. */
  readonly acceptance: number | null;
  /** Judged alternatives behind it. */
  readonly judged: number;
  /** Mean -log p of the person's own text under the marginal language model, in nats a token; null without text. */
  readonly textLoss: number | null;
  readonly kl: number;
}

/** Ratios beyond this say more about a policy that has gone astray than about what it prefers. */
const widestRatio = Math.log(10);

export class FeedbackLearner {
  /** Names of the policy's weights. */
  readonly trained: readonly string[];
  private readonly known = new Map<string, Known>();
  private readonly programs = new ProgramCache<string>();
  private readonly text: TextProbe;

  private constructor(
    private readonly context: StageContext,
    private readonly cola: ColaModel,
    private readonly settings: LearnerSettings,
    private readonly optimizer: Optimizer,
    /** The policy that this one is held near. */
    private readonly reference: State,
  ) {
    this.trained = cola.tensorsOf('policy').map(({ name }) => name);
    this.text = new TextProbe(context, cola, settings.batch);
  }

  /** @param reference weights of the policy that this one is held near; those of now, if not given */
  static async create(
    context: StageContext,
    cola: ColaModel,
    settings: LearnerSettings,
    reference: ReadonlyMap<string, Float32Array> = new Map(),
  ): Promise<FeedbackLearner> {
    const { device, weights } = context;
    const tensors = cola.tensorsOf('policy');
    const names = tensors.map(({ name }) => name);
    const optimizer = await Optimizer.create(device, undefined, names, weights.state, [], adamWOptions(settings));
    const state = new State();
    for (const { name, shape } of tensors) {
      const values = reference.get(name) ?? (await weights.read(name));
      state.set(name, await device.upload(values.slice(), 'float32', shape));
    }
    return new FeedbackLearner(context, cola, settings, optimizer, state);
  }

  private get width(): number {
    return this.cola.base.config.hiddenSize;
  }

  private get codes(): number {
    return this.cola.config.numCodes;
  }

  /**
   * Reads lessons that are new, and takes note of the policy as it is: what follows is held near it.
   *
   * @param start the policy at the start, where that is not the one in the context's weights
   */
  async begin(lessons: readonly Lesson[], signal: AbortSignal, start?: State): Promise<void> {
    const wanted = new Set(lessons.map(signature));
    for (const key of this.known.keys()) if (!wanted.has(key)) this.known.delete(key);
    const fresh = lessons.filter((lesson) => !this.known.has(signature(lesson)));
    for (const some of batchesOf(fresh, this.settings.batch)) {
      await this.pause(signal);
      const shape = shapeOf(some, this.settings.batch);
      const states = await this.statesOf(some, shape);
      const logits = await this.logitsAt(some, shape, this.reference, (lesson) => states[some.indexOf(lesson)]);
      for (const [i, lesson] of some.entries()) {
        const reference = logits[i];
        for (let k = 0; k < lesson.decisions.length; k++) normalise(reference, k * this.codes, this.codes);
        this.known.set(signature(lesson), { states: states[i], reference, start: new Float32Array(0) });
      }
    }
    for (const some of batchesOf(lessons, this.settings.batch)) {
      await this.pause(signal);
      const values = await this.chosen(some, start ?? this.context.weights.state);
      for (const [i, lesson] of some.entries()) this.of(lesson).start = values[i];
    }
  }

  /** One update from at most `batch` lessons, which {@link begin} has seen. @throws train.diverged */
  async learn(lessons: readonly Lesson[], current: string, rate: number): Promise<Metrics> {
    const shape = shapeOf(lessons, this.settings.batch);
    const key = keyOf(shape);
    await this.optimizer.prepare(key, () => this.objective(shape));
    const { loss, gradientNorm, metrics } = await this.optimizer.step([this.feeds(lessons, shape, current)], rate, key);
    const [own] = metrics;
    const figures = Object.fromEntries(Object.entries(own).map(([name, values]) => [name, values[0]]));
    return { loss, gradient_norm: gradientNorm, learning_rate: rate, ...figures };
  }

  /** Forgets the moments of the optimiser, as if nothing had been learned yet. */
  async rewind(): Promise<void> {
    const { tensors } = await this.optimizer.save();
    const zeros = [...tensors].map(([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }]);
    await this.optimizer.restore(new Map(zeros as [string, { shape: number[]; data: Float32Array }][]), 0);
  }

  save(): Promise<{ tensors: NamedTensors; updates: number }> {
    return this.optimizer.save();
  }

  restore(tensors: NamedTensors, updates: number): Promise<void> {
    return this.optimizer.restore(tensors, updates);
  }

  /** The reference weights, for a checkpoint. */
  async referenceEntries(): Promise<{ name: string; shape: readonly number[]; data: Float32Array }[]> {
    return Promise.all(
      this.trained.map(async (name) => ({
        name,
        shape: this.reference.get(name).shape,
        data: await this.reference.get(name).readFloats(),
      })),
    );
  }

  get referenceState(): State {
    return this.reference;
  }

  /**
   * How the policy in `state` does on lessons that {@link begin} has seen, beside the one that it saw then: each judged
   * alternative counts by pi / pi_start of its actions, so that what has become more likely counts more (self-normalised
   * importance sampling; for the policy at the start it is the plain mean).
   */
  async shadow(lessons: readonly Lesson[], signal: AbortSignal, state?: State): Promise<ShadowScore> {
    const policy = state ?? this.context.weights.state;
    const sums = { weight: 0, value: 0, judged: 0, kl: 0, decisions: 0 };
    for (const some of batchesOf(lessons, this.settings.batch)) {
      await this.pause(signal);
      const shape = shapeOf(some, this.settings.batch);
      const logits = await this.logitsAt(some, shape, policy, (lesson) => this.of(lesson).states);
      for (const [i, lesson] of some.entries()) this.addShadow(lesson, logits[i], sums);
    }
    return {
      acceptance: sums.judged === 0 ? null : sums.value / sums.weight,
      judged: sums.judged,
      textLoss: await this.text.loss(lessons, {
        states: (lesson) => this.of(lesson).states,
        logits: (some, states) => this.logitsAt(some, shapeOf(some, this.settings.batch), policy, states),
        pause: () => this.pause(signal),
      }),
      kl: sums.kl / Math.max(1, sums.decisions),
    };
  }

  private addShadow(
    lesson: Lesson,
    logits: Float32Array,
    sums: { weight: number; value: number; judged: number; kl: number; decisions: number },
  ): void {
    const { start, reference } = this.of(lesson);
    const ratios = new Map<number, number>();
    for (const [k, { alternative, action }] of lesson.decisions.entries()) {
      const own = logits.subarray(k * this.codes, (k + 1) * this.codes);
      sums.kl += divergence(own, reference, k * this.codes);
      sums.decisions++;
      if (alternative < 0) continue;
      const change = logProbability(own, action, 1) - start[k];
      ratios.set(alternative, (ratios.get(alternative) ?? 0) + change);
    }
    for (const [alternative, ratio] of ratios) {
      const wanted = lesson.wanted[alternative];
      if (wanted === undefined) continue;
      const weight = Math.exp(Math.min(widestRatio, Math.max(-widestRatio, ratio)));
      sums.weight += weight;
      sums.value += weight * wanted;
      sums.judged++;
    }
  }

  private async pause(signal: AbortSignal): Promise<void> {
    await this.context.turn?.();
    signal.throwIfAborted();
  }

  private of(lesson: Lesson): Known {
    const known = this.known.get(signature(lesson));
    if (known === undefined) throw new Error(`the lesson ${lesson.id} has not been read`);
    return known;
  }

  private async statesOf(lessons: readonly Lesson[], shape: BatchShape): Promise<Float32Array[]> {
    const { rows, length } = shape;
    const program = await this.programs.get(`base ${rows} ${length}`, () =>
      this.context.device.program((graph) => ({ h: baseStates(graph, this.cola.base.config, shape) })),
    );
    const { h } = await program.run(tokenFeeds(lessons, shape), { states: [this.context.weights.state] });
    const values = await h.readFloats();
    const d = this.width;
    const result = lessons.map(({ row }, b) => values.slice(b * length * d, (b * length + row.ids.length) * d));
    h.release();
    return result;
  }

  /** Logits at the decisions of each lesson, `[D,N]`. */
  private async logitsAt(
    lessons: readonly Lesson[],
    shape: BatchShape,
    policy: State,
    states: (lesson: Lesson) => Float32Array,
  ): Promise<Float32Array[]> {
    const program = await this.programs.get(`policy ${keyOf(shape)}`, () =>
      this.context.device.program((graph) => ({
        logits: decisionLogits(graph, this.cola.base.config, this.cola.config, shape),
      })),
    );
    const feeds = stateFeeds(lessons, shape, states, this.width);
    const { logits } = await program.run(feeds, { states: [policy, this.context.weights.state] });
    const values = await logits.readFloats();
    let at = 0;
    const result = lessons.map(({ decisions }) => {
      const own = values.slice(at * this.codes, (at + decisions.length) * this.codes);
      at += decisions.length;
      return own;
    });
    logits.release();
    return result;
  }

  /** log pi of the actions of each lesson's decisions. */
  private async chosen(lessons: readonly Lesson[], policy: State): Promise<Float32Array[]> {
    const shape = shapeOf(lessons, this.settings.batch);
    const logits = await this.logitsAt(lessons, shape, policy, (lesson) => this.of(lesson).states);
    return lessons.map(({ decisions }, i) =>
      Float32Array.from(decisions, ({ action }, k) =>
        logProbability(logits[i].subarray(k * this.codes, (k + 1) * this.codes), action, 1),
      ),
    );
  }

  private objective(shape: BatchShape): Objective {
    const { base, config: cola } = this.cola;
    return feedbackObjective(this.context.device.graph(), { config: base.config, cola }, this.settings, shape);
  }

  private feeds(lessons: readonly Lesson[], shape: BatchShape, current: string) {
    const { decisions: count } = shape;
    const list = () => new Float32Array(count);
    const feeds = {
      ...stateFeeds(lessons, shape, (lesson) => this.of(lesson).states, this.width),
      choices: new Int32Array(count),
      advantages: list(),
      weights: list(),
      logp_start: list(),
      held: list(),
      visited: list(),
      reference: new Float32Array(count * this.codes),
      shares: new Float32Array(count * this.codes),
    };
    let at = 0;
    for (const lesson of lessons) {
      const { start, reference } = this.of(lesson);
      const first = at;
      feeds.reference.set(reference, at * this.codes);
      for (const [k, { action, advantage, weight, logp }] of lesson.decisions.entries()) {
        const older = lesson.version === current ? 1 : Math.min(this.settings.importance, Math.exp(start[k] - logp));
        feeds.choices[at] = action;
        feeds.advantages[at] = advantage;
        feeds.weights[at] = (weight * older) / lessons.length;
        feeds.logp_start[at] = start[k];
        feeds.held[at] = 1 / (lesson.decisions.length * lessons.length);
        at++;
      }
      // Any decision at the end of the start stands at the state that the search looked at.
      const root = lesson.decisions.findIndex(({ position }) => position === lesson.start - 1);
      if (root < 0 || lesson.visits.length === 0) continue;
      feeds.visited[first + root] = 1;
      for (const [action, share] of lesson.visits)
        if (action < this.codes) feeds.shares[(first + root) * this.codes + action] = share;
    }
    return feeds;
  }

  async dispose(): Promise<void> {
    await this.optimizer.dispose();
    await this.text.dispose();
    this.reference.dispose();
    await this.programs.dispose();
    this.known.clear();
  }
}

/** What a lesson's states depend on. */
function signature({ row, decisions }: Lesson): string {
  return `${row.ids.join()}|${row.branch.join()}|${decisions.map(({ position, action }) => `${position}:${action}`).join()}`;
}

/** Logits to log-probabilities, in place. */
function normalise(values: Float32Array, start: number, count: number): void {
  const own = values.subarray(start, start + count);
  let top = Number.NEGATIVE_INFINITY;
  for (const x of own) if (x > top) top = x;
  let sum = 0;
  for (const x of own) sum += Math.exp(x - top);
  const shift = top + Math.log(sum);
  for (let i = 0; i < count; i++) own[i] -= shift;
}

/** KL(pi || pi_ref) of one row of logits, in nats. */
function divergence(logits: Float32Array, reference: Float32Array, at: number): number {
  const own = logits.slice();
  normalise(own, 0, own.length);
  let kl = 0;
  for (let i = 0; i < own.length; i++) kl += Math.exp(own[i]) * (own[i] - reference[at + i]);
  return kl;
}

/** Batches of one pass in an order of its own. */
export function passOf(lessons: readonly Lesson[], rows: number, random: Random): Lesson[][] {
  const batches = batchesOf(lessons, rows);
  return [...random.permutation(batches.length)].map((i) => batches[i]);
}
