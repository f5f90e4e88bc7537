/** How well scores tell preferred answers from others, and how well they say how sure they are. */
import { type Interval, wilson } from '../../protocol/figures/shares.ts';

/** Bins of {@link PairFigures.calibration}, of equal width from a half to one. */
const bins = 10;

export interface PairFigures {
  /** Share of the pairs in which the chosen answer has the higher score; equal scores count as a half. */
  readonly accuracy: number;
  /** Of the accuracy, at 95 %. */
  readonly interval: Interval;
  /** Mean of the differences. */
  readonly margin: number;
  /** Mean of (1 - p)^2, where p is the probability that the model gives to what was chosen (Brier 1950); 0.25 is a coin. */
  readonly brier: number;
  /**
   * Expected calibration error (Naeini et al. 2015): how far the probability of the answer that the model takes for the better
   * one is from how often it is right, on average over bins.
   */
  readonly calibration: number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** @param differences scores of the chosen answers less those of the rejected ones; at least one */
export function pairFigures(differences: ArrayLike<number>): PairFigures {
  const all = Array.from(differences);
  const { length } = all;
  const right = (d: number) => (d > 0 ? 1 : d === 0 ? 0.5 : 0);
  const mean = (of: (d: number) => number) => all.reduce((sum, d) => sum + of(d), 0) / length;
  const accuracy = mean(right);
  const sure = new Float64Array(bins);
  const correct = new Float64Array(bins);
  for (const d of all) {
    const p = sigmoid(Math.abs(d));
    const bin = Math.min(bins - 1, Math.floor((p - 0.5) * 2 * bins));
    sure[bin] += p;
    correct[bin] += right(d);
  }
  const calibration = sure.reduce((sum, p, i) => sum + Math.abs(p - correct[i]), 0) / length;
  return {
    accuracy,
    interval: wilson(accuracy, length),
    margin: mean((d) => d),
    brier: mean((d) => (1 - sigmoid(d)) ** 2),
    calibration,
  };
}

/** Mean and standard deviation. */
export function momentsOf(values: ArrayLike<number>): { readonly mean: number; readonly std: number } {
  const all = Array.from(values);
  const mean = all.reduce((a, b) => a + b, 0) / all.length;
  return { mean, std: Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length) };
}
