/** Rows of prompt and response as padded micro-batches, in a shuffled order with a state. */
import { dataErrors } from '../data/errors.ts';
import { padRows, type TokenRow } from '../data/packing.ts';
import { Shuffled } from './shuffled.ts';
import type { BatchSource, Feeds } from './supervised.ts';

const lengthStep = 16;

/** Micro-batches `ids [B,T]` and `mask [B,T]` (1 for response tokens), with one T for all. */
export class RowBatches implements BatchSource {
  readonly length: number;
  private readonly order: Shuffled;

  /** @throws data.promptTooLong for a prompt that leaves no room for a token of its response */
  constructor(
    private readonly rows: readonly TokenRow[],
    private readonly batch: number,
    maxLength: number,
    private readonly padId: number,
    seed: number,
  ) {
    for (const [i, { prompt }] of rows.entries()) {
      if (prompt.length >= maxLength) throw dataErrors.promptTooLong(`row ${i + 1}`, prompt.length, maxLength);
    }
    const longest = rows.reduce((n, row) => Math.max(n, row.prompt.length + row.response.length), 1);
    this.length = Math.min(maxLength, Math.ceil(longest / lengthStep) * lengthStep);
    this.order = new Shuffled(rows.length, seed);
  }

  next(): Feeds {
    const picked = Array.from({ length: this.batch }, () => this.rows[this.order.next()]);
    return this.pad(picked);
  }

  /** All rows once, in order; the last micro-batch is filled up from the start. */
  *inOrder(limit: number): Generator<Feeds> {
    const batches = Math.max(1, Math.min(limit, Math.floor(this.rows.length / this.batch)));
    for (let i = 0; i < batches; i++) {
      yield this.pad(Array.from({ length: this.batch }, (_, k) => this.rows[(i * this.batch + k) % this.rows.length]));
    }
  }

  private pad(rows: readonly TokenRow[]): Feeds {
    const { ids, responseMask, shape } = padRows(rows, {
      padId: this.padId,
      multiple: this.length,
      maxLength: this.length,
    });
    if (shape[1] !== this.length) throw new Error(`rows of ${shape[1]} tokens for ${this.length}`);
    return { ids, mask: responseMask };
  }

  get state() {
    return this.order.state;
  }

  restore(state: unknown): void {
    this.order.restore(state);
  }
}
