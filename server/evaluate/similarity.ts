/** How alike texts are, by their pooled hidden states. */

/**
 * Mean cosine over all pairs of n vectors, which are the rows of `[n,d]` minus the centre `[d]`. A vector without length has
 * cosine 0 with any other. NaN for fewer than two vectors.
 */
export function meanPairwiseCosine(rows: readonly ArrayLike<number>[], centre: ArrayLike<number>): number {
  if (rows.length < 2) return Number.NaN;
  const units = rows.map((row) => unit(row, centre));
  // The sum over all pairs is (|sum of units|^2 - sum of |unit|^2) / 2: n additions instead of n^2 products.
  const total = new Float64Array(centre.length);
  let own = 0;
  for (const u of units) {
    for (let i = 0; i < u.length; i++) {
      total[i] += u[i];
      own += u[i] * u[i];
    }
  }
  const all = total.reduce((n, x) => n + x * x, 0);
  return (all - own) / (rows.length * (rows.length - 1));
}

function unit(row: ArrayLike<number>, centre: ArrayLike<number>): Float64Array {
  const moved = Float64Array.from(row, (x, i) => x - centre[i]);
  const norm = Math.hypot(...moved);
  return norm === 0 ? moved : moved.map((x) => x / norm);
}

/** Below this similarity its inverse says nothing but how near to 0 noise has brought it. */
const leastSimilarity = 0.05;

/** 1 / similarity, the paper's measure of diversity (appendix C.1.1); undefined where the similarity is about 0 or below. */
export function diversityOf(similarity: number): number | undefined {
  return similarity >= leastSimilarity ? 1 / similarity : undefined;
}
