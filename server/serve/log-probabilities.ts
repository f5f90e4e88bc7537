/** Log-probabilities of tokens from logits, as answers give them. */

/** Of a token, how likely it was, and what was likeliest in its place. */
export interface TokenChance {
  readonly id: number;
  /** Nats, of softmax without a temperature; null for a first token, which nothing stands before. */
  readonly logp: number | null;
  /** The likeliest tokens with their log-probabilities, the likeliest first. */
  readonly top: readonly (readonly [id: number, logp: number])[];
}

/** log(sum(exp(x))) of `count` entries from `start`, in float64. */
function logSumExpOf(values: ArrayLike<number>, start: number, count: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = start; i < start + count; i++) if (values[i] > top) top = values[i];
  let sum = 0;
  for (let i = start; i < start + count; i++) sum += Math.exp(values[i] - top);
  return top + Math.log(sum);
}

/** Indices, from 0, of the `k` largest entries, the largest first and the lowest index first among equals. */
function largest(values: ArrayLike<number>, start: number, count: number, k: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = values[start + i];
    if (best.length === k && value <= values[start + best[k - 1]]) continue;
    let at = best.length;
    while (at > 0 && values[start + best[at - 1]] < value) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

/**
 * How likely a token is under the logits of the place before it.
 *
 * @param logits of several places, in a row
 * @param start where those of this place begin
 * @param count vocabulary
 * @param k how many of the likeliest tokens are wanted
 */
export function chanceOf(logits: ArrayLike<number>, start: number, count: number, id: number, k: number): TokenChance {
  const whole = logSumExpOf(logits, start, count);
  const top = largest(logits, start, count, k).map((best) => [best, logits[start + best] - whole] as const);
  return { id, logp: logits[start + id] - whole, top };
}
