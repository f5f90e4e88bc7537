/**
 * Answers that are decoded together. Each step reads the last token of every answer and chooses the next; an answer that
 * ends makes room for the next in line between two steps (continuous batching: Orca, Yu et al. 2022). A prompt is read in
 * pieces between the steps, so that a long one does not hold up the others, and once for all its answers.
 */
import type { KeyValueCache } from '../model/cache/key-value-cache.ts';
import { FairQueue } from './fair-queue.ts';
import type { TokenChance } from './log-probabilities.ts';
import type { Chosen, Voice, Wish } from './voice.ts';

/** Tokens of a prompt that are read between two steps. */
const tokensAtOnce = 128;

/** One answer. */
export interface Answer extends Wish {
  /** Takes the next token. @returns whether the answer goes on */
  take(chosen: Chosen): boolean;
}

/** A prompt with its answers. */
export interface Order {
  /** Who asks: clients take turns. */
  readonly client: string;
  readonly prompt: Int32Array;
  readonly answers: readonly Answer[];
  /** Tokens that an answer has at most. */
  readonly maxTokens: number;
  /** How many of the likeliest tokens are told beside each of the prompt; undefined tells nothing of the prompt. */
  readonly echoLogprobs?: number;
  readonly signal: AbortSignal;
  /** Takes what is told of the prompt's tokens, the first apart. */
  takePrompt?(chances: readonly TokenChance[]): void;
  /** Told when all answers have ended. */
  done(): void;
  failed(error: unknown): void;
}

interface Row {
  readonly order: Order;
  readonly answer: Answer;
  last: number;
}

/** An order whose prompt is being read. */
interface Reading {
  readonly order: Order;
  readonly cache: KeyValueCache;
  /** Tokens that are read. */
  at: number;
  readonly chances: TokenChance[];
  /** Whether they were handed over. */
  told: boolean;
  readonly waiting: Answer[];
}

export class Batch {
  private readonly queue = new FairQueue<Order>();
  private readonly left = new Map<Order, number>();
  private rows: (Row | undefined)[] = [];
  private cache: KeyValueCache | undefined;
  private reading: Reading | undefined;

  /**
   * @param parallel answers that are decoded together at most
   * @param chanceOf of a prompt's token, from the logits before it
   * @param piece tokens of a prompt that are read between two steps
   */
  constructor(
    private readonly voice: Voice,
    private readonly parallel: number,
    private readonly chanceOf: (logits: Float32Array, start: number, id: number, k: number) => TokenChance,
    private readonly vocabSize: number,
    private readonly piece = tokensAtOnce,
  ) {}

  /** Answers that wait or are written. */
  get load(): number {
    return this.active + this.waiting;
  }

  /** Answers that have not begun. */
  waiting = 0;

  private get active(): number {
    return this.rows.filter((row) => row !== undefined).length;
  }

  add(order: Order): void {
    this.queue.push(order.client, order);
    this.waiting += order.answers.length;
  }

  /** Reads a piece of a prompt and takes a step of all answers. @returns whether there is more to do */
  async step(): Promise<boolean> {
    this.sweep();
    try {
      await this.read();
    } catch (error) {
      this.failReading(error);
    }
    try {
      await this.choose();
    } catch (error) {
      // What was computed for all of them failed: none can go on.
      for (const row of this.rows) if (row !== undefined) this.failOrder(row.order, error);
      this.clear();
    }
    await this.shrink();
    return this.active > 0 || this.reading !== undefined || this.queue.length > 0;
  }

  /** Leaves out whom nobody waits for any more. */
  private sweep(): void {
    for (const order of this.queue.drop(({ signal }) => signal.aborted)) {
      this.waiting -= order.answers.length;
      order.failed(order.signal.reason);
    }
    for (const [slot, row] of this.rows.entries())
      if (row?.order.signal.aborted === true) {
        this.rows[slot] = undefined;
        this.failOrder(row.order, row.order.signal.reason);
      }
    if (this.reading?.order.signal.aborted === true) this.failReading(this.reading.order.signal.reason);
  }

  private async read(): Promise<void> {
    const reading = this.reading ?? (await this.next());
    if (reading === undefined) return;
    const { order, cache, chances } = reading;
    // The last token is read by the first step, with whose logits each answer begins.
    const end = order.prompt.length - 1;
    if (reading.at < end) {
      const start = reading.at;
      const ids = order.prompt.subarray(start, Math.min(start + this.piece, end));
      const k = order.echoLogprobs;
      let next = start + 1;
      await this.voice.read(
        cache,
        ids,
        k === undefined
          ? undefined
          : (logits) => {
              for (let at = 0; at < logits.length; at += this.vocabSize)
                chances.push(this.chanceOf(logits, at, order.prompt[next++], k));
            },
      );
      reading.at += ids.length;
    }
    if (reading.at < end) return;
    if (!reading.told) order.takePrompt?.(chances);
    reading.told = true;
    while (reading.waiting.length > 0 && this.active < this.parallel) {
      await this.seat(reading, reading.waiting[0]);
      reading.waiting.shift();
      this.waiting--;
    }
    if (reading.waiting.length > 0) return;
    this.reading = undefined;
    cache.dispose();
    this.finishOrder(order);
  }

