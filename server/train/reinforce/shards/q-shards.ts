/** Rounds of Q in shards: whole groups of a prompt, whose answers and h stay where they were made. */
import { z } from 'zod';
import { Random, seedFrom } from '../../../random.ts';
import type { RewardResult } from '../../../rewards/reward.ts';
import type { QSettings } from '../../../spec/settings/reinforcement.ts';
import { Gradients } from '../../optimizer/gradients.ts';
import type { Optimizer } from '../../optimizer/optimizer.ts';
import { OwnShards } from '../../shards/own-shards.ts';
import { RoundMemory } from '../../shards/round-memory.ts';
import { cut, type PartResult, type Payload, type Shards, type ShardWork } from '../../shards/shards.ts';
import { weighedSum } from '../../shards/weighed-sum.ts';
import { shapeKey } from '../../shared-prefix.ts';
import type { Metrics, StageContext } from '../../stage.ts';
import { type Batch, minibatches, promptsIn } from '../policy-gradient.ts';
import { choicesCounted, type QFunction } from '../q-function.ts';
import type { Start } from '../starts.ts';
import { judgement, minibatchWeights, sent, startsIn } from './shard.ts';

/** The weights of Q, by name. */
export interface QWeights {
  readonly learned: readonly string[];
  /** Those that learn and those of the target, which change too. */
  readonly changed: readonly string[];
}

/** What is known of a round before anything is learned from it. */
export interface QRound {
  readonly results: readonly RewardResult[];
  /** How many. */
  readonly updates: number;
  update(index: number, rate: number): Promise<{ readonly loss: number; readonly gradientNorm: number }>;
  /** Weights have changed: those of an update, and those of the target, if they did. */
  learned(): void;
}

const outcome = z.object({ results: z.array(judgement), weights: minibatchWeights });
const part = z.object({ minibatch: z.int().nonnegative() });

interface Kept {
  readonly batch: Batch;
  readonly parts: readonly (readonly number[])[];
}

export class QWork implements ShardWork {
  readonly sent: readonly string[];
  private readonly kept = new RoundMemory<Kept>();
  private readonly gradients: Gradients;

  constructor(
    private readonly context: StageContext,
    private readonly settings: QSettings,
    private readonly q: QFunction,
    { learned, changed }: QWeights,
  ) {
    this.sent = changed;
    this.gradients = new Gradients(context.device, learned, context.weights.state, context);
  }

  async begin(round: number, shard: number, input: Payload, signal: AbortSignal): Promise<z.input<typeof outcome>> {
    const { settings, context } = this;
    this.kept.begin(round);
    const batch = await this.q.rollouts(startsIn(input), signal);
    const random = new Random(seedFrom(context.seed, round, shard));
    const parts = minibatches(promptsIn(batch), settings.reuse, random);
    this.kept.keep(shard, { batch, parts });
    const weightOf = (picked: readonly number[]) => picked.reduce((n, b) => n + choicesCounted(batch, b), 0);
    return {
      results: batch.rows.flatMap((row) => row?.result ?? []),
      weights: Array.from({ length: settings.reuse }, (_, m) => weightOf(parts[m] ?? [])),
    };
  }

  async part(round: number, shard: number, asked: unknown): Promise<PartResult> {
    const { minibatch } = part.parse(asked);
    const kept = this.kept.of(round, shard);
    const picked = kept.parts[minibatch];
    if (picked === undefined)
      throw new Error(`nothing is kept of minibatch ${minibatch} of shard ${shard} of round ${round}`);
    await this.context.turn?.();
    const layout = this.q.layOut(kept.batch, picked);
    const feeds = this.q.feeds(kept.batch, picked, layout);
    const { loss, gradients } = await this.gradients.of(feeds, shapeKey(layout.shape), () => ({
      loss: this.q.objective(layout).loss,
    }));
    return { value: { loss, metrics: {} }, gradients };
  }

  /** Ends the programs; Q is that of whoever made it. */
  dispose(): Promise<void> {
    this.kept.clear();
    return this.gradients.dispose();
  }
}

export class QRounds {
  /** Undefined where a round is computed in one piece. */
  static of(
    context: StageContext,
    settings: QSettings,
    q: QFunction,
    weights: QWeights,
    optimizer: Optimizer,
  ): QRounds | undefined {
    const { sharding } = context;
    if (sharding === undefined) return undefined;
    const { learned, changed } = weights;
    const own = () => new OwnShards(new QWork(context, settings, q, weights));
    const shards = sharding.open?.({ learned, sent: changed, detail: null }) ?? own();
    return new QRounds(shards, sharding.count, settings, optimizer);
  }

  /** @param count shards of a round */
  private constructor(
    private readonly shards: Shards,
    private readonly count: number,
    private readonly settings: QSettings,
    private readonly optimizer: Optimizer,
  ) {}

  async run(index: number, starts: readonly Start[], signal: AbortSignal): Promise<QRound> {
    const { shards, optimizer, settings } = this;
    const parts = cut(starts, this.count);
    const read = (value: unknown, shard: number) => {
      const { results, weights } = outcome.parse(value);
      const answers = parts[shard].reduce((n, { seeds }) => n + seeds.length, 0);
      if (results.length !== answers) throw new Error(`it rolled out ${results.length} answers in place of ${answers}`);
      if (weights.length !== settings.reuse)
        throw new Error(`it has ${weights.length} minibatches in place of ${settings.reuse}`);
      return { results, weights };
    };
    const outcomes = await shards.begin(index, parts.map(sent), read, signal);
    return {
      results: outcomes.flatMap(({ results }) => results),
      updates: settings.reuse,
      async update(minibatch, rate) {
        const weights = outcomes.map((each) => each.weights[minibatch]);
        const zeros = () => optimizer.zeros();
        const { loss, gradients, release } = await weighedSum(shards, index, { minibatch }, weights, zeros);
        const gradientNorm = await optimizer.update(gradients, loss, rate);
        release();
        return { loss, gradientNorm };
      },
      learned: () => shards.learned(),
    };
  }

  figures(): Metrics {
    return this.shards.figures();
  }

  close(): Promise<void> {
    return this.shards.close();
  }
}
