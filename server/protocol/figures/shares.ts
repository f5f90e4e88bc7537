/**
 * What counted shares can tell: a share of few problems is known only roughly, and a change counts only where its interval
 * leaves out zero. Everything here is at 95 %.
 */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The normal quantile of 97.5 %. */
const quantile = 1.959963984540054;

/**
 * The score interval of a share (E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
 * JASA 22, 1927): unlike a standard error it does not shrink to nothing at 0 and at 1.
 */
export function wilson(share: number, count: number): Interval {
  if (!(count > 0)) return { low: 0, high: 1 };
  const square = quantile ** 2;
  const scale = 1 + square / count;
  const middle = (share + square / (2 * count)) / scale;
  const half = (quantile * Math.sqrt((share * (1 - share)) / count + square / (4 * count ** 2))) / scale;
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/**
 * The interval of `after - before` from the Wilson intervals of both (R. G. Newcombe, "Interval estimation for the
 * difference between independent proportions", Statistics in Medicine 17, 1998, method 10: hybrid score).
 */
export function newcombe(before: number, beforeCount: number, after: number, afterCount: number): Interval {
  const [a, b] = [wilson(before, beforeCount), wilson(after, afterCount)];
  const difference = after - before;
  return {
    low: difference - Math.hypot(after - b.low, a.high - before),
    high: difference + Math.hypot(b.high - after, before - a.low),
  };
}

export type ShareChange = 'rises' | 'falls' | 'none' | 'unknown';

/** Fewer problems tell nothing. */
const fewest = 20;
/** Nor does a share that is not known to within this. */
const widest = 0.15;

/** Whether a share of `count` problems, counted twice, has changed; `unknown` where there are too few to tell. */
export function shareChange(before: number, after: number, count: number): ShareChange {
  const halves = [before, after].map((share) => {
    const { low, high } = wilson(share, count);
    return (high - low) / 2;
  });
  if (!(count >= fewest) || Math.max(...halves) > widest) return 'unknown';
  const { low, high } = newcombe(before, count, after, count);
  return low > 0 ? 'rises' : high < 0 ? 'falls' : 'none';
}

/** The same problems before and after: how many came to be solved, and how many ceased to be. */
export interface Turned {
  readonly gained: number;
  readonly lost: number;
}

/**
 * The chance of a split at least as uneven among those that turned, if either way were as likely: the exact test of Q. McNemar,
 * "Note on the sampling error of the difference between correlated proportions or percentages", Psychometrika 12, 1947.
 */
export function mcnemar({ gained, lost }: Turned): number {
  const turned = gained + lost;
  // C(turned, k) / 2^turned as a logarithm, which no number of problems can overflow.
  let term = -turned * Math.LN2;
  let tail = Math.exp(term);
  for (let k = 1; k <= Math.min(gained, lost); k++) {
    term += Math.log((turned - k + 1) / k);
    tail += Math.exp(term);
  }
  return Math.min(1, 2 * tail);
}

/** Whether `count` problems that were tried twice are solved more or less often than before. */
export function pairedChange({ gained, lost }: Turned, count: number): ShareChange {
  if (!(count >= fewest)) return 'unknown';
  if (mcnemar({ gained, lost }) < 0.05) return gained > lost ? 'rises' : 'falls';
  const noise = Math.sqrt(gained + lost - (gained - lost) ** 2 / count) / count;
  return quantile * noise > widest ? 'unknown' : 'none';
}

/**
 * Whether a mean over `count` problems that were measured twice has changed.
 *
 * @param noise the standard error of the mean difference of a problem
 */
export function meanChange(difference: number, noise: number, count: number): ShareChange {
  if (!(count >= fewest)) return 'unknown';
  const half = studentQuantile(count - 1) * noise;
  if (Math.abs(difference) > half) return difference > 0 ? 'rises' : 'falls';
  return half > widest ? 'unknown' : 'none';
}

/** 97.5 % of Student's t by its expansion about the normal (Abramowitz and Stegun, 26.7.5): to 1e-4 from 19 degrees on. */
function studentQuantile(degrees: number): number {
  const z = quantile;
  return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2);
}
