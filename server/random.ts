/**
 * Seeded randomness with a state that can be saved: xoshiro128** (Blackman and Vigna, 2018), seeded through splitmix32.
 * Same seed, same numbers, on every machine.
 */
export type RandomState = readonly [number, number, number, number];

export class Random {
  private s0 = 0;
  private s1 = 0;
  private s2 = 0;
  private s3 = 0;

  /** @param seed any integer; only its low 32 bits count */
  constructor(seed: number) {
    let z = seed >>> 0;
    const next = () => {
      z = (z + 0x9e3779b9) >>> 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return (t ^ (t >>> 15)) >>> 0;
    };
    this.restore([next(), next(), next(), next()]);
  }

  /** The four words of state; {@link restore} continues from them. */
  get state(): RandomState {
    return [this.s0, this.s1, this.s2, this.s3];
  }

  restore(state: RandomState): void {
    [this.s0, this.s1, this.s2, this.s3] = state;
    if ((this.s0 | this.s1 | this.s2 | this.s3) === 0) this.s0 = 1;
  }

  /** 32 uniform bits. */
  uint32(): number {
    const r = Math.imul(this.s1, 5);
    const result = Math.imul((r << 7) | (r >>> 25), 9) >>> 0;
    const t = this.s1 << 9;
    this.s2 ^= this.s0;
    this.s3 ^= this.s1;
    this.s1 ^= this.s2;
    this.s0 ^= this.s3;
    this.s2 ^= t;
    this.s3 = (this.s3 << 11) | (this.s3 >>> 21);
    return result;
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box-Muller, one of the pair, so that the state stays four words). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Gumbel(0, 1): argmax(logits + Gumbel) is an exact sample from softmax(logits). */
  gumbel(): number {
    // uniform() can be 0; the smallest step keeps both logarithms finite.
    return -Math.log(-Math.log(this.uniform() + 2 ** -54));
  }

  /** A uniformly random order of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const t = order[i];
      order[i] = order[j];
      order[j] = t;
    }
    return order;
  }

  /** An independent generator whose seed is drawn from this one. */
  fork(): Random {
    return new Random(this.uint32());
  }
}

/** A seed that follows from some integers, in their order: other ones give, as good as always, another. */
export function seedFrom(...parts: readonly number[]): number {
  let hash = parts.length;
  for (const part of parts) {
    // The finaliser of splitmix32, which lets every bit change every other.
    let z = (Math.imul(hash, 0x9e3779b1) + (part >>> 0) + 0x9e3779b9) >>> 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    hash = (z ^ (z >>> 15)) >>> 0;
  }
  return hash;
}
