/** Rounds of answers in shards: whole groups of prompts, and what is told of them as it goes over a line. */
import { z } from 'zod';
import { figure, type Payload } from '../../shards/shards.ts';
import type { Judged } from '../episode.ts';
import type { Start } from '../starts.ts';

/** What is told of an episode; all that learning from it takes stays where it was made. */
export type Told = Pick<
  Judged,
  'group' | 'choices' | 'tokens' | 'finished' | 'turns' | 'completion' | 'talk' | 'result'
>;

/** Count, mean and sum of squared distances from it. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

export interface ShardOutcome {
  /** Groups are counted within the shard. */
  readonly rows: readonly Told[];
  /** Spent on judging. */
  readonly seconds: number;
  /** Of the advantages of all valid choices. */
  readonly advantages: Moments;
  /** Sum of log pi - log pi_ref over the choices of some answers, and how many answers. */
  readonly apart: { readonly sum: number; readonly rows: number };
  /** What each minibatch's loss is averaged over here: samples or choices. */
  readonly weights: readonly number[];
}

const whole = z.int().nonnegative();
const prompt = z.object({
  text: z.string(),
  ids: z.array(z.int()).transform((ids) => Int32Array.from(ids)),
  row: z.record(z.string(), z.unknown()),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).optional(),
});
const starts = z.array(z.object({ prompt, seeds: z.array(whole) }));

export const sent = (list: readonly Start[]): Payload => ({
  value: list.map(({ prompt: { ids, ...rest }, seeds }) => ({ prompt: { ...rest, ids: [...ids] }, seeds })),
  arrays: [],
});

/** A prompt that comes twice is two groups. */
export const startsIn = ({ value }: Payload): Start[] =>
  starts.parse(value).map(({ prompt: { messages, ...own }, seeds }) => ({
    prompt: messages === undefined ? own : { ...own, messages },
    seeds,
  }));

export const judgement = z.union([
  z.object({ noScore: z.string() }),
  z.object({ value: z.number(), parts: z.record(z.string(), figure) }),
]);

/** What the loss of each minibatch is averaged over. */
export const minibatchWeights = z.array(z.number().nonnegative());

const told: z.ZodType<Told> = z.object({
  group: whole,
  choices: z.array(whole),
  tokens: z.array(whole),
  finished: z.boolean(),
  turns: z.array(z.object({ end: whole, reward: z.number() })),
  completion: z.string(),
  talk: z
    .object({
      exchanges: z.array(z.object({ said: z.string(), observation: z.string().nullable() })),
      ended: z.enum(['done', 'turns', 'tokens', 'failed']),
    })
    .optional(),
  result: judgement,
});

export const telling = ({ group, choices, tokens, finished, turns, completion, talk, result }: Judged): Told => ({
  group,
  choices,
  tokens,
  finished,
  turns,
  completion,
  ...(talk === undefined ? {} : { talk }),
  result,
});

const outcome: z.ZodType<ShardOutcome> = z.object({
  rows: z.array(told),
  weights: minibatchWeights,
  seconds: z.number(),
  advantages: z.object({ count: whole, mean: z.number(), squares: z.number() }),
  apart: z.object({ sum: z.number(), rows: whole }),
});

/** @throws Error where it is no outcome of a shard with these prompts */
export function outcomeOf(value: unknown, asked: readonly Start[], minibatches: number): ShardOutcome {
  const found = outcome.parse(value);
  const { rows, weights } = found;
  const groups = asked.flatMap(({ seeds }, g) => seeds.map(() => g));
  if (rows.length !== groups.length || rows.some(({ group }, i) => group !== groups[i]))
    throw new Error(`it rolled out ${rows.length} answers in place of ${groups.length}`);
  if (weights.length !== minibatches)
    throw new Error(`it has ${weights.length} minibatches in place of ${minibatches}`);
  return found;
}

/** A minibatch of a round. */
export const minibatchPart = z.object({
  minibatch: whole,
  /** Of a whole round: (A - mean) scale. Undefined where advantages stay as they are. */
  whitening: z.object({ mean: z.number(), scale: z.number() }).optional(),
});
export type Whitening = NonNullable<z.infer<typeof minibatchPart>['whitening']>;

/** Sums of parts as of the whole (Chan, Golub and LeVeque, 1979); the order counts. */
export function joined(parts: readonly Moments[]): Moments {
  let [count, mean, squares] = [0, 0, 0];
  for (const part of parts) {
    if (part.count === 0) continue;
    const all = count + part.count;
    const apart = part.mean - mean;
    mean += (apart * part.count) / all;
    squares += part.squares + (apart * apart * count * part.count) / all;
    count = all;
  }
  return { count, mean, squares };
}
