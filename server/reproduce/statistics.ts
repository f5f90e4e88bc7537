/** What can be said of a difference that was measured in several seeds, each on problems of its own. */

export interface Interval {
  readonly mean: number;
  /** 95 % interval; infinitely wide where one seed says nothing of the spread between seeds. */
  readonly low: number;
  readonly high: number;
  /** The mean of each seed. */
  readonly seeds: readonly number[];
}

/** 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom. */
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const normal = 1.96;

/** Factor of the standard error for a 95 % interval of a mean of n values. */
export const studentFactor = (n: number): number => (n < 2 ? Number.POSITIVE_INFINITY : (quantiles[n - 2] ?? normal));

const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function variance(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1);
}

/**
 * The mean over seeds of the mean over their problems. A training is another in every seed, and problems are drawn anew: the
 * spread of the seeds' means holds both. With few seeds it may by chance be smaller than the problems alone allow, so the
 * standard error is the larger of the two, with Student's t of the seeds.
 *
 * @param seeds for each seed the value of every problem, or the one value that it has; at least one seed, none empty
 */
export function meanOverSeeds(seeds: readonly (readonly number[])[]): Interval {
  const means = seeds.map(meanOf);
  const mean = meanOf(means);
  const n = seeds.length;
  if (n < 2) return { mean, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, seeds: means };
  const between = Math.sqrt(variance(means) / n);
  const within = seeds.map((values) => (values.length < 2 ? 0 : variance(values) / values.length));
  const problems = Math.sqrt(within.reduce((a, b) => a + b, 0)) / n;
  const width = studentFactor(n) * Math.max(between, problems);
  return { mean, low: mean - width, high: mean + width, seeds: means };
}

export const verdicts = ['holds', 'does not hold', 'cannot tell', 'not run'] as const;
export type Verdict = (typeof verdicts)[number];

/** Whether a value lies within bounds, as far as its interval says. */
export function judge(
  { low, high }: Pick<Interval, 'low' | 'high'>,
  bounds: { above?: number; below?: number },
): Verdict {
  const { above = Number.NEGATIVE_INFINITY, below = Number.POSITIVE_INFINITY } = bounds;
  if (low > above && high < below) return 'holds';
  if (high <= above || low >= below) return 'does not hold';
  return 'cannot tell';
}

/** Of several things that must all be so. */
export function together(all: readonly Verdict[]): Verdict {
  if (all.includes('not run')) return 'not run';
  if (all.includes('does not hold')) return 'does not hold';
  return all.every((verdict) => verdict === 'holds') ? 'holds' : 'cannot tell';
}
