/**
 * What the base alone offers at a place: the controls of a choice by latent actions. The last word at the cursor is healed as
 * it is for them, and exactly: a first token may go on from what was typed, or follow it, each by its probability.
 */
import { Vocabulary } from '../../completion/healing.ts';
import { promptTokens } from '../../completion/prompt.ts';
import { endOfLine } from '../../completion/stop.ts';
import type { Device } from '../../device/device.ts';
import type { KeyValueCache } from '../../model/cache/key-value-cache.ts';
import { baseStepper, type LanguageModel } from '../../model/language-model.ts';
import { argmaxOf, inverseCdf } from '../../model/sampling.ts';
import type { Stepper } from '../../model/step.ts';
import type { Tokenizer } from '../../model/tokenizer/tokenizer.ts';
import type { Random } from '../../random.ts';

/** A text that is offered, and what the base thinks of it. */
export interface Offer {
  readonly text: string;
  /** -log p of its tokens under the base, a token; those that were typed already are given. */
  readonly nats: number;
}

/** Tokens behind the part of the prompt that was read, with the log-probability of each. */
interface WriterRow {
  readonly ids: readonly number[];
  readonly each: readonly number[];
}

const total = ({ each }: WriterRow): number => each.reduce((sum, x) => sum + x, 0);

/** A place that was read. */
export interface ReadPlace {
  readonly cache: KeyValueCache;
  /** What was typed of the next word. */
  readonly typed: string;
  /** The tokens of that. */
  readonly tail: readonly number[];
  /** All that a text may begin with. */
  readonly beginnings: readonly WriterRow[];
  /** Logits behind what was read. */
  readonly ahead: Float32Array;
}

/** log softmax of row b of logits. */
function logProbabilities(logits: Float32Array, b: number, size: number): Float64Array {
  const start = b * size;
  const top = logits[start + argmaxOf(logits, start, size)];
  let sum = 0;
  for (let i = 0; i < size; i++) sum += Math.exp(logits[start + i] - top);
  const shift = top + Math.log(sum);
  const logp = new Float64Array(size);
  for (let i = 0; i < size; i++) logp[i] = logits[start + i] - shift;
  return logp;
}

/** One of many at a temperature, by their log-probabilities. */
function drawn(logp: ArrayLike<number>, temperature: number, random: Random): number {
  const top = logp[argmaxOf(logp, 0, logp.length)];
  const p = new Float64Array(logp.length);
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    p[i] = Math.exp((logp[i] - top) / temperature);
    sum += p[i];
  }
  return inverseCdf(p, random.uniform() * sum);
}

/** A text on its way: how it begins, and what follows by log-probabilities and place; -1 ends it. */
interface Writing {
  readonly first: readonly number[];
  readonly next: (logp: Float64Array, at: number) => number;
}

/** Indices of the n largest, the largest first. */
function largest(values: ArrayLike<number>, n: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === n && values[i] <= values[best[n - 1]]) continue;
    let at = best.length;
    while (at > 0 && values[best[at - 1]] < values[i]) at--;
    best.splice(at, 0, i);
    if (best.length > n) best.pop();
  }
  return best;
}

export class BaseWriter {
  private readonly stepper: Stepper;
  private readonly vocabulary: Vocabulary;
  private readonly size: number;

  /**
   * @param rows texts that are written at once
   * @param maxTokens longest text
   */
  constructor(
    device: Device,
    private readonly base: LanguageModel,
    private readonly tokenizer: Tokenizer,
    private readonly context: number,
    readonly rows: number,
    readonly maxTokens: number,
  ) {
    this.stepper = baseStepper(device, base);
    this.size = base.config.vocabSize;
    this.vocabulary = new Vocabulary(tokenizer, this.size);
  }

