/** Continuations of prefixes, all of the same length: end tokens are read on like any other, so that every text counts alike. */
import { type Decoder, forced } from '../cola/decoder.ts';
import type { KeyValueCache } from '../model/cache/key-value-cache.ts';
import type { Sampling } from '../model/sampling.ts';
import { sample } from '../model/sampling.ts';
import type { Stepper } from '../model/step.ts';
import type { Random } from '../random.ts';

/** Rows decoded at once. */
const rowLimit = 128;

/** Something that reads tokens and says what comes next. */
export interface Walker {
  cache(batch: number, tokens: number): Promise<KeyValueCache>;
  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache>;
  /** Reads new tokens of every row and gives the next one of each. */
  next(cache: KeyValueCache, tokens: readonly ArrayLike<number>[]): Promise<ArrayLike<number>>;
}

/** How actions are chosen: each code equally likely, drawn from the policy at a temperature, or its argmax. */
export type ActionChoice = 'uniform' | 'greedy' | { readonly temperature: number };

/** Continues by latent actions; the token is the world model's argmax. */
export function actionWalker(decoder: Decoder, choice: ActionChoice, random: Random): Walker {
  const n = decoder.numCodes;
  return {
    cache: (batch, tokens) => decoder.cache(batch, tokens),
    select: (from, rows, tokens) => decoder.select(from, rows, tokens),
    async next(cache, tokens) {
      const bias = new Float32Array(cache.batch * n);
      if (choice === 'uniform') for (let b = 0; b < cache.batch; b++) bias[b * n + random.integer(n)] = forced;
      if (typeof choice === 'object') for (let i = 0; i < bias.length; i++) bias[i] = random.gumbel();
      const temperature = typeof choice === 'object' ? choice.temperature : 1;
      return (await decoder.step(cache, tokens, bias, temperature)).token;
    },
  };
}

/** Continues by the base's tokens. The stepper's output is `logits [B,V]`. */
export function tokenWalker(stepper: Stepper, vocabSize: number, temperature: number, random: Random): Walker {
  const sampling: Sampling = { temperature, topK: 0, topP: 1 };
  return {
    cache: (batch, tokens) => stepper.cache(batch, tokens),
    select: (from, rows, tokens) => stepper.select(from, rows, tokens),
    async next(cache, tokens) {
      const { logits } = await stepper.advance(cache, tokens);
      const values = await logits.readFloats();
      logits.release();
      return Int32Array.from({ length: cache.batch }, (_, b) =>
        sample(values, b * vocabSize, vocabSize, sampling, random),
      );
    },
  };
}

/**
 * `samples` continuations of `length` tokens for every prefix.
 *
 * @param prefixes of one length, at least one token each
 * @returns `[P * samples]` rows in the order of the prefixes, new tokens only
 */
export async function continueTexts(
  walker: Walker,
  prefixes: readonly Int32Array[],
  samples: number,
  length: number,
  signal?: AbortSignal,
): Promise<Int32Array[]> {
  const size = Math.max(1, Math.floor(rowLimit / samples));
  const all: Int32Array[] = [];
  for (let at = 0; at < prefixes.length; at += size) {
    all.push(...(await continueSome(walker, prefixes.slice(at, at + size), samples, length, signal)));
  }
  return all;
}

async function continueSome(
  walker: Walker,
  prefixes: readonly Int32Array[],
  samples: number,
  length: number,
  signal: AbortSignal | undefined,
): Promise<Int32Array[]> {
  const room = prefixes[0].length + length;
  const rows = prefixes.flatMap((_, p) => new Array<number>(samples).fill(p));
  const shared = await walker.cache(prefixes.length, room);
  // All but the last token of a prefix is read once for all its samples.
  if (prefixes[0].length > 1)
    await walker.next(
      shared,
      prefixes.map((ids) => ids.subarray(0, -1)),
    );
  const cache = samples === 1 ? shared : await walker.select(shared, rows, room);
  if (cache !== shared) shared.dispose();
  try {
    const texts = rows.map(() => new Int32Array(length));
    let unread: ArrayLike<number>[] = rows.map((p) => prefixes[p].subarray(-1));
    for (let t = 0; t < length; t++) {
      signal?.throwIfAborted();
      const next = await walker.next(cache, unread);
      for (const [b, text] of texts.entries()) text[t] = next[b];
      unread = texts.map((text) => text.subarray(t, t + 1));
    }
    return texts;
  } finally {
    cache.dispose();
  }
}

/** Tokens drawn uniformly from the whole vocabulary. */
export function randomTexts(rows: number, length: number, vocabSize: number, random: Random): Int32Array[] {
  return Array.from({ length: rows }, () => Int32Array.from({ length }, () => random.integer(vocabSize)));
}
