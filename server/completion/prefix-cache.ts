/** The text before the cursor, as the model has read it. Between keystrokes it mostly stays: only what is new is read. */

import type { Job } from '../schedule/scheduler.ts';
import { type Ahead, type BranchReader, chunk } from './branch-reader.ts';
import type { Outlook } from './outlook.ts';

/** The right to read on. */
export interface Lease {
  /** Doing it twice is harmless. */
  release(): void;
}

export class PrefixCache {
  private tokens: number[] = [];
  /** What the last run said, if it read the last of `tokens`. */
  private last: Ahead | undefined;
  /** What may follow there, if nothing is banned. */
  private free: Outlook | undefined;
  private holder: Lease | undefined;

  constructor(readonly reader: BranchReader) {}

  /** Tokens that were read. */
  get length(): number {
    return this.tokens.length;
  }

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

  /**
   * Brings the cache to exactly these tokens; at least one.
   *
   * @param room slots for them and all that is to branch from them
   */
  async *read(
    tokens: readonly number[],
    room: number,
    signal: AbortSignal,
  ): Job<{ readonly ahead: Ahead; readonly reused: number }> {
    if (await this.reader.grow(room)) this.cut(0);
    let known = 0;
    while (known < tokens.length && tokens[known] === this.tokens[known]) known++;
    if (known === tokens.length && known === this.tokens.length && this.last !== undefined) {
      return { ahead: this.last, reused: known };
    }
    // The run that reads the last token is the one that says what lies ahead.
    known = Math.min(known, tokens.length - 1);
    let ahead: Ahead | undefined;
    for (let at = known; at < tokens.length; at += chunk) {
      if (at > known) yield;
      signal.throwIfAborted();
      const piece = tokens.slice(at, at + chunk);
      this.cut(at);
      ahead = await this.reader.read(piece, at);
      this.tokens.push(...piece);
    }
    if (ahead === undefined) throw new Error('no tokens to read');
    this.last = ahead;
    return { ahead, reused: known };
  }

  /** What may follow here. @param banned actions that are not to be taken */
  async outlook(banned: ReadonlySet<number> = new Set()): Promise<Outlook> {
    if (this.last === undefined) throw new Error('nothing was read yet');
    if (banned.size > 0) return this.reader.outlook(this.last, banned);
    this.free ??= await this.reader.outlook(this.last, banned);
    return this.free;
  }

  /** What was read counts no more: the policy has changed. */
  forget(): void {
    this.cut(0);
  }

  async dispose(): Promise<void> {
    this.cut(0);
    await this.reader.dispose();
  }

  private cut(length: number): void {
    this.tokens.length = Math.min(this.tokens.length, length);
    this.last = undefined;
    this.free = undefined;
  }
}
