/** Pieces of a measurement over many prompts, answered by workers: each piece is one that a single process would answer by itself. */
import { z } from 'zod';
import { Devices, type TakenDevice } from '../device/devices.ts';
import { precisionChoices } from '../protocol/precision.ts';
import type { Reward } from '../rewards/reward.ts';
import { rewardSpec } from '../rewards/schema.ts';
import { modulePathsIn } from '../spec/paths.ts';
import { tokenizerOf } from '../train/data.ts';
import { type PromptPiece, piecesOf, promptFigures } from '../train/measures/prompts.ts';
import type { Prompt } from '../train/reinforce/episode.ts';
import { answered } from '../train/reinforce/rollouts.ts';
import { judgement, sent, startsIn } from '../train/reinforce/shards/shard.ts';
import { modelHash, moduleHashes, modulesChanged, type Origin } from '../train/run/origin.ts';
import type { PartResult, Payload, Shards, ShardWork } from '../train/shards/shards.ts';
import { searchMeasure } from './report.ts';
import { PromptSearcher, type SearchFound, type SearchJob } from './search.ts';
import { Subject } from './subject.ts';
import { answering, rewardOf, type TaskMeasured, type TaskSpec, taskMeasured } from './task.ts';

const whole = z.int().nonnegative();

/** What a worker has to know of a measurement. */
const measurePlan = z.object({
  /** Folder of the model. */
  model: z.string(),
  /** The file whose folder paths of rewards are relative to. */
  specFile: z.string(),
  precision: z.enum(precisionChoices).optional(),
  decoding: z.enum(['actions', 'tokens']),
  device: z.string(),
  threads: z.int().positive(),
  task: z.object({
    reward: rewardSpec,
    max_new: z.int().positive(),
    temperature: z.number().nonnegative(),
    top_k: whole,
  }),
  search: searchMeasure,
  /** Hashes of the model and of what rewards are made from. */
  origin: z.record(z.string(), z.string()),
});
export type MeasurePlan = z.infer<typeof measurePlan>;

/** Opens workers for a measurement; how many threads each has is known to whoever made it. */
export type HireMeasurers = (plan: Omit<MeasurePlan, 'threads'>) => Shards;

const starts = z.unknown();
const sampling = z.object({ maxNew: z.int().positive(), temperature: z.number().nonnegative(), topK: whole });
const piece = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('answers'), starts, sampling }),
  /** One prompt with one seed. */
  z.object({ kind: z.literal('search'), starts, withQ: z.boolean(), longest: z.int().positive() }),
]);

const answers = z.array(z.object({ tokens: z.array(whole), completion: z.string(), result: judgement }));
const searched: z.ZodType<SearchFound> = z.record(
  z.string(),
  z.object({ reward: z.number(), tokens: whole, answers: whole }),
);

/** Hashes of what a measurement is made from. */
export async function originOfMeasure(
  { context: { base, cola } }: Subject,
  { task, search, specFile }: Pick<MeasurePlan, 'task' | 'search' | 'specFile'>,
): Promise<Origin> {
  const modules = await moduleHashes(modulePathsIn([task, search]), specFile);
  return { model: await modelHash(base, cola), ...modules };
}

/** A worker's part of a measurement. */
export class MeasureWork implements ShardWork {
  readonly sent: readonly string[] = [];
  private searcher: { readonly longest: number; readonly own: PromptSearcher } | undefined;
  private readonly actor;

  private constructor(
    private readonly plan: MeasurePlan,
    private readonly device: TakenDevice,
    private readonly subject: Subject,
    private readonly reward: Reward,
    private readonly picker: Reward | undefined,
  ) {
    this.actor = subject.actor(plan.task.top_k);
  }