  /** Reads a place. The caller disposes its cache. */
  async read(prefix: string): Promise<ReadPlace> {
    const room = this.context - this.maxTokens - 1;
    const place = { prefix, suffix: '', fill: false };
    const prompt = promptTokens(this.tokenizer, undefined, place, room, this.vocabulary);
    const start = prompt.healed?.tokens ?? prompt.tokens;
    const capacity = prompt.tokens.length + this.maxTokens;
    const cache = await this.stepper.cache(1, capacity);
    const ahead = await this.logits(cache, [start]);
    if (prompt.healed === undefined) {
      const beginnings = this.beginnings(
        ahead,
        { ids: [], each: [] },
        (token) => !this.vocabulary.blankAgain(prefix, token),
      );
      return { cache, typed: '', tail: [], beginnings, ahead };
    }
    const { text } = prompt.healed.tail;
    const tail = prompt.tokens.slice(prompt.healed.tokens.length);
    const bias = this.vocabulary.biasFor(text, 1);
    const going = this.beginnings(ahead, { ids: [], each: [] }, (token) => bias[token] === 0);
    const complete = await this.stepper.select(cache, [0], capacity);
    try {
      let logits = ahead;
      const each: number[] = [];
      for (const id of tail) {
        each.push(logProbabilities(logits, 0, this.size)[id]);
        logits = await this.logits(complete, [[id]]);
      }
      const behind = this.beginnings(
        logits,
        { ids: tail, each },
        (token) => !this.vocabulary.blankAgain(prefix, token),
      );
      return { cache, typed: text, tail, beginnings: [...going, ...behind], ahead };
    } finally {
      complete.dispose();
    }
  }

  private beginnings(logits: Float32Array, { ids, each }: WriterRow, fits: (token: number) => boolean): WriterRow[] {
    const own = logProbabilities(logits, 0, this.size);
    const found: WriterRow[] = [];
    for (let id = 0; id < this.size; id++)
      if (!this.base.endIds.has(id) && fits(id)) found.push({ ids: [...ids, id], each: [...each, own[id]] });
    return found;
  }

  /** The text of tokens, without what was typed, up to the end of the line; and how many of the tokens are in it. */
  private lineOf(ids: readonly number[], typed: string): { text: string; count: number; ended: boolean } {
    const all = this.tokenizer.decode(ids, { skipSpecialTokens: true, continuation: true }).slice(typed.length);
    const cut = endOfLine(all);
    if (cut === undefined) return { text: all, count: ids.length, ended: false };
    let count = ids.length;
    const upTo = (n: number) =>
      this.tokenizer.decode(ids.slice(0, n), { skipSpecialTokens: true, continuation: true }).length - typed.length;
    while (count > 1 && upTo(count - 1) >= cut.length) count--;
    return { text: all.slice(0, cut.length), count, ended: true };
  }

  private offer(ids: readonly number[], each: readonly number[], { typed, tail }: ReadPlace): Offer {
    const { text, count } = this.lineOf(ids, typed);
    const given = tail.length > 0 && tail.every((id, i) => ids[i] === id) ? tail.length : 0;
    const own = each.slice(given, Math.max(count, given + 1));
    return { text, nats: -own.reduce((sum, x) => sum + x, 0) / own.length };
  }

  /** `rows` texts of each way in one batch: the likeliest first tokens continued by the likeliest, and drawn at temperatures. */
  async alone(
    place: ReadPlace,
    temperatures: readonly number[],
    random: Random,
    signal: AbortSignal,
  ): Promise<{ firstTokens: Offer[]; sampled: Offer[][] }> {
    const { beginnings } = place;
    const logp = beginnings.map(total);
    const likeliest = (each: ArrayLike<number>) => argmaxOf(each, 0, each.length);
    const greedy = largest(logp, this.rows).map((i): Writing => ({ first: beginnings[i].ids, next: likeliest }));
    const warm = temperatures.map((temperature) => {
      // Of its own, for texts of all ways take turns.
      const own = random.fork();
      return Array.from({ length: this.rows }, (): Writing => {
        const next = (each: ArrayLike<number>) => drawn(each, temperature, own);
        return { first: beginnings[next(logp)].ids, next };
      });
    });
    const offers = await this.continued(place, [...greedy, ...warm.flat()], signal);
    const [firstTokens, ...sampled] = [greedy, ...warm].map(({ length }) => offers.splice(0, length));
    return { firstTokens, sampled };
  }

  /** What the base thinks of texts that others wrote. @param texts their tokens, with those that were typed */
  async scored(place: ReadPlace, texts: readonly (readonly number[])[], signal: AbortSignal): Promise<Offer[]> {
    const given = texts.map((ids): Writing => ({ first: ids.slice(0, 1), next: (_, at) => ids[at] ?? -1 }));
    const offers: Offer[] = [];
    for (let from = 0; from < given.length; from += this.rows)
      offers.push(...(await this.continued(place, given.slice(from, from + this.rows), signal)));
    return offers;
  }

