/** Training of byte-pair encoding from counted words (Sennrich et al. 2016), with incremental pair counts. */

/** A learnt merge: two token ids that become one. */
export type Merge = readonly [left: number, right: number];

/** Tokens as bytes by id (first the 256 bytes), and the merges in the order they were learnt. */
export interface LearntBpe {
  readonly tokens: readonly Uint8Array[];
  readonly merges: readonly Merge[];
}

export interface BpeOptions {
  /** Tokens to stop at, the 256 bytes included. */
  readonly size: number;
  /** Longest token, in bytes. */
  readonly longest: number;
  /** Pairs seen less often are never merged. */
  readonly leastCount: number;
}

/** Ids stay below this, so that a pair fits a number exactly. */
const WIDTH = 65536;

interface Candidate {
  readonly pair: number;
  readonly count: number;
}

/** True when `a` comes before `b`: the more frequent pair, and of equals the one with the lower ids. */
const before = (a: Candidate, b: Candidate): boolean => a.count > b.count || (a.count === b.count && a.pair < b.pair);

/** A binary heap of candidates. Counts go stale as merges happen; the reader checks them. */
class CandidateHeap {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop(): Candidate | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1], items[child])) child += 1;
      if (!before(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return first;
  }
}

/**
 * Learns merges from words and how often each occurs. Deterministic: the order of `words` does not matter.
 *
 * @param words counts by word; a word is encoded as UTF-8 and never merged across its ends
 */
export function learnBpe(words: ReadonlyMap<string, number>, options: BpeOptions): LearntBpe {
  const encoder = new TextEncoder();
  const sorted = [...words].sort(([a], [b]) => (a < b ? -1 : 1));
  const symbols = sorted.map(([word]) => Array.from(encoder.encode(word)));
  const weights = sorted.map(([, count]) => count);
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const merges: Merge[] = [];

  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  const heap = new CandidateHeap();
  const touched = new Set<number>();
  const change = (pair: number, word: number, by: number): void => {
    counts.set(pair, (counts.get(pair) ?? 0) + by);
    touched.add(pair);
    if (by <= 0) return;
    const at = places.get(pair);
    if (at) at.add(word);
    else places.set(pair, new Set([word]));
  };
  const offer = (): void => {
    for (const pair of touched) {
      const count = counts.get(pair) ?? 0;
      if (count >= options.leastCount) heap.push({ pair, count });
      else if (count <= 0) counts.delete(pair);
    }
    touched.clear();
  };

  symbols.forEach((word, index) => {
    for (let i = 0; i + 1 < word.length; i += 1) change(word[i] * WIDTH + word[i + 1], index, weights[index]);
  });
  offer();

  while (tokens.length < options.size) {
    const best = heap.pop();
    if (best === undefined) break;
    if (counts.get(best.pair) !== best.count) continue;
    const left = Math.floor(best.pair / WIDTH);
    const right = best.pair % WIDTH;
    if (tokens[left].length + tokens[right].length > options.longest) continue;
    const merged = tokens.push(Uint8Array.of(...tokens[left], ...tokens[right])) - 1;
    merges.push([left, right]);

    for (const index of places.get(best.pair) ?? []) {
      const old = symbols[index];
      const next: number[] = [];
      for (let i = 0; i < old.length; i += 1) {
        if (old[i] === left && old[i + 1] === right) {
          next.push(merged);
          i += 1;
        } else next.push(old[i]);
      }
      if (next.length === old.length) continue;
      const weight = weights[index];
      for (let i = 0; i + 1 < old.length; i += 1) change(old[i] * WIDTH + old[i + 1], index, -weight);
      for (let i = 0; i + 1 < next.length; i += 1) change(next[i] * WIDTH + next[i + 1], index, weight);
      symbols[index] = next;
    }
    places.delete(best.pair);
    counts.delete(best.pair);
    touched.delete(best.pair);
    offer();
  }
  return { tokens, merges };
}
