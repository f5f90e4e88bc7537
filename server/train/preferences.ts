/** Preferences and scored answers as padded micro-batches, in a shuffled order with a state. */
import type { Row, Written } from '../data/rows.ts';
import { tokenRow } from '../data/token-row.ts';
import { ColaError } from '../errors.ts';
import { paddingOf, scoredPlace } from '../model/scores.ts';
import { columnAt } from '../schemas/columns.ts';
import type { RewardSettings } from '../spec/settings/reward.ts';
import { dataName, splitRows, templateOf, tokenizerOf } from './data.ts';
import { trainErrors } from './errors.ts';
import { Shuffled } from './shuffled.ts';
import type { StageContext } from './stage.ts';
import type { BatchSource, Feeds } from './supervised.ts';

/** Share of a file's rows that is held out. */
const heldOutShare = 1 / 10;
/** Problems of a task have neither preferences nor scores; a few show that. */
const taskRows = { train: 1, test: 1 };
const lengthStep = 16;

/** What is learned from at once: the texts that are scored, and the margin between the two or the score of the one. */
export interface Judgement {
  readonly texts: readonly Int32Array[];
  /** Tokens of the prompt in each text. */
  readonly prompts: readonly number[];
  readonly value: number;
}

/** Judgements as the inputs of a graph. @param weights with which their losses are added up, `[B]` */
export type LayOut = (picked: readonly Judgement[], weights: Float32Array, length: number, padId: number) => Feeds;

/** Token ids `[kB,T]`; of pairs the chosen ones before the rejected ones. */
export function textRows(picked: readonly Judgement[], length: number, padId: number) {
  const rows = picked[0].texts.flatMap((_, k) =>
    picked.map(({ texts, prompts }) => ({ text: texts[k], prompt: prompts[k] })),
  );
  const ids = new Int32Array(rows.length * length).fill(padId);
  for (const [row, { text }] of rows.entries()) ids.set(text, row * length);
  return { rows, ids };
}

/** For a model that scores: `ids [kB,T]`, `places [kB]` of the tokens that are scored, `values [B]` and `weights [B]`. */
export const scoredFeeds: LayOut = (picked, weights, length, padId) => {
  const { rows, ids } = textRows(picked, length, padId);
  const places = Int32Array.from(rows, ({ text }, row) => row * length + scoredPlace(text, padId));
  return { ids, places, values: Float32Array.from(picked, ({ value }) => value), weights };
};

/** Micro-batches of B judgements, with one T for all. */
export class JudgementBatches implements BatchSource {
  readonly length: number;
  private readonly order: Shuffled;

  constructor(
    readonly all: readonly Judgement[],
    private readonly batch: number,
    maxLength: number,
    private readonly padId: number,
    seed: number,
    private readonly layOut: LayOut,
  ) {
    const longest = all.reduce((most, { texts }) => Math.max(most, ...texts.map((text) => text.length)), 1);
    this.length = Math.min(maxLength, Math.ceil(longest / lengthStep) * lengthStep);
    this.order = new Shuffled(all.length, seed);
  }

  next(): Feeds {
    const picked = Array.from({ length: this.batch }, () => this.all[this.order.next()]);
    return this.feeds(picked, new Float32Array(this.batch).fill(1 / this.batch));
  }

  /** All once, in order; what fills up the last micro-batch weighs nothing. The mean of the losses is that over all. */
  inOrder(): Feeds[] {
    const { all, batch } = this;
    const batches = Math.ceil(all.length / batch);
    return Array.from({ length: batches }, (_, i) => {
      const at = Array.from({ length: batch }, (_, k) => i * batch + k);
      const weights = Float32Array.from(at, (n) => (n < all.length ? batches / all.length : 0));
      return this.feeds(
        at.map((n) => all[n % all.length]),
        weights,
      );
    });
  }

  private feeds(picked: readonly Judgement[], weights: Float32Array): Feeds {
    return this.layOut(picked, weights, this.length, this.padId);
  }

  get state() {
    return this.order.state;
  }

  restore(state: unknown): void {
    this.order.restore(state);
  }
}