  private async next(): Promise<Reading | undefined> {
    if (this.active >= this.parallel) return undefined;
    const order = this.queue.shift();
    if (order === undefined) return undefined;
    this.left.set(order, order.answers.length);
    const begun = { order, at: 0, chances: [], told: false, waiting: [...order.answers] };
    try {
      const cache = await this.voice.open(order.prompt.length + order.maxTokens);
      this.reading = { ...begun, cache };
    } catch (error) {
      this.waiting -= order.answers.length;
      this.failOrder(order, error);
    }
    return this.reading;
  }

  private async seat({ order, cache: from }: Reading, answer: Answer): Promise<void> {
    const row = { order, answer, last: order.prompt[order.prompt.length - 1] };
    const free = this.rows.indexOf(undefined);
    if (this.cache !== undefined && free >= 0 && this.cache.capacity >= from.capacity) {
      await this.voice.join(this.cache, free, from);
      this.rows[free] = row;
      return;
    }
    if (this.cache === undefined) {
      this.cache = await this.voice.select(from, [0], 1);
      this.rows = [row];
      return;
    }
    await this.repack(this.active + 1, from.capacity - 1);
    await this.voice.join(this.cache, this.rows.indexOf(undefined), from);
    this.rows[this.rows.indexOf(undefined)] = row;
  }

  /** Another cache for at least `count` rows of `tokens` tokens, with those that are at work in front. */
  private async repack(count: number, tokens: number): Promise<void> {
    const { cache } = this;
    if (cache === undefined) return;
    const kept = [...this.rows.keys()].filter((slot) => this.rows[slot] !== undefined);
    let size = 1;
    while (size < count) size *= 2;
    const slots = Array.from({ length: size }, (_, i) => kept[i] ?? 0);
    this.cache = await this.voice.select(cache, slots, tokens);
    cache.dispose();
    this.rows = slots.map((slot, i) => (i < kept.length ? this.rows[slot] : undefined));
  }

  private async choose(): Promise<void> {
    if (this.cache === undefined || this.active === 0) return;
    const { rows } = this;
    const wishes = rows.map((row) => row?.answer);
    const chosen = await this.voice.choose(
      this.cache,
      wishes,
      rows.map((row) => row?.last ?? 0),
    );
    for (const [slot, row] of rows.entries()) {
      if (row === undefined) continue;
      row.last = chosen[slot].id;
      if (row.answer.take(chosen[slot])) continue;
      rows[slot] = undefined;
      this.left.set(row.order, (this.left.get(row.order) ?? 1) - 1);
      this.finishOrder(row.order);
    }
  }

  /** Gives memory back when few answers are left. */
  private async shrink(): Promise<void> {
    if (this.cache === undefined) return;
    if (this.active === 0) this.clear();
    else if (this.active * 4 <= this.cache.batch) await this.repack(this.active, 1);
  }

  private finishOrder(order: Order): void {
    if (this.reading?.order === order || (this.left.get(order) ?? 0) > 0) return;
    if (this.left.delete(order)) order.done();
  }

  private failOrder(order: Order, error: unknown): void {
    if (!this.left.delete(order)) return;
    for (const [slot, row] of this.rows.entries()) if (row?.order === order) this.rows[slot] = undefined;
    order.failed(error);
  }

  private failReading(error: unknown): void {
    const { reading } = this;
    this.reading = undefined;
    if (reading === undefined) return;
    reading.cache.dispose();
    this.waiting -= reading.waiting.length;
    this.failOrder(reading.order, error);
  }

  private clear(): void {
    this.cache?.dispose();
    this.cache = undefined;
    this.rows = [];
  }

  /** Ends all orders. */
  fail(reason: unknown): void {
    for (const order of this.queue.drop(() => true)) order.failed(reason);
    this.failReading(reason);
    for (const row of this.rows) if (row !== undefined) this.failOrder(row.order, reason);
    this.waiting = 0;
    this.clear();
  }

  /** Ends all orders, and itself. */
  async close(reason: unknown): Promise<void> {
    this.fail(reason);
    await this.voice.dispose();
  }
}
