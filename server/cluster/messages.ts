/** What a run and its workers say to each other: the worker greets, then each request has one answer. */
import { z } from 'zod';

const count = z.int().nonnegative();
const names = z.array(z.string());

/** Characters of what is shown to people. */
const longest = 2000;
/** Words of another process that people read: not without end, and nothing that a terminal would act on. */
const words = z.string().transform(wordsOf);

export function wordsOf(text: string): string {
  return text.slice(0, longest).replaceAll(/[^\P{Cc}\n]/gu, ' ');
}

export const hello = z.object({
  kind: z.literal('hello'),
  /** Of the package, and a hash of the program. */
  version: words,
  code: words,
  host: words,
  process: z.int(),
  /** Name of its processor. */
  cpu: words,
});
export type Hello = z.infer<typeof hello>;

export const request = z.discriminatedUnion('kind', [
  /** What it works for. Weights that earlier stages changed and those of the stage's start follow, in this order. */
  z.object({
    kind: z.literal('open'),
    spec: z.string(),
    specFile: z.string(),
    at: count,
    shards: count,
    detail: z.unknown(),
    origin: z.record(z.string(), z.string()),
    others: names,
    reference: names,
  }),
  /** A model to be measured, on pieces that `begin` brings. */
  z.object({ kind: z.literal('measure'), plan: z.unknown() }),
  /** The weights that change follow, in order. */
  z.object({ kind: z.literal('policy') }),
  /** What the shard is made from may have numbers that follow. */
  z.object({ kind: z.literal('begin'), round: count, shard: count, value: z.unknown() }),
  /** Some shards whose gradients are added up, each times its share. */
  z.object({
    kind: z.literal('sum'),
    round: count,
    part: z.unknown(),
    items: z.array(z.object({ shard: count, share: z.number() })),
  }),
]);
export type Request = z.infer<typeof request>;

const seconds = z.number().nonnegative();

export const answer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('done'), seconds }),
  z.object({ kind: z.literal('outcome'), seconds, value: z.unknown() }),
  /** The sum of the gradients follows, where there are any. */
  z.object({
    kind: z.literal('sum'),
    seconds,
    values: z.array(z.object({ shard: count, value: z.unknown() })),
  }),
  z.object({ kind: z.literal('error'), id: words, message: words, remedy: words }),
]);
export type Answer = z.infer<typeof answer>;
