/** How different texts of one beginning are, by their tokens alone, and how two ways to write compare at equal quality. */

type Tokens = ArrayLike<number>;

/** All runs of n tokens, as keys. */
function grams(tokens: Tokens, n: number): string[] {
  const all = Array.from(tokens);
  return all.slice(n - 1).map((_, at) => all.slice(at, at + n).join());
}

function counted(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** Distinct-n (arXiv 1510.03055): the share of different n-grams among all of some texts; 0 where there are none. */
export function distinctShare(texts: readonly Tokens[], n: number): number {
  const all = texts.flatMap((tokens) => grams(tokens, n));
  return all.length === 0 ? 0 : new Set(all).size / all.length;
}

const longest = 4;

/**
 * Self-BLEU (arXiv 1802.01886): the mean BLEU-4 of each text with the others as its references; 1 where all are the same. Texts
 * are of one length, so brevity plays no part; from two tokens on, one is added to matches and places (Lin and Och 2004).
 *
 * @param texts at least two, each with a token
 */
export function selfBleu(texts: readonly Tokens[]): number {
  const logs = texts.map(() => 0);
  for (let n = 1; n <= longest; n++) {
    const all = texts.map((tokens) => counted(grams(tokens, n)));
    const added = n === 1 ? 0 : 1;
    for (const [i, own] of all.entries()) {
      let [matches, places] = [added, added];
      for (const [key, count] of own) {
        const others = all.map((other, j) => (j === i ? 0 : (other.get(key) ?? 0)));
        matches += Math.min(count, Math.max(...others));
        places += count;
      }
      logs[i] += Math.log(matches / places) / longest;
    }
  }
  return logs.reduce((sum, log) => sum + Math.exp(log), 0) / texts.length;
}

/** Quality and diversity of a way to write at one temperature. */
export type Place = readonly [quality: number, diversity: number];

/**
 * The area between two curves over the qualities that both reach, divided by the width of these: by how much the first is more
 * diverse at equal quality. Undefined where they reach no quality in common.
 */
export function meanGap(first: readonly Place[], second: readonly Place[]): { gap: number; width: number } | undefined {
  const [a, b] = [first, second].map((curve) => [...curve].sort(([x], [y]) => x - y));
  if (a.length === 0 || b.length === 0) return undefined;
  const low = Math.max(a[0][0], b[0][0]);
  const high = Math.min(a[a.length - 1][0], b[b.length - 1][0]);
  if (!(high > low)) return undefined;
  // Both are straight between these places, so the trapezoids are exact.
  const places = [low, high, ...[...a, ...b].map(([x]) => x).filter((x) => x > low && x < high)].sort((x, y) => x - y);
  let area = 0;
  for (let i = 1; i < places.length; i++) {
    const [from, to] = [places[i - 1], places[i]];
    area += ((to - from) * (at(a, from) - at(b, from) + at(a, to) - at(b, to))) / 2;
  }
  return { gap: area / (high - low), width: high - low };
}

/** A curve between its places. */
function at(curve: readonly Place[], x: number): number {
  const next = curve.findIndex(([own]) => own >= x);
  const [x1, y1] = curve[next];
  if (next === 0 || x1 === x) return y1;
  const [x0, y0] = curve[next - 1];
  return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
}
