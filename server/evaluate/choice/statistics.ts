/** Means over places with intervals that know of places which belong together. */

export interface Interval {
  readonly mean: number;
  /** 95 % interval. */
  readonly low: number;
  readonly high: number;
}

/** Of a normal distribution 95 % lie within so many standard errors. */
const width = 1.96;

/**
 * The mean of values and its interval. Values of one cluster may say the same, so the standard error is that of sums over
 * clusters (Liang and Zeger 1986).
 *
 * @param clusters which one each value is of
 */
export function clusteredMean(values: readonly number[], clusters: readonly number[]): Interval {
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / Math.max(1, n);
  const sums = new Map<number, number>();
  for (const [i, x] of values.entries()) sums.set(clusters[i], (sums.get(clusters[i]) ?? 0) + x - mean);
  const groups = sums.size;
  const squares = [...sums.values()].reduce((sum, x) => sum + x * x, 0);
  const error = groups < 2 ? 0 : Math.sqrt((squares * groups) / (groups - 1)) / n;
  return { mean, low: mean - width * error, high: mean + width * error };
}