/** Why rows are left out, in the words in which it is told. */
type Reason = 'without two answers' | 'without a score' | 'with equal answers' | 'longer than max_length';

type JudgementSettings = Pick<
  RewardSettings,
  | 'loss'
  | 'data'
  | 'held_out'
  | 'chat'
  | 'max_length'
  | 'evaluate_rows'
  | 'margin'
  | 'score'
  | 'epochs'
  | 'steps'
  | 'batch'
>;

/** The rows of a spec as micro-batches to learn from and to measure on. @throws train.noPairs, train.noScores, data.* */
export async function judgements(
  settings: JudgementSettings,
  cut: { readonly batch: number; readonly rows: number },
  context: StageContext,
  layOut: LayOut,
): Promise<{ batches: JudgementBatches; heldOut: JudgementBatches; measured: number; steps: number }> {
  const { data, held_out, max_length, evaluate_rows } = settings;
  const tokenizer = tokenizerOf(context);
  const template = settings.chat === false ? undefined : templateOf(context);
  const [endId] = context.base.endIds;
  const limit = Math.min(max_length, context.base.config.maxPositionEmbeddings);
  const left = new Map<Reason, number>();
  let columns: readonly string[] = [];
  const leave = (reason: Reason, row: Row) => {
    left.set(reason, (left.get(reason) ?? 0) + 1);
    if (columns.length === 0) columns = Object.keys(row.columns);
    return undefined;
  };
  const encode = (written: Written, row: Row) => {
    const { prompt, response } = tokenRow({ ...written, columns: row.columns }, tokenizer, template, endId ?? 0);
    return { text: Int32Array.from([...Array.from(prompt), ...Array.from(response)]), prompt: prompt.length };
  };
  const convert = (row: Row): Judgement | undefined => {
    const pairs = settings.loss === 'pairs';
    const { rejected } = row;
    if (pairs && rejected === undefined) return leave('without two answers', row);
    const value = numberOf(row, pairs ? settings.margin : settings.score);
    if (value === undefined) return leave('without a score', row);
    const encoded = [encode(row, row), ...(pairs && rejected !== undefined ? [encode(rejected, row)] : [])];
    const texts = encoded.map(({ text }) => text);
    if (texts.some(({ length }) => length > limit)) return leave('longer than max_length', row);
    if (texts.length === 2 && texts[0].join() === texts[1].join()) return leave('with equal answers', row);
    return { texts, prompts: encoded.map(({ prompt }) => prompt), value };
  };
  const nothing = (of: RewardSettings['data']) => {
    const counts = [...left].map(([reason, count]) => `${count} ${reason}`).join(', ');
    return settings.loss === 'pairs'
      ? trainErrors.noPairs(dataName(of), counts)
      : trainErrors.noScores(dataName(of), settings.score, counts, columns);
  };
  const rows = await splitRows(data, held_out, context, heldOutShare, taskRows, convert).catch((error: unknown) => {
    // Rows there are, but none to learn from.
    throw error instanceof ColaError && error.id === 'train.tooFewRows' && left.size > 0 ? nothing(data) : error;
  });
  if (rows.train.length === 0) throw nothing(data);
  if (rows.heldOut.length === 0) throw nothing(held_out ?? data);
  for (const [reason, count] of left) context.say(`${dataName(data)}: left out ${count} rows ${reason}`);
  const measured = rows.heldOut.slice(0, evaluate_rows);
  const padId = paddingOf(context.base);
  const make = (of: readonly Judgement[], each: number) =>
    new JudgementBatches(of, each, limit, padId, context.seed, layOut);
  const steps = settings.steps ?? Math.max(1, Math.ceil((rows.train.length * settings.epochs) / settings.batch));
  return {
    batches: make(rows.train, cut.rows),
    heldOut: make(measured, cut.batch),
    measured: measured.length,
    steps,
  };
}

/** A number, or the one in a column; undefined where the column holds none. */
function numberOf(row: Row, from: number | string): number | undefined {
  if (typeof from === 'number') return from;
  const found = columnAt(row.columns, from);
  const value = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
