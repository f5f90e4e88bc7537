/**
 * From rewards to advantages: outcome shaping, generalised advantage estimation and whitening (paper, appendix B.2;
 * exact definitions in test/fixtures/cola/README.md, section 8). All on rows of `[B,A]`, row-major, in float64.
 */

import type { AdvantageName } from '../../spec/algorithms.ts';

/** Rollouts as the update sees them; entries outside the mask are 0. */
export interface ActionRows {
  readonly rows: number;
  /** A. */
  readonly length: number;
  /** 1 for valid actions, which stand together; a row may have none. */
  readonly mask: ArrayLike<number>;
}

/**
 * Outcomes within each group: (R - mean) / divisor.
 *
 * - `std`: std + 1e-8, unbiased (GRPO, arXiv 2402.03300);
 * - `mean`: the mean of the group, which of rewards of 0 and 1 is the share that was solved, so that a hard prompt counts as
 *   its logarithm does (MaxRL, arXiv 2602.02710); 0 where the mean is not above 0, for then nothing was solved;
 * - `none`: 1 (Dr. GRPO, arXiv 2503.20783).
 */
export function groupOutcomes(
  rewards: ArrayLike<number>,
  groups: ArrayLike<number>,
  advantage: AdvantageName = 'std',
): Float64Array {
  const sums = new Map<number, { n: number; mean: number; squares: number }>();
  for (let i = 0; i < rewards.length; i++) {
    const s = sums.get(groups[i]) ?? { n: 0, mean: 0, squares: 0 };
    s.n++;
    const delta = rewards[i] - s.mean;
    s.mean += delta / s.n;
    s.squares += delta * (rewards[i] - s.mean);
    sums.set(groups[i], s);
  }
  return Float64Array.from({ length: rewards.length }, (_, i) => {
    const s = sums.get(groups[i]);
    // One sample, or samples that are all alike, say nothing about each other.
    if (s === undefined || s.n < 2) return 0;
    const away = rewards[i] - s.mean;
    if (advantage === 'none') return away;
    if (advantage === 'mean') return s.mean > 0 ? away / s.mean : 0;
    return away / (Math.sqrt(s.squares / (s.n - 1)) + 1e-8);
  });
}

/** r_j = -beta (log pi_old - log pi_ref) + [j is the last valid action] outcome. */
export function stepRewards(
  { rows, length, mask }: ActionRows,
  logpOld: ArrayLike<number>,
  logpRef: ArrayLike<number>,
  outcomes: ArrayLike<number>,
  beta: number,
): Float64Array {
  const rewards = new Float64Array(rows * length);
  for (let b = 0; b < rows; b++) {
    for (let j = 0; j < length; j++) {
      const i = b * length + j;
      if (mask[i] === 0) continue;
      rewards[i] = -beta * (logpOld[i] - logpRef[i]);
      if (j === length - 1 || mask[i + 1] === 0) rewards[i] += outcomes[b];
    }
  }
  return rewards;
}

/**
 * Generalised advantage estimation (arXiv 1506.02438): A_j = delta_j + gamma lambda A_{j+1},
 * delta_j = r_j + gamma V_{j+1} - V_j, with everything 0 behind the last valid action.
 */
export function advantages(
  { rows, length, mask }: ActionRows,
  rewards: ArrayLike<number>,
  values: ArrayLike<number> | undefined,
  gamma: number,
  lambda: number,
): Float64Array {
  const result = new Float64Array(rows * length);
  for (let b = 0; b < rows; b++) {
    let next = 0;
    let nextValue = 0;
    for (let i = (b + 1) * length - 1; i >= b * length; i--) {
      if (mask[i] === 0) continue;
      const value = values?.[i] ?? 0;
      next = rewards[i] + gamma * nextValue - value + gamma * lambda * next;
      nextValue = value;
      result[i] = next;
    }
  }
  return result;
}

/**
 * What a sum of rounding errors leaves of a whitened advantage that is 0. Fed on, its gradients are products of 1e-17
 * and small probabilities, which are denormal numbers, and an update takes three times as long.
 */
const rounding = 1e-9;

/** (A - mean) / sqrt(var + 1e-8) over all valid actions, with the biased variance; 0 outside the mask. */
export function whiten({ mask }: Pick<ActionRows, 'mask'>, values: ArrayLike<number>): Float64Array {
  let n = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    if (mask[i] === 0) continue;
    n++;
    sum += values[i];
  }
  const mean = sum / Math.max(1, n);
  let squares = 0;
  for (let i = 0; i < values.length; i++) if (mask[i] !== 0) squares += (values[i] - mean) ** 2;
  return whitened({ mask }, values, { mean, scale: 1 / Math.sqrt(squares / Math.max(1, n) + 1e-8) });
}

/** (A - mean) scale; 0 outside the mask. */
export function whitened(
  { mask }: Pick<ActionRows, 'mask'>,
  values: ArrayLike<number>,
  { mean, scale }: { readonly mean: number; readonly scale: number },
): Float64Array {
  return Float64Array.from({ length: values.length }, (_, i) => {
    const white = (values[i] - mean) * scale;
    return mask[i] === 0 || Math.abs(white) < rounding ? 0 : white;
  });
}