  /**
   * @param value a {@link MeasurePlan}
   * @param refuse makes an error of what is not here as it is there
   * @throws what loading the model and its rewards throws
   */
  static async open(
    value: unknown,
    signal: AbortSignal,
    refuse: (changed: readonly string[]) => Error,
  ): Promise<MeasureWork> {
    const plan = measurePlan.parse(value);
    const { specFile, decoding, precision, task, search, threads } = plan;
    const device = await new Devices().take(plan.device, { threads });
    let subject: Subject | undefined;
    let reward: Reward | undefined;
    try {
      const loading = { decoding, precision, specFile, signal };
      subject = await Subject.load(device.device, plan.model, loading);
      const changed = modulesChanged(plan.origin, await originOfMeasure(subject, plan), plan.model, specFile);
      if (changed.length > 0) throw refuse(changed);
      reward = await rewardOf(task, subject);
      const picker = search.judge === undefined ? undefined : await rewardOf({ reward: search.judge }, subject);
      return new MeasureWork(plan, device, subject, reward, picker);
    } catch (error) {
      await reward?.close();
      subject?.dispose();
      await device.release();
      throw error;
    }
  }

  async begin(_round: number, _shard: number, { value }: Payload, signal: AbortSignal): Promise<unknown> {
    const asked = piece.parse(value);
    const given = startsIn({ value: asked.starts, arrays: [] });
    if (asked.kind === 'search') {
      const [{ prompt, seeds }] = given;
      return (await this.searching(asked.longest)).search({ prompt, seed: seeds[0] }, asked.withQ);
    }
    const { subject, reward, actor } = this;
    const rollouts = answered(actor, tokenizerOf(subject.context), reward);
    const { rows } = await rollouts.run(given, asked.sampling, signal);
    return rows.map(({ tokens, completion, result }) => ({ tokens, completion, result }));
  }

  private async searching(longest: number): Promise<PromptSearcher> {
    if (this.searcher?.longest === longest) return this.searcher.own;
    await this.searcher?.own.dispose();
    const { plan, subject, reward, picker } = this;
    const cola = subject.with('world', 'policy');
    if (cola === undefined) throw new Error('the model has no latent actions');
    const { task, search: settings } = plan;
    const own = new PromptSearcher(subject.context, cola, { task, reward, settings, picker }, longest);
    this.searcher = { longest, own };
    return own;
  }

  part(): Promise<PartResult> {
    throw new Error('nothing is learned in a measurement');
  }

  async dispose(): Promise<void> {
    await this.searcher?.own.dispose();
    await this.actor.dispose();
    await this.picker?.close();
    await this.reward.close();
    this.subject.dispose();
    await this.device.release();
  }
}

/** Workers of a measurement, as whoever measures has them. */
export class Measurers {
  private rounds = 0;

  constructor(private readonly shards: Shards) {}

  /** What {@link measureTask} comes to for each seed. */
  async answers(
    task: TaskSpec,
    prompts: readonly Prompt[],
    samples: number,
    seeds: readonly number[],
    signal: AbortSignal,
  ): Promise<TaskMeasured[]> {
    const bySeed = seeds.map((seed) => piecesOf(prompts, answering(task, samples, seed)));
    const all = bySeed.flatMap(({ greedy, sampled }) => [...greedy, ...sampled]);
    const inputs = all.map(({ starts: own, sampling: how }): Payload => {
      return { value: { kind: 'answers', starts: sent(own).value, sampling: how }, arrays: [] };
    });
    const read = (value: unknown, i: number) => {
      const found = answers.parse(value);
      const count = all[i].starts.reduce((n, { seeds: each }) => n + each.length, 0);
      if (found.length !== count) throw new Error(`it gave ${found.length} answers in place of ${count}`);
      return found;
    };
    const found = await this.shards.begin(this.rounds++, inputs, read, signal);
    const rows = found.values();
    const next = (pieces: readonly PromptPiece[]) => pieces.flatMap(() => rows.next().value ?? []);
    return bySeed.map((pieces) => {
      const greedy = next(pieces.greedy);
      return taskMeasured(promptFigures(greedy, next(pieces.sampled), samples, task.solved_at));
    });
  }

  search(
    jobs: readonly SearchJob[],
    withQ: boolean,
    longest: number,
    signal: AbortSignal,
  ): Promise<readonly SearchFound[]> {
    const inputs = jobs.map(({ prompt, seed }): Payload => {
      const own = sent([{ prompt, seeds: [seed] }]).value;
      return { value: { kind: 'search', starts: own, withQ, longest }, arrays: [] };
    });
    return this.shards.begin(this.rounds++, inputs, (value) => searched.parse(value), signal);
  }

  close(): Promise<void> {
    return this.shards.close();
  }
}
