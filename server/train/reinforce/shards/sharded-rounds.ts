/** A round from its shards: their outcomes, what is known of all of them together, and the updates. */
import type { ReinforceSettings } from '../../../spec/settings/reinforcement.ts';
import { trainErrors } from '../../errors.ts';
import { OwnShards } from '../../shards/own-shards.ts';
import { cut, type Shards } from '../../shards/shards.ts';
import { weighedSum } from '../../shards/weighed-sum.ts';
import type { Metrics, StageContext } from '../../stage.ts';
import type { Actor } from '../actor.ts';
import type { PolicyLearner, Recomputing } from '../learner.ts';
import type { Rollouts } from '../rollouts.ts';
import type { Start } from '../starts.ts';
import { joined, outcomeOf, type ShardOutcome, sent, type Told, type Whitening } from './shard.ts';
import { RolloutWork } from './shard-work.ts';

export interface Round {
  /** Of all shards, in order; groups are counted through. */
  readonly rows: readonly Told[];
  /** Waits until the policy has learned from it. */
  learn(): Promise<Metrics>;
  /** Spent on judging, by all who did together. */
  readonly judging: number;
}

export class Rounds {
  /** Undefined where a round is computed in one piece. */
  static of(
    context: StageContext,
    settings: ReinforceSettings & Recomputing,
    actor: Actor,
    learner: PolicyLearner,
    rollouts: Rollouts,
  ): Rounds | undefined {
    const { sharding } = context;
    if (sharding === undefined) return undefined;
    if (settings.resample > 0)
      throw trainErrors.setting(
        'reinforce',
        'resample',
        'a round that is cut into shards is sampled once; leave it out',
      );
    const { count, open } = sharding;
    const own = () => new RolloutWork(context, settings, count, actor, rollouts, () => learner.reference);
    const shards =
      open?.({ learned: actor.trained, reference: () => learner.start, detail: null }) ?? new OwnShards(own());
    return new Rounds(shards, count, learner, settings);
  }

  /** @param count shards of a round */
  private constructor(
    private readonly shards: Shards,
    private readonly count: number,
    private readonly learner: PolicyLearner,
    private readonly settings: ReinforceSettings,
  ) {}

  async run(index: number, starts: readonly Start[], signal: AbortSignal): Promise<Round> {
    const parts = cut(starts, this.count);
    const { minibatches } = this.settings;
    const read = (value: unknown, shard: number) => outcomeOf(value, parts[shard], minibatches);
    const outcomes = await this.shards.begin(index, parts.map(sent), read, signal);
    let before = 0;
    const rows = outcomes.flatMap(({ rows: own }, s) => {
      const counted = own.map((row) => ({ ...row, group: row.group + before }));
      before += parts[s].length;
      return counted;
    });
    return {
      rows,
      judging: outcomes.reduce((n, { seconds }) => n + seconds, 0),
      // Updates are not broken off, as in a round of one piece.
      learn: () => this.learn(index, outcomes),
    };
  }

  private async learn(index: number, outcomes: readonly ShardOutcome[]): Promise<Metrics> {
    const { settings } = this;
    const moments = joined(outcomes.map(({ advantages }) => advantages));
    const scale = 1 / Math.sqrt(moments.squares / Math.max(1, moments.count) + 1e-8);
    const whitening = settings.whiten ? { mean: moments.mean, scale } : undefined;
    const looked = outcomes.reduce((n, { apart }) => n + apart.rows, 0);
    const apart = outcomes.reduce((n, { apart: { sum } }) => n + sum, 0);
    const sums: Record<string, number> = {};
    for (let m = 0; m < settings.minibatches; m++) {
      const found = await this.update(index, m, outcomes, whitening);
      for (const [name, value] of Object.entries(found)) sums[name] = (sums[name] ?? 0) + value / settings.minibatches;
    }
    return { kl: apart / Math.max(1, looked), ...sums, ...this.shards.figures() };
  }

  /** One minibatch: what its shards' parts come to, each weighed by what its own loss is averaged over. */
  private async update(
    round: number,
    minibatch: number,
    outcomes: readonly ShardOutcome[],
    whitening: Whitening | undefined,
  ): Promise<Record<string, number>> {
    const weights = outcomes.map((outcome) => outcome.weights[minibatch]);
    const part = { minibatch, whitening };
    const { shards, learner } = this;
    const zeros = () => learner.zeros();
    const { loss, metrics, gradients, release } = await weighedSum(shards, round, part, weights, zeros);
    const update = await learner.apply(round, minibatch, gradients, loss);
    release();
    shards.learned();
    return { loss, ...metrics, ...update };
  }

  close(): Promise<void> {
    return this.shards.close();
  }
}