  private async continued(place: ReadPlace, texts: readonly Writing[], signal: AbortSignal): Promise<Offer[]> {
    // Programs are for a number of rows: those of a way, or of all together.
    const count = Math.ceil(texts.length / this.rows) * this.rows;
    const rows = Array.from({ length: count }, (_, b) => ({
      ids: [...(texts[b] ?? texts[0]).first],
      each: [] as number[],
      done: b >= texts.length,
    }));
    // The cache has read all of the prompt; what it says of the first token is known from there.
    const cache = await this.stepper.select(place.cache, new Array<number>(count).fill(0), place.cache.capacity - 1);
    try {
      let [at, known] = [0, place.ahead];
      while (rows.some(({ done }) => !done)) {
        signal.throwIfAborted();
        for (const [b, row] of rows.entries()) {
          if (row.done) continue;
          const logp = logProbabilities(known, known.length === this.size ? 0 : b, this.size);
          const id = at < row.ids.length ? row.ids[at] : texts[b].next(logp, at);
          if (id < 0 || this.base.endIds.has(id)) {
            row.done = true;
            continue;
          }
          if (at === row.ids.length) row.ids.push(id);
          row.each.push(logp[id]);
          const { ended } = this.lineOf(row.ids.slice(0, at + 1), place.typed);
          row.done = at + 1 >= this.maxTokens || (ended && at + 1 >= row.ids.length);
        }
        if (rows.every(({ done }) => done)) break;
        known = await this.logits(
          cache,
          rows.map((row) => [row.ids[at] ?? 0]),
        );
        at++;
      }
    } finally {
      cache.dispose();
    }
    return texts.map((_, b) => this.offer(rows[b].ids, rows[b].each, place));
  }

  /** The texts that a beam of width `rows` finds, the most probable ones a token first. */
  async beam(place: ReadPlace, signal: AbortSignal): Promise<Offer[]> {
    const mean = (row: WriterRow) => total(row) / row.each.length;
    const ended: WriterRow[] = [];
    const goesOn = (row: WriterRow): boolean => {
      const over = row.ids.length >= this.maxTokens || this.lineOf(row.ids, place.typed).ended;
      if (over) ended.push(row);
      return !over;
    };
    let live = largest(place.beginnings.map(total), this.rows)
      .map((i) => place.beginnings[i])
      .filter(goesOn);
    let unread = live.map(({ ids }) => ids);
    let from: readonly number[] = live.map(() => 0);
    let cache = place.cache;
    try {
      while (live.length > 0) {
        signal.throwIfAborted();
        const padded = <T>(values: readonly T[]) => Array.from({ length: this.rows }, (_, b) => values[b] ?? values[0]);
        const next = await this.stepper.select(cache, padded(from), place.cache.capacity - 1);
        if (cache !== place.cache) cache.dispose();
        cache = next;
        const logits = await this.logits(cache, padded(unread));
        const grown = live.flatMap((row, b) => {
          const own = logProbabilities(logits, b, this.size);
          return largest(own, this.rows).map((id) => ({ b, id, row, logp: own[id], sum: total(row) + own[id] }));
        });
        grown.sort((x, y) => y.sum - x.sum);
        const kept: { row: WriterRow; b: number }[] = [];
        for (const { b, id, row, logp } of grown.slice(0, this.rows)) {
          const longer = { ids: [...row.ids, id], each: [...row.each, logp] };
          if (this.base.endIds.has(id)) ended.push({ ids: row.ids, each: longer.each });
          else if (goesOn(longer)) kept.push({ row: longer, b });
        }
        live = kept.map(({ row }) => row);
        unread = live.map(({ ids }) => ids.slice(-1));
        from = kept.map(({ b }) => b);
      }
    } finally {
      if (cache !== place.cache) cache.dispose();
    }
    ended.sort((x, y) => mean(y) - mean(x));
    const offers = new Map<string, Offer>();
    for (const { ids, each } of ended) {
      const offer = this.offer(ids, each, place);
      if (!offers.has(offer.text)) offers.set(offer.text, offer);
    }
    return [...offers.values()].slice(0, this.rows);
  }

  private async logits(cache: KeyValueCache, tokens: readonly (readonly number[])[]): Promise<Float32Array> {
    const { logits } = await this.stepper.advance(cache, tokens);
    const values = await logits.readFloats();
    logits.release();
    return values;
  }

  dispose(): Promise<void> {
    return this.stepper.dispose();
  }
}
