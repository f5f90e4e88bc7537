/** Batch decoding of a base model: prompts of any lengths in lockstep, with a key-value cache. */
import { Random } from '../random.ts';
import type { LanguageModel } from './language-model.ts';
import { modelErrors } from './model-errors.ts';
import { greedy, type Sampling, sample } from './sampling.ts';
import type { Stepper } from './step.ts';
import { StreamDecoder } from './tokenizer.ts';

export interface GenerateOptions {
  readonly maxNewTokens: number;
  /** Greedy, if not given. */
  readonly sampling?: Sampling;
  /** Seed of all rows, or one a row. What a row draws depends on its seed and its place only, not on other rows. */
  readonly seed?: number | readonly number[];
  /** A row ends before the first of these texts. Needs a model with a tokenizer. */
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal;
  /** Called for every new token, end tokens included, as it is chosen. */
  readonly onToken?: (row: number, id: number) => void;
}

export interface Generation {
  /** The new tokens, without the one that ended them. */
  readonly ids: Int32Array;
  /** Their text without special tokens; undefined for a model without a tokenizer. */
  readonly text: string | undefined;
  /** An end token, a stop text, or the limit of new tokens. */
  readonly finish: 'end' | 'stop' | 'length';
}

/** One sequence while it grows. */
class Row {
  readonly ids: number[] = [];
  finish: Generation['finish'] | undefined;
  private text = '';
  private readonly decoder: StreamDecoder | undefined;
  private readonly random: Random;

  constructor(
    model: LanguageModel,
    seed: number,
    private readonly stop: readonly string[],
  ) {
    this.random = new Random(seed);
    this.decoder =
      model.tokenizer === undefined
        ? undefined
        : new StreamDecoder(model.tokenizer, { skipSpecialTokens: true, continuation: true });
  }

  choose(logits: ArrayLike<number>, start: number, count: number, sampling: Sampling): number {
    return sample(logits, start, count, sampling, this.random);
  }

  push(id: number, ends: ReadonlySet<number>, limit: number): void {
    if (ends.has(id)) {
      this.finish = 'end';
      return;
    }
    this.ids.push(id);
    this.text += this.decoder?.push([id]) ?? '';
    const found = this.stop.map((text) => this.text.indexOf(text)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.text = this.text.slice(0, Math.min(...found));
      this.finish = 'stop';
    } else if (this.ids.length === limit) this.finish = 'length';
  }

  result(): Generation {
    const finish = this.finish ?? 'length';
    const rest = finish === 'stop' ? '' : (this.decoder?.flush() ?? '');
    return { ids: Int32Array.from(this.ids), text: this.decoder === undefined ? undefined : this.text + rest, finish };
  }
}

/**
 * Continues every prompt until an end token, a stop text or the limit.
 *
 * @param stepper of the base (`baseStepper`): outputs `logits [B,V]`
 * @param prompts token ids of each row, at least one each
 * @returns one result a prompt, in their order
 * @throws model.emptyPrompt, model.idOutOfRange, model.tooLong; the signal's reason when it is aborted
 */
export async function generate(
  stepper: Stepper,
  model: LanguageModel,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
): Promise<Generation[]> {
  const { maxNewTokens, sampling = greedy, seed = 0, stop = [], signal } = options;
  checkPrompts(model, prompts, maxNewTokens);
  const seedOf = (row: number) => (typeof seed === 'number' ? rowSeed(seed, row) : (seed[row] ?? 0));
  const rows = prompts.map((_, row) => new Row(model, seedOf(row), stop));
  if (rows.length === 0 || maxNewTokens === 0) return rows.map((row) => row.result());
  const { vocabSize } = model.config;
  const ends = model.endIds;
  const longest = Math.max(...prompts.map(({ length }) => length));
  const cache = await stepper.cache(rows.length, longest + maxNewTokens);
  try {
    let tokens: ArrayLike<number>[] = prompts.map((prompt) => Int32Array.from(prompt));
    while (rows.some((row) => row.finish === undefined)) {
      signal?.throwIfAborted();
      const { logits } = await stepper.advance(cache, tokens);
      const values = await logits.readFloats();
      tokens = rows.map((row, b) => {
        // A finished row stays in the batch and reads nothing more.
        if (row.finish !== undefined) return [];
        const id = row.choose(values, b * vocabSize, vocabSize, sampling);
        options.onToken?.(b, id);
        row.push(id, ends, maxNewTokens);
        return row.finish === undefined ? [id] : [];
      });
      logits.release();
    }
  } finally {
    cache.dispose();
  }
  return rows.map((row) => row.result());
}

/** The seed of one row of a batch: far from those of its neighbours, and equal to `seed` for the first. */
export function rowSeed(seed: number, row: number): number {
  return (seed ^ Math.imul(row, 0x9e3779b1)) >>> 0;
}

function checkPrompts(model: LanguageModel, prompts: readonly ArrayLike<number>[], maxNewTokens: number): void {
  const { vocabSize, maxPositionEmbeddings } = model.config;
  for (const prompt of prompts) {
    if (prompt.length === 0) throw modelErrors.emptyPrompt();
    for (let i = 0; i < prompt.length; i++) {
      const id = prompt[i];
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) throw modelErrors.idOutOfRange(id, vocabSize);
    }
    if (prompt.length >= maxPositionEmbeddings) throw modelErrors.tooLong(prompt.length, maxPositionEmbeddings);
    if (prompt.length + maxNewTokens > maxPositionEmbeddings) throw modelErrors.contextFull(maxPositionEmbeddings);
  }
}
