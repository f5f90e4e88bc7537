/** Whether a series rises or falls: one judgement for the status bar, the charts and the findings. Also used by pages. */

/** Fewer values than this say nothing about a trend. */
export const fewest = 8;
/** A difference counts from so many standard errors on: one in several hundred is chance. */
export const beyondNoise = 3;

export type Change = 'rises' | 'falls' | 'none' | 'unknown';
export interface Trend {
  readonly change: Change;
  /** Means of the first and the last quarter. */
  readonly first: number;
  readonly last: number;
  /** Standard error of their difference. */
  readonly noise: number;
}

/** Compares the first quarter of a series with its last (Welch): rows of a run are noisy, single ones say little. */
export function trendOf(values: readonly number[]): Trend {
  const part = Math.floor(values.length / 4);
  const [first, last] = [values.slice(0, Math.max(2, part)), values.slice(-Math.max(2, part))].map(momentsOf);
  const noise = Math.sqrt(first.variance / first.count + last.variance / last.count);
  const difference = last.mean - first.mean;
  const figures = { first: first.mean, last: last.mean, noise };
  if (values.length < fewest) return { change: 'unknown', ...figures };
  // Without any noise, rounding is not a change either.
  const least = Math.max(beyondNoise * noise, 1e-6 * Math.max(Math.abs(first.mean), Math.abs(last.mean)));
  if (Math.abs(difference) <= least) return { change: 'none', ...figures };
  return { change: difference > 0 ? 'rises' : 'falls', ...figures };
}

function momentsOf(values: readonly number[]): { mean: number; variance: number; count: number } {
  const count = Math.max(1, values.length);
  const mean = values.reduce((a, b) => a + b, 0) / count;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, count - 1);
  return { mean, variance, count };
}

/** What a loss is called: one that is below 0 is no loss in the usual sense, but what is made small. */
export const lossName = (values: readonly (number | null)[]): 'loss' | 'objective' =>
  values.some((value) => value !== null && value < 0) ? 'objective' : 'loss';
