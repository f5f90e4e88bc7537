/** Endless training sequences from a long row of tokens, in an order that can be saved and continued exactly. */
import { z } from 'zod';
import { dataErrors } from './errors.ts';
import { epochOrder } from './shuffle.ts';

/** Tokens that can be read anywhere: a token cache, or an array in memory ({@link arrayTokens}). */
export interface TokenSource {
  readonly length: number;
  /** Copies `target.length` tokens from `start` on into `target`. */
  read(start: number, target: Int32Array): void;
}

export function arrayTokens(tokens: Int32Array): TokenSource {
  return {
    length: tokens.length,
    read: (start, target) => target.set(tokens.subarray(start, start + target.length)),
  };
}

const count = z.int().min(0);
/** Where a {@link TokenStream} stands: everything its next batch depends on, beside the tokens. */
export const tokenStreamState = z.strictObject({
  seed: z.int(),
  epoch: count,
  /** Windows of this epoch that were given out. */
  position: count,
  /** T of this epoch, 0 before the first batch. */
  window: count,
  /** Tokens of the source, to notice when the data has changed. */
  tokens: count,
});
export type TokenStreamState = z.infer<typeof tokenStreamState>;

/**
 * The tokens are cut into windows of T, each read with the one token behind it, so that every token is predicted once an
 * epoch. The windows of an epoch come in a random order of its own. Fewer than T tokens at the end are never seen.
 */
export class TokenStream {
  private epoch = 0;
  private position = 0;
  private window = 0;
  private order: Uint32Array = new Uint32Array(0);
  private given: readonly number[] = [];

  constructor(
    private readonly source: TokenSource,
    private seed: number,
  ) {}

  /**
   * @param B sequences
   * @param T predictions in a sequence; another T than before begins a new epoch
   * @returns ids `[B,T+1]`: inputs are the first T of each row, targets the last T. Throws `data.tooFewTokens`
   */
  next(B: number, T: number): Int32Array {
    if (T !== this.window) this.begin(this.window === 0 ? 0 : this.epoch + 1, T);
    const ids = new Int32Array(B * (T + 1));
    this.given = Array.from({ length: B }, (_, b) => {
      if (this.position === this.order.length) this.begin(this.epoch + 1, T);
      const window = this.order[this.position++];
      this.source.read(window * T, ids.subarray(b * (T + 1), (b + 1) * (T + 1)));
      return window;
    });
    return ids;
  }

  /** Which windows the last batch is of: window k begins at token k T. */
  get windows(): readonly number[] {
    return this.given;
  }

  get state(): TokenStreamState {
    const { seed, epoch, position, window, source } = this;
    return { seed, epoch, position, window, tokens: source.length };
  }

  /** Continues from a saved state. Throws `data.staleState` if that was of other tokens. */
  restore(state: TokenStreamState): void {
    if (state.tokens !== this.source.length) {
      throw dataErrors.staleState(`it was saved with ${state.tokens} tokens and there are ${this.source.length}`);
    }
    this.seed = state.seed;
    this.window = 0;
    this.order = new Uint32Array(0);
    if (state.window > 0) this.begin(state.epoch, state.window);
    if (state.position > this.order.length) throw dataErrors.staleState('it is behind the end of the data');
    this.position = state.position;
    this.epoch = state.epoch;
  }

  private begin(epoch: number, T: number): void {
    const windows = Math.floor((this.source.length - 1) / T);
    if (windows < 1) throw dataErrors.tooFewTokens(this.source.length, T + 1);
    this.order = epochOrder(this.seed, epoch, windows);
    this.epoch = epoch;
    this.position = 0;
    this.window = T;
  }
}
