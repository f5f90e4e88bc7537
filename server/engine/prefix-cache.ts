/** The keys and values of the text before the cursor. Between keystrokes it mostly stays: only what is new is read. */
import type { Decoder, StepResult } from '../cola/decoder.ts';
import type { KeyValueCache } from '../model/step.ts';
import type { Job } from './scheduler.ts';

/** The cache starts with room for so many tokens, enough for the longest run of a prompt. */
const smallest = 500;
/** Tokens between yields. */
const chunk = 128;

export interface Ahead {
  /** What lies ahead of the last token: policy logits, and for every code its token. */
  readonly result: StepResult;
  /** Tokens that were known already. */
  readonly reused: number;
}

/** The right to read on. */
export interface Lease {
  /** Doing it twice is harmless. */
  release(): void;
}

export class PrefixCache {
  private cache: KeyValueCache | undefined;
  private tokens: number[] = [];
  /** What the last step said, if it read the last of `tokens`. */
  private last: StepResult | undefined;
  private holder: Lease | undefined;

  constructor(private readonly decoder: Decoder) {}

  /** Waits until nobody else reads, then keeps others from it until the lease is given back. */
  async *take(signal: AbortSignal): Job<Lease> {
    while (this.holder !== undefined) {
      yield;
      signal.throwIfAborted();
    }
    const lease: Lease = {
      release: () => {
        if (this.holder === lease) this.holder = undefined;
      },
    };
    this.holder = lease;
    return lease;
  }

  /** Brings the cache to exactly these tokens; at least one. */
  async *read(tokens: readonly number[], signal: AbortSignal): Job<Ahead> {
    let known = 0;
    while (known < tokens.length && tokens[known] === this.tokens[known]) known++;
    if (known === tokens.length && known === this.tokens.length && this.last !== undefined) {
      return { result: this.last, reused: known };
    }
    // The step that reads the last token is the one that says what lies ahead.
    known = Math.min(known, tokens.length - 1);
    const cache = await this.roomFor(tokens.length);
    this.cut(known);
    cache.lengths[0] = known;
    let result: StepResult | undefined;
    for (let at = known; at < tokens.length; at += chunk) {
      if (at > known) yield;
      signal.throwIfAborted();
      const piece = tokens.slice(at, at + chunk);
      this.cut(at);
      result = await this.decoder.step(cache, [piece]);
      this.tokens.push(...piece);
    }
    if (result === undefined) throw new Error('no tokens to read');
    this.last = result;
    return { result, reused: known };
  }

  /** The cache itself, to branch from. */
  get current(): KeyValueCache {
    if (this.cache === undefined) throw new Error('nothing was read yet');
    return this.cache;
  }

  private cut(length: number): void {
    this.tokens.length = Math.min(this.tokens.length, length);
    this.last = undefined;
  }

  private async roomFor(tokens: number): Promise<KeyValueCache> {
    const { cache } = this;
    if (cache === undefined) {
      this.cache = await this.decoder.cache(1, Math.max(smallest, tokens));
    } else if (tokens >= cache.capacity) {
      this.cache = await this.decoder.select(cache, [0], tokens);
      cache.dispose();
    }
    return this.current;
  }

  dispose(): void {
    this.cache?.dispose();
    this.cache = undefined;
    this.tokens = [];
    this.last = undefined;
  }
}
