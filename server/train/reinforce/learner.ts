/**
 * Learns from judged episodes and knows nothing of how they came about: advantages, minibatches, updates, and the policy of the
 * start, from which the divergence is measured.
 */
import type { Graph } from '../../graph/tensor.ts';
import { Random, seedFrom } from '../../random.ts';
import type { Checkpointing } from '../../spec/settings/parts.ts';
import type { ReinforceSettings } from '../../spec/settings/reinforcement.ts';
import { Optimizer } from '../optimizer/optimizer.ts';
import { learningRate } from '../optimizer/schedule.ts';
import { type namedTensors, toWrite } from '../run/checkpointing.ts';
import { recomputes } from '../run/recompute.ts';
import { shapeKey } from '../shared-prefix.ts';
import type { Metrics, StageContext, StageState } from '../stage.ts';
import { adamWOptions } from '../supervised.ts';
import type { LearningPolicy } from './actor.ts';
import type { Judged } from './episode.ts';
import {
  type Batch,
  type Credit,
  creditOf,
  layOut,
  layOutUpdate,
  minibatches,
  policyFeeds,
  policyObjective,
  promptsIn,
  ReferencePolicy,
} from './policy-gradient.ts';

/** Answers whose divergence is measured where it is no part of what is learned. */
export const lookedAt = 32;

/** The first groups, `count` episodes or a few more; the prompts of a round come in random order. */
export function wholeGroups(episodes: readonly Judged[], count: number): readonly Judged[] {
  const last = episodes[count - 1]?.group;
  return last === undefined ? episodes : episodes.filter(({ group }, i) => i < count || group === last);
}

/** Which of the answers with a score are learned from. */
export const learnsFrom =
  ({ overlong }: Pick<ReinforceSettings, 'overlong'>) =>
  ({ finished }: Judged): boolean =>
    overlong === 'keep' || finished;

/** Where the base itself learns. */
export interface Recomputing {
  readonly checkpoint?: Checkpointing | undefined;
}

export class PolicyLearner {
  private constructor(
    private readonly context: StageContext,
    private readonly policy: LearningPolicy,
    private readonly settings: ReinforceSettings & Recomputing,
    private readonly optimizer: Optimizer,
    private before: ReferencePolicy,
  ) {}

  static async create(
    context: StageContext,
    policy: LearningPolicy,
    settings: ReinforceSettings & Recomputing,
  ): Promise<PolicyLearner> {
    const { state } = context.weights;
    const options = adamWOptions(settings);
    const optimizer = await Optimizer.create(context.device, undefined, policy.trained, state, [], options, context);
    const reference = await ReferencePolicy.create(context, policy, settings.temperature, new Map());
    return new PolicyLearner(context, policy, settings, optimizer, reference);
  }

  /** The weights at the start, by their own names. */
  get start() {
    return this.before.state;
  }

  /**
   * The updates of a round.
   *
   * @param index of the round, from 0
   * @param baseline what a greedy answer to each episode's prompt earned, for an algorithm that compares with it
   */
  async learn(
    index: number,
    episodes: readonly Judged[],
    baseline: readonly (number | undefined)[] | undefined,
  ): Promise<Metrics> {
    const learned = learnsFrom(this.settings);
    const batch = layOut(episodes, 1, learned);
    const hasBans = episodes.some(({ banned }) => banned.length > 0);
    const { kl, kl_loss } = this.settings;
    // Where the divergence is looked at only, that of some answers tells it: the others need not be read under the old weights.
    const looked = kl > 0 || kl_loss > 0 ? batch : layOut(wholeGroups(episodes, lookedAt), batch.length, learned);
    const logpRef = await this.before.logProbabilities(looked, hasBans);
    const apart = looked.logpOld.reduce((n, x, i) => n + looked.mask[i] * (x - logpRef[i]), 0);
    const credit = creditOf(batch, looked === batch ? logpRef : batch.logpOld, baseline, this.settings);
    const updates = await this.update(index, batch, credit, hasBans);
    return { kl: apart / Math.max(1, looked.rows.length), ...updates };
  }

  private async update(index: number, batch: Batch, credit: Credit, hasBans: boolean): Promise<Metrics> {
    const { settings, policy, context } = this;
    const parts = minibatches(promptsIn(batch), settings.minibatches, new Random(seedFrom(context.seed, index)));
    const sums: Record<string, number> = {};
    const count = (name: string, value: number) => {
      sums[name] = (sums[name] ?? 0) + value / parts.length;
    };
    for (const [i, picked] of parts.entries()) {
      await context.turn?.();
      const layout = layOutUpdate(batch, picked, policy);
      const variant = `${shapeKey(layout.shape)} ${hasBans}`;
      await this.optimizer.prepare(variant, () => {
        const build = (graph: Graph) => policyObjective(graph, policy, layout.shape, settings, hasBans);
        const recompute = recomputes(settings.checkpoint, context.device, policy.trained, 1, build);
        return build(context.device.graph({ recompute }));
      });
      const rate = this.rate(index, i);
      const feeds = policyFeeds(policy, batch, credit, picked, layout, hasBans);
      const result = await this.optimizer.step([feeds], rate, variant);
      count('loss', result.loss);
      count('gradient_norm', result.gradientNorm);
      count('learning_rate', rate);
      for (const [name, values] of Object.entries(result.metrics[0])) count(name, values[0]);
    }
    return sums;
  }

  private rate(index: number, minibatch: number): number {
    const { learning_rate: peak, warmup: warmupSteps, steps, minibatches: each, floor } = this.settings;
    return learningRate({ peak, warmupSteps, steps: steps * each, floor }, index * each + minibatch);
  }

  /** The gradient of nothing. */
  zeros(): Float32Array[] {
    return this.optimizer.zeros();
  }

  /** An update from gradients that were added up elsewhere. */
  async apply(
    index: number,
    minibatch: number,
    gradients: readonly Float32Array[],
    loss: number,
  ): Promise<{ gradient_norm: number; learning_rate: number }> {
    const rate = this.rate(index, minibatch);
    return { gradient_norm: await this.optimizer.update(gradients, loss, rate), learning_rate: rate };
  }

  /** The policy of the start. */
  get reference(): ReferencePolicy {
    return this.before;
  }

  async save(): Promise<{ tensors: StageState['tensors']; updates: number }> {
    const { tensors, updates } = await this.optimizer.save();
    const reference = (await this.before.entries()).map(({ name, shape, data }) => ({
      name: `reference.${name}`,
      shape,
      dtype: 'F32' as const,
      data,
    }));
    return { tensors: [...toWrite(tensors), ...reference], updates };
  }

  /** @param tensors and updates as {@link save} gave them */
  async restore(tensors: ReturnType<typeof namedTensors>, updates: number): Promise<void> {
    await this.optimizer.restore(tensors, updates);
    const weights = new Map(
      [...tensors].flatMap(([name, { data }]) =>
        name.startsWith('reference.') ? [[name.slice('reference.'.length), data] as const] : [],
      ),
    );
    await this.before.dispose();
    this.before = await ReferencePolicy.create(this.context, this.policy, this.settings.temperature, weights);
  }

  async dispose(): Promise<void> {
    await this.optimizer.dispose();
    await this.before.dispose();
  }
}
