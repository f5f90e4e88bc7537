/**
 * A byte n-gram model with interpolated Kneser-Ney smoothing (Chen and Goodman 1999, one discount an order): the
 * yardstick a small language model has to beat by far.
 */

/** Counts by key, in open addressing: a Map of this many entries would not fit. */
class CountTable {
  #high = new Uint8Array(1 << 16);
  #low = new Uint32Array(1 << 16);
  #count = new Uint32Array(1 << 16);
  #size = 0;

  #slot(high: number, low: number): number {
    const mask = this.#count.length - 1;
    let h = Math.imul(low ^ Math.imul(high + 1, 0x9e3779b1), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
    let at = (h ^ (h >>> 13)) & mask;
    while (this.#count[at] !== 0 && (this.#low[at] !== low || this.#high[at] !== high)) at = (at + 1) & mask;
    return at;
  }

  /** @param high the last byte of the key @param low up to four bytes before it */
  add(high: number, low: number, by: number): void {
    if (this.#size * 2 > this.#count.length) this.#grow();
    const at = this.#slot(high, low);
    if (this.#count[at] === 0) {
      this.#size += 1;
      this.#high[at] = high;
      this.#low[at] = low;
    }
    this.#count[at] += by;
  }

  get(high: number, low: number): number {
    return this.#count[this.#slot(high, low)];
  }

  forEach(visit: (high: number, low: number, count: number) => void): void {
    for (let at = 0; at < this.#count.length; at += 1) {
      if (this.#count[at] !== 0) visit(this.#high[at], this.#low[at], this.#count[at]);
    }
  }

  #grow(): void {
    const old = { high: this.#high, low: this.#low, count: this.#count };
    const size = old.count.length * 2;
    this.#high = new Uint8Array(size);
    this.#low = new Uint32Array(size);
    this.#count = new Uint32Array(size);
    old.count.forEach((count, from) => {
      if (count === 0) return;
      const at = this.#slot(old.high[from], old.low[from]);
      this.#high[at] = old.high[from];
      this.#low[at] = old.low[from];
      this.#count[at] = count;
    });
  }
}

/** One order: counts of (context, byte), and of each context the sum and the number of different next bytes. */
interface Order {
  readonly grams: CountTable;
  readonly sums: CountTable;
  readonly types: CountTable;
  readonly discount: number;
}

/** The longest n-gram a table's key can hold. */
const LONGEST = 5;

/** A byte n-gram model of order 1 to 5. */
export class ByteNgram {
  readonly #orders: readonly Order[];

  private constructor(orders: readonly Order[]) {
    this.#orders = orders;
  }

  /**
   * Counts texts; each begins as if after zero bytes.
   *
   * @param texts bytes of each document
   * @param order length of the n-grams, 1..5
   */
  static train(texts: Iterable<Uint8Array>, order: number): ByteNgram {
    if (!Number.isInteger(order) || order < 1 || order > LONGEST) throw new RangeError(`order ${order} is not in 1..5`);
    let grams = new CountTable();
    for (const bytes of texts) {
      let context = 0;
      for (const byte of bytes) {
        grams.add(byte, contextOf(context, order - 1), 1);
        context = (context << 8) | byte;
      }
    }
    const orders: Order[] = [];
    for (let n = order; n >= 1; n -= 1) {
      orders.unshift(summarise(grams));
      if (n === 1) break;
      // The count of a shorter n-gram is the number of different bytes seen before it.
      const shorter = new CountTable();
      grams.forEach((byte, context) => {
        shorter.add(byte, contextOf(context, n - 2), 1);
      });
      grams = shorter;
    }
    return new ByteNgram(orders);
  }

  /** The probability of a byte after a context: its last four bytes, the latest in the low bits. */
  probability(context: number, byte: number): number {
    let p = 1 / 256;
    this.#orders.forEach(({ grams, sums, types, discount }, length) => {
      const key = contextOf(context, length);
      const sum = sums.get(0, key);
      if (sum === 0) return;
      p = (Math.max(grams.get(byte, key) - discount, 0) + discount * types.get(0, key) * p) / sum;
    });
    return p;
  }

  /** Bits the model needs for a document of `bytes`, begun as in training. */
  bits(bytes: Uint8Array): number {
    let context = 0;
    let bits = 0;
    for (const byte of bytes) {
      bits -= Math.log2(this.probability(context, byte));
      context = (context << 8) | byte;
    }
    return bits;
  }
}

/** The last `length` bytes (0..4) of a context as an unsigned key. */
function contextOf(context: number, length: number): number {
  return length === 4 ? context >>> 0 : context & ((1 << (8 * length)) - 1);
}

function summarise(grams: CountTable): Order {
  const sums = new CountTable();
  const types = new CountTable();
  let once = 0;
  let twice = 0;
  grams.forEach((_, context, count) => {
    sums.add(0, context, count);
    types.add(0, context, 1);
    if (count === 1) once += 1;
    else if (count === 2) twice += 1;
  });
  // The usual estimate; a half where the text is too short to have one.
  const discount = once > 0 && twice > 0 ? once / (once + 2 * twice) : 0.5;
  return { grams, sums, types, discount };
}
