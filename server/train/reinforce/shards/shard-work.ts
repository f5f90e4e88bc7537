/** What is computed of a shard, in whichever process: answers, their judgement, and its part of each minibatch's gradient. */
import type { Graph } from '../../../graph/tensor.ts';
import { Random, seedFrom } from '../../../random.ts';
import type { ReinforceSettings } from '../../../spec/settings/reinforcement.ts';
import { algorithmOf } from '../../algorithms/index.ts';
import { Gradients } from '../../optimizer/gradients.ts';
import { recomputes } from '../../run/recompute.ts';
import { RoundMemory } from '../../shards/round-memory.ts';
import type { PartResult, Payload, ShardWork } from '../../shards/shards.ts';
import { shapeKey } from '../../shared-prefix.ts';
import type { StageContext } from '../../stage.ts';
import type { Actor } from '../actor.ts';
import { whitened } from '../advantages.ts';
import { scoreOf } from '../episode.ts';
import { learnsFrom, lookedAt, type Recomputing, wholeGroups } from '../learner.ts';
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
  type ReferencePolicy,
} from '../policy-gradient.ts';
import type { Rollouts } from '../rollouts.ts';
import { shortened } from '../rounds.ts';
import type { Start } from '../starts.ts';
import { type Moments, minibatchPart, type ShardOutcome, startsIn, telling } from './shard.ts';

/** A shard between its rollout and its last gradient. */
interface Kept {
  readonly batch: Batch;
  /** With advantages that are not whitened yet. */
  readonly credit: Credit;
  readonly parts: readonly (readonly number[])[];
  readonly hasBans: boolean;
}

export class RolloutWork implements ShardWork {
  readonly sent: readonly string[];
  private readonly kept = new RoundMemory<Kept>();
  private readonly gradients: Gradients;

  /**
   * @param shards of a round
   * @param reference the policy at the start of the stage
   */
  constructor(
    private readonly context: StageContext,
    private readonly settings: ReinforceSettings & Recomputing,
    private readonly shards: number,
    private readonly actor: Actor,
    private readonly rollouts: Rollouts,
    private readonly reference: () => ReferencePolicy,
  ) {
    this.sent = actor.trained;
    this.gradients = new Gradients(context.device, actor.trained, context.weights.state, context);
  }

  async begin(round: number, shard: number, input: Payload, signal: AbortSignal): Promise<ShardOutcome> {
    const { settings, context } = this;
    this.kept.begin(round);
    const own = startsIn(input);
    const sampling = { maxNew: settings.max_new, temperature: settings.temperature, topK: settings.top_k };
    const { rows: judged, seconds } = await this.rollouts.run(own, sampling, signal);
    const rows = shortened(judged, settings);
    const learned = learnsFrom(settings);
    const greedy = algorithmOf(settings.algorithm).greedy ? await this.greedy(own, signal) : undefined;
    const batch = layOut(rows, 1, learned);
    const hasBans = rows.some(({ banned }) => banned.length > 0);
    const wholly = settings.kl > 0 || settings.kl_loss > 0;
    const looked = wholly ? batch : layOut(wholeGroups(rows, Math.ceil(lookedAt / this.shards)), batch.length, learned);
    const logpRef = await this.reference().logProbabilities(looked, hasBans);
    const sum = looked.logpOld.reduce((n, x, i) => n + looked.mask[i] * (x - logpRef[i]), 0);
    const baseline = greedy === undefined ? undefined : rows.map(({ group }) => greedy[group]);
    const credit = creditOf(batch, wholly ? logpRef : batch.logpOld, baseline, { ...settings, whiten: false });
    const random = new Random(seedFrom(context.seed, round, shard));
    const parts = minibatches(promptsIn(batch), settings.minibatches, random);
    this.kept.keep(shard, { batch, credit, parts, hasBans });
    return {
      rows: judged.map(telling),
      seconds,
      advantages: momentsOf(batch, credit.advantages),
      apart: { sum, rows: looked.rows.length },
      weights: Array.from({ length: settings.minibatches }, (_, m) => this.weightOf(batch, parts[m] ?? [])),
    };
  }

  private async greedy(starts: readonly Start[], signal: AbortSignal): Promise<(number | undefined)[]> {
    const sampling = { maxNew: this.settings.max_new, temperature: 0, topK: 0 };
    const each = starts.map(({ prompt }) => ({ prompt, seeds: [0] }));
    const { rows } = await this.rollouts.run(each, sampling, signal);
    return rows.map(({ result }) => scoreOf(result));
  }

  /** What the loss of some rows is averaged over. */
  private weightOf({ mask, length }: Batch, picked: readonly number[]): number {
    const counts = picked.map((b) => mask.subarray(b * length, (b + 1) * length).reduce((n, x) => n + x, 0));
    return this.settings.loss === 'token'
      ? counts.reduce((a, b) => a + b, 0)
      : counts.filter((count) => count > 0).length;
  }

  async part(round: number, shard: number, asked: unknown): Promise<PartResult> {
    const { minibatch, whitening } = minibatchPart.parse(asked);
    const { settings, actor, context } = this;
    const kept = this.kept.of(round, shard);
    const picked = kept.parts[minibatch];
    if (picked === undefined)
      throw new Error(`nothing is kept of minibatch ${minibatch} of shard ${shard} of round ${round}`);
    const { batch, hasBans } = kept;
    const { advantages } = kept.credit;
    const credit =
      whitening === undefined ? kept.credit : { ...kept.credit, advantages: whitened(batch, advantages, whitening) };
    await context.turn?.();
    const layout = layOutUpdate(batch, picked, actor);
    const result = await this.gradients.of(
      policyFeeds(actor, batch, credit, picked, layout, hasBans),
      `${shapeKey(layout.shape)} ${hasBans}`,
      () => {
        const build = (graph: Graph) => policyObjective(graph, actor, layout.shape, settings, hasBans);
        const recompute = recomputes(settings.checkpoint, context.device, actor.trained, 1, build);
        return build(context.device.graph({ recompute }));
      },
    );
    const metrics = Object.entries(result.metrics).map(([name, values]) => [name, values[0]] as const);
    return { value: { loss: result.loss, metrics: Object.fromEntries(metrics) }, gradients: result.gradients };
  }

  /** Ends the programs; policy, rollouts and reference are those of whoever made them. */
  dispose(): Promise<void> {
    this.kept.clear();
    return this.gradients.dispose();
  }
}

/** Of the values where the mask is 1. */
function momentsOf({ mask }: Batch, values: Float64Array): Moments {
  const counted = values.filter((_, i) => mask[i] !== 0);
  const mean = counted.reduce((a, b) => a + b, 0) / Math.max(1, counted.length);
  return { count: counted.length, mean, squares: counted.reduce((a, b) => a + (b - mean) ** 2, 0) };
}
