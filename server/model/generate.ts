/** Batch decoding: prompts of any lengths in lockstep, with a key-value cache. */
import { Random } from '../random.ts';
import type { LanguageModel } from './language-model.ts';
import { modelErrors } from './model-errors.ts';
import { greedy, type Sampling, sample } from './sampling.ts';
import type { Stepper } from './step.ts';
import { StreamDecoder } from './tokenizer/tokenizer.ts';

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

  constructor(
    model: LanguageModel,
    private readonly stop: readonly string[],
  ) {
    this.decoder =
      model.tokenizer === undefined
        ? undefined
        : new StreamDecoder(model.tokenizer, { skipSpecialTokens: true, continuation: true });
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

/** What reads the new tokens of every row and chooses the next one. */
export interface Chooser {
  /**
   * @param unread the tokens that each row has not read yet; none for a row that has ended
   * @param ended whether a row has ended: what is chosen for it is not looked at
   * @returns a token a row
   */
  next(unread: readonly ArrayLike<number>[], ended: (row: number) => boolean): Promise<ArrayLike<number>>;
  dispose(): void;
}

/**
 * Continues every prompt until an end token, a stop text or the limit.
 *
 * @param stepper of the base (`baseStepper`): outputs `logits [B,V]`, or `token [B]` for greedy decoding
 * @param prompts token ids of each row, at least one each
 * @returns one result a prompt, in their order
 * @throws model.emptyPrompt, model.idOutOfRange, model.tooLong; the signal's reason when it is aborted
 */
export function generate(
  stepper: Stepper,
  model: LanguageModel,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
): Promise<Generation[]> {
  const { sampling = greedy, seed = 0 } = options;
  return continueRows(model, prompts, options, (rows, room) =>
    tokenChooser(stepper, model, rows, room, sampling, seed),
  );
}

/** The base's own choice of tokens. */
async function tokenChooser(
  stepper: Stepper,
  model: LanguageModel,
  rows: number,
  room: number,
  sampling: Sampling,
  seed: number | readonly number[],
): Promise<Chooser> {
  const { vocabSize } = model.config;
  const random = Array.from({ length: rows }, (_, row) => new Random(seedOf(seed, row)));
  const cache = await stepper.cache(rows, room);
  return {
    async next(unread, ended) {
      const { logits, token } = await stepper.advance(cache, unread);
      if (token !== undefined) {
        const tokens = await token.read();
        token.release();
        return random.map((_, b) => (ended(b) ? 0 : Number(tokens[b])));
      }
      const values = await logits.readFloats();
      logits.release();
      return random.map((own, b) => (ended(b) ? 0 : sample(values, b * vocabSize, vocabSize, sampling, own)));
    },
    dispose: () => cache.dispose(),
  };
}

/**
 * {@link generate} with any way to choose.
 *
 * @param open a chooser for so many rows of at most so many tokens
 */
export async function continueRows(
  model: LanguageModel,
  prompts: readonly ArrayLike<number>[],
  { maxNewTokens, stop = [], signal, onToken }: Omit<GenerateOptions, 'sampling' | 'seed'>,
  open: (rows: number, room: number) => Promise<Chooser>,
): Promise<Generation[]> {
  checkPrompts(model, prompts, maxNewTokens);
  const rows = prompts.map(() => new Row(model, stop));
  if (rows.length === 0 || maxNewTokens === 0) return rows.map((row) => row.result());
  const ends = model.endIds;
  const longest = Math.max(...prompts.map(({ length }) => length));
  const chooser = await open(rows.length, longest + maxNewTokens);
  const ended = (row: number) => rows[row].finish !== undefined;
  try {
    let unread: ArrayLike<number>[] = prompts.map((prompt) => Int32Array.from(prompt));
    while (rows.some((row) => row.finish === undefined)) {
      signal?.throwIfAborted();
      const chosen = await chooser.next(unread, ended);
      unread = rows.map((row, b) => {
        // A finished row stays in the batch and reads nothing more.
        if (row.finish !== undefined) return [];
        const id = chosen[b];
        onToken?.(b, id);
        row.push(id, ends, maxNewTokens);
        return row.finish === undefined ? [id] : [];
      });
    }
  } finally {
    chooser.dispose();
  }
  return rows.map((row) => row.result());
}

/** The seed of a row, of one for all or one for each. */
export function seedOf(seed: number | readonly number[], row: number): number {
  return typeof seed === 'number' ? rowSeed(seed, row) : (seed[row] ?? 0);
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
