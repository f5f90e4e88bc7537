/** Near-duplicates by MinHash over shingles of words, found through locality-sensitive hashing. */

/** Words in a shingle. */
const SHINGLE = 6;
/** Values in a signature, and how many of them make a band: a pair with similarity 0.7 shares a band with 98 %. */
const SIGNATURE = 64;
const BAND = 4;

const mix = (value: number): number => {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

function hashWord(word: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < word.length; i += 1) h = Math.imul(h ^ word.charCodeAt(i), 0x01000193);
  return mix(h);
}

/**
 * The MinHash signature of a text, `[64]`: one hash a shingle, the least in each of 64 bins, empty bins borrowed from
 * the next full one (one-permutation hashing with rotation, Shrivastava and Li 2014).
 */
export function signatureOf(text: string): Uint32Array {
  const words = (text.match(/\w+|[^\w\s]/g) ?? []).map(hashWord);
  const least = new Uint32Array(SIGNATURE).fill(0xffffffff);
  const full = new Uint8Array(SIGNATURE);
  for (let start = 0; start + SHINGLE <= words.length || start === 0; start += 1) {
    let h = 0;
    const end = Math.min(start + SHINGLE, words.length);
    for (let at = start; at < end; at += 1) h = mix(Math.imul(h, 31) + words[at]);
    const bin = h % SIGNATURE;
    least[bin] = Math.min(least[bin], h);
    full[bin] = 1;
  }
  return least.map((value, bin) => {
    let from = bin;
    let steps = 0;
    while (full[from] === 0) {
      from = (from + 1) % SIGNATURE;
      steps += 1;
    }
    return steps === 0 ? value : mix(least[from] + steps);
  });
}

/** The estimated Jaccard similarity of two texts from their signatures, 0..1. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let same = 0;
  for (let i = 0; i < SIGNATURE; i += 1) if (a[i] === b[i]) same += 1;
  return same / SIGNATURE;
}

/** Texts seen so far; answers whether a new one resembles any of them. */
export class DuplicateIndex {
  readonly #signatures: Uint32Array[] = [];
  readonly #bands = new Map<string, number[]>();

  #keys(signature: Uint32Array): string[] {
    const keys: string[] = [];
    for (let at = 0; at < SIGNATURE; at += BAND) keys.push(`${at}:${signature.subarray(at, at + BAND).join()}`);
    return keys;
  }

  /** The greatest similarity to a text of the index that shares a band with this one, 0 when none does. */
  nearest(signature: Uint32Array): number {
    const candidates = new Set(this.#keys(signature).flatMap((key) => this.#bands.get(key) ?? []));
    let best = 0;
    for (const candidate of candidates) {
      best = Math.max(best, similarity(signature, this.#signatures[candidate]));
    }
    return best;
  }

  add(signature: Uint32Array): void {
    const id = this.#signatures.push(signature) - 1;
    for (const key of this.#keys(signature)) {
      const band = this.#bands.get(key);
      if (band) band.push(id);
      else this.#bands.set(key, [id]);
    }
  }
}
