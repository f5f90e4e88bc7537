/** Choosing a token from logits on the host. */
import type { Random } from '../random.ts';

export interface Sampling {
  /** 0 takes the most likely token. */
  readonly temperature: number;
  /** Only the k most likely; 0 for all. */
  readonly topK: number;
  /** Only the smallest set of most likely tokens whose probabilities reach p; 1 for all. */
  readonly topP: number;
}

export const greedy: Sampling = { temperature: 0, topK: 0, topP: 1 };

/** Index, from 0, of the largest of `count` entries from `start`, the lowest among equals. */
export function argmaxOf(values: ArrayLike<number>, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[start + i] > values[start + best]) best = i;
  return best;
}

/** exp((x - top) / temperature) of a range, into `weights`. @returns their sum */
function weigh(
  values: ArrayLike<number>,
  start: number,
  count: number,
  top: number,
  temperature: number,
  weights: Float64Array,
): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const weight = Math.exp((values[start + i] - top) / temperature);
    weights[i] = weight;
    sum += weight;
  }
  return sum;
}

/** Softmax of a range at a temperature, in float64. `p` receives them. */
export function probabilities(
  values: ArrayLike<number>,
  start: number,
  count: number,
  temperature = 1,
  p = new Float64Array(count),
): Float64Array {
  const top = values[start + argmaxOf(values, start, count)];
  const sum = weigh(values, start, count, top, temperature, p);
  for (let i = 0; i < count; i++) p[i] /= sum;
  return p;
}

/** The smallest k with u < p_0 + ... + p_k; the last index if rounding leaves none. */
export function inverseCdf(p: ArrayLike<number>, u: number): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) {
    sum += p[k];
    if (u < sum) return k;
  }
  return p.length - 1;
}

/** Of one draw after the other: arrays that go with each would be most of what decoding leaves to be collected. */
let drawn = new Float64Array();

function weightsFor(count: number) {
  if (drawn.length !== count) drawn = new Float64Array(count);
  return drawn;
}

/** An entry that was drawn from a range, and the log of its probability among all of it. */
export interface Draw {
  readonly choice: number;
  readonly logp: number;
}

/**
 * Draws from softmax(logits / temperature).
 *
 * @param temperature 0 takes the most likely; its probability is then that at a temperature of 1
 */
export function draw(
  logits: ArrayLike<number>,
  start: number,
  count: number,
  temperature: number,
  random: Random,
): Draw {
  const best = argmaxOf(logits, start, count);
  const top = logits[start + best];
  const divisor = temperature || 1;
  const weights = weightsFor(count);
  const sum = weigh(logits, start, count, top, divisor, weights);
  const choice = temperature === 0 ? best : inverseCdf(weights, random.uniform() * sum);
  return { choice, logp: (logits[start + choice] - top) / divisor - Math.log(sum) };
}

/** Draws from softmax(logits / temperature), cut to top-k, then to top-p, as transformers orders them. */
export function sample(
  logits: ArrayLike<number>,
  start: number,
  count: number,
  sampling: Sampling,
  random: Random,
): number {
  if (sampling.temperature === 0) return argmaxOf(logits, start, count);
  const cutK = sampling.topK > 0 && sampling.topK < count;
  if (!cutK && sampling.topP >= 1) return draw(logits, start, count, sampling.temperature, random).choice;
  const p = probabilities(logits, start, count, sampling.temperature, weightsFor(count));
  const order = Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
  const kept = cutK ? order.slice(0, sampling.topK) : order;
  const total = kept.reduce((n, i) => n + p[i], 0);
  let sum = 0;
  let last = 0;
  while (last < kept.length && (last === 0 || sum < sampling.topP * total)) sum += p[kept[last++]];
  const weights = kept.slice(0, last).map((i) => p[i] / sum);
  return kept[inverseCdf(weights, random.uniform())];
}
