/** What a run and its workers say to each other: the worker greets, then each request has one answer. */
import { z } from 'zod';
import type { ShardOutcome } from '../train/reinforce/shards/shard.ts';

const count = z.int().nonnegative();
/** JSON has no NaN and no infinity. */
const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const names = z.array(z.string());

export const hello = z.object({
  kind: z.literal('hello'),
  /** Of the package, and a hash of the program. */
  version: z.string(),
  code: z.string(),
  host: z.string(),
  process: z.int(),
  /** Name of its processor. */
  cpu: z.string(),
});
export type Hello = z.infer<typeof hello>;

const prompt = z.object({
  text: z.string(),
  ids: z.array(z.int()).transform((ids) => Int32Array.from(ids)),
  row: z.record(z.string(), z.unknown()),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).optional(),
});

export const request = z.discriminatedUnion('kind', [
  /** What it works for. Weights that earlier stages changed and those of the stage's start follow, in this order. */
  z.object({
    kind: z.literal('open'),
    spec: z.string(),
    specFile: z.string(),
    at: count,
    shards: count,
    origin: z.record(z.string(), z.string()),
    others: names,
    reference: names,
  }),
  /** The weights that learn follow, in order. */
  z.object({ kind: z.literal('policy') }),
  z.object({
    kind: z.literal('rollout'),
    round: count,
    shard: count,
    starts: z.array(z.object({ prompt, seeds: z.array(count) })),
  }),
  z.object({
    kind: z.literal('gradient'),
    round: count,
    shard: count,
    minibatch: count,
    whitening: z.object({ mean: z.number(), scale: z.number() }).optional(),
  }),
]);
export type Request = z.infer<typeof request>;

const result = z.union([
  z.object({ noScore: z.string() }),
  z.object({ value: z.number(), parts: z.record(z.string(), figure) }),
]);

const told = z.object({
  group: count,
  choices: z.array(count),
  tokens: z.array(count),
  finished: z.boolean(),
  turns: z.array(z.object({ end: count, reward: z.number() })),
  completion: z.string(),
  result,
});

const outcome: z.ZodType<ShardOutcome> = z.object({
  rows: z.array(told),
  seconds: z.number(),
  advantages: z.object({ count, mean: z.number(), squares: z.number() }),
  apart: z.object({ sum: z.number(), rows: count }),
  weights: z.array(z.number().nonnegative()),
});

const seconds = z.number().nonnegative();

export const answer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('done'), seconds }),
  z.object({ kind: z.literal('outcome'), seconds, outcome }),
  /** The gradients follow. */
  z.object({ kind: z.literal('gradient'), seconds, loss: figure, metrics: z.record(z.string(), figure) }),
  z.object({ kind: z.literal('error'), id: z.string(), message: z.string(), remedy: z.string() }),
]);
export type Answer = z.infer<typeof answer>;
