/**
 * Rounds of search and learning in shards of prompts: the searches are what costs, and their lessons hold h, which is large. So
 * lessons stay where they were found, and gradients and figures come back.
 */
import { z } from 'zod';
import { Random, seedFrom } from '../../random.ts';
import type { ExpertSettings } from '../../spec/settings/expert.ts';
import { type Agreement, type Lesson, lessonRound, lessonShape, shapeName, weightOf } from '../lessons.ts';
import { Gradients } from '../optimizer/gradients.ts';
import type { Optimizer } from '../optimizer/optimizer.ts';
import { minibatches } from '../reinforce/policy-gradient.ts';
import { minibatchWeights, sent, startsIn } from '../reinforce/shards/shard.ts';
import type { Start } from '../reinforce/starts.ts';
import { RoundMemory } from '../shards/round-memory.ts';
import { cut, figure, type PartResult, type Payload, type Shards, type ShardWork } from '../shards/shards.ts';
import { weighedSum } from '../shards/weighed-sum.ts';
import type { Metrics, StageContext } from '../stage.ts';
import { disposeOf, type ExpertRound, type ExpertRounds, type LessonMaker } from './rounds.ts';
import type { Told } from './searches.ts';

const whole = z.int().nonnegative();
const told: z.ZodType<Told> = z.object({
  best: z
    .object({
      actions: z.array(whole),
      tokens: z.array(whole),
      reward: z.number().nullable(),
      parts: z.record(z.string(), figure),
    })
    .nullable(),
  rewards: z.array(z.number()),
  unscored: z.array(z.string()),
  tokens: whole,
  nodes: whole,
  lessons: whole,
});
const outcome = z.object({ told: z.array(told), weights: minibatchWeights });

/** A minibatch of a round, or all of its lessons, to be measured. */
const part = z.object({ minibatch: whole.nullable() });
const measured = z.object({ agreement: figure, entropy: figure });

interface Kept {
  readonly lessons: readonly Lesson[];
  readonly parts: readonly (readonly number[])[];
}

/** Disposes of its maker. */
export class ExpertWork implements ShardWork {
  readonly sent: readonly string[];
  private readonly kept = new RoundMemory<Kept>();
  private readonly gradients: Gradients;

  constructor(
    private readonly context: StageContext,
    private readonly settings: ExpertSettings,
    private readonly maker: LessonMaker,
  ) {
    this.sent = maker.trained;
    this.gradients = new Gradients(context.device, maker.trained, context.weights.state, context);
  }

  async begin(round: number, shard: number, input: Payload, signal: AbortSignal): Promise<unknown> {
    const { context, settings } = this;
    const { searches } = this.maker;
    this.kept.begin(round);
    // What other shards have left in the caches depends on who had which.
    await searches.forget();
    const lessons: Lesson[] = [];
    const each: Told[] = [];
    for (const { prompt, seeds } of startsIn(input)) {
      const found = await searches.search(prompt, seeds[0], signal);
      lessons.push(...found.lessons);
      each.push(found.told);
    }
    const parts = minibatches(lessons, settings.minibatches, new Random(seedFrom(context.seed, round, shard)));
    this.kept.keep(shard, { lessons, parts });
    const weights = Array.from({ length: settings.minibatches }, (_, m) =>
      weightOf((parts[m] ?? []).map((k) => lessons[k])),
    );
    return { told: each, weights };
  }

  async part(round: number, shard: number, asked: unknown): Promise<PartResult> {
    const { minibatch } = part.parse(asked);
    const { context } = this;
    const { model } = this.maker;
    const { lessons, parts } = this.kept.of(round, shard);
    if (minibatch === null) return { value: await model.measure(lessons), gradients: [] };
    await context.turn?.();
    const some = parts[minibatch].map((k) => lessons[k]);
    const shape = lessonShape(some);
    const { loss, metrics, gradients } = await this.gradients.of(model.feeds(some, shape), shapeName(shape), () =>
      model.objective(shape),
    );
    const own = Object.entries(metrics).map(([name, values]) => [name, values[0]] as const);
    return { value: { loss, metrics: Object.fromEntries(own) }, gradients };
  }

  async dispose(): Promise<void> {
    this.kept.clear();
    await this.gradients.dispose();
    await disposeOf(this.maker);
  }
}

type Outcome = z.output<typeof outcome>;

export class ShardedRounds implements ExpertRounds {
  /** @param count shards of a round */
  constructor(
    private readonly settings: ExpertSettings,
    private readonly shards: Shards,
    private readonly count: number,
    private readonly optimizer: Optimizer,
  ) {}

  async run(index: number, starts: readonly Start[], _: Random, signal: AbortSignal): Promise<ExpertRound> {
    const parts = cut(starts, this.count);
    const { minibatches: updates } = this.settings;
    const read = (value: unknown, shard: number): Outcome => {
      const found = outcome.parse(value);
      if (found.told.length !== parts[shard].length)
        throw new Error(`it searched ${found.told.length} prompts in place of ${parts[shard].length}`);
      if (found.weights.length !== updates)
        throw new Error(`it has ${found.weights.length} minibatches in place of ${updates}`);
      return found;
    };
    const outcomes = await this.shards.begin(index, parts.map(sent), read, signal);
    return {
      told: outcomes.flatMap((each) => each.told),
      learn: async () => ({ ...(await this.learn(index, outcomes)), ...this.shards.figures() }),
    };
  }

  private learn(index: number, outcomes: readonly Outcome[]): Promise<Metrics> {
    const { settings, shards, optimizer } = this;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const all = outcomes.map(({ weights }) => sum(weights));
    // Where prompts teach little, the last minibatches are empty in every shard.
    const minibatch = (m: number) => outcomes.map(({ weights }) => weights[m]);
    const taught = Array.from({ length: settings.minibatches }, (_, m) => m).filter((m) => sum(minibatch(m)) > 0);
    return lessonRound(
      settings,
      index,
      taught.length,
      () => this.measure(index, all),
      async (number, rate) => {
        const weights = minibatch(taught[number]);
        const zeros = () => optimizer.zeros();
        const asked = { minibatch: taught[number] };
        const { loss, metrics, gradients, release } = await weighedSum(shards, index, asked, weights, zeros);
        const gradientNorm = await optimizer.update(gradients, loss, rate);
        release();
        shards.learned();
        return { loss, gradientNorm, metrics };
      },
    );
  }

  /** Of the policy as it is, over the lessons of all shards by weight. */
  private async measure(round: number, weights: readonly number[]): Promise<Agreement> {
    const total = weights.reduce((a, b) => a + b, 0);
    const shares = weights.map((weight) => weight / total);
    const { values, release } = await this.shards.sum({ round, part: { minibatch: null }, shares, gradients: false });
    release();
    let [agreement, entropy] = [0, 0];
    for (const { shard, value } of values) {
      const own = measured.parse(value);
      agreement += shares[shard] * own.agreement;
      entropy += shares[shard] * own.entropy;
    }
    return { agreement, entropy };
  }

  dispose(): Promise<void> {
    return this.shards.close();
  }
}
