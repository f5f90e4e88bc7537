/**
 * How far a policy has moved, over its choices and over the tokens they lead to. Where the next token is nearly certain many
 * codes give the same token, and probability that drifts among them changes nothing: KL over tokens does not count it.
 */
import { probabilities } from '../../model/sampling.ts';

/** Mean over the states, in nats. By the data processing inequality `token` is never above `choice`, but for rounding. */
export interface Divergence {
  /** KL(pi || pi_ref) = sum_a pi(a) (log pi(a) - log pi_ref(a)). */
  readonly choice: number;
  /** The same of P(x) = sum of pi(a) over the codes with m(a) = x. */
  readonly token: number;
}

/**
 * @param current, reference logits of both policies at K states, `[K,C]`
 * @param tokens m(a), the token every choice leads to, `[K,C]`; undefined where choices are tokens
 */
export function policyDivergence(
  current: Float32Array,
  reference: Float32Array,
  choices: number,
  tokens: Int32Array | undefined,
  temperature = 1,
): Divergence {
  const states = current.length / choices;
  let choice = 0;
  let token = 0;
  for (let k = 0; k < states; k++) {
    const p = probabilities(current, k * choices, choices, temperature);
    const q = probabilities(reference, k * choices, choices, temperature);
    const own = klDivergence(p, q);
    choice += own;
    if (tokens === undefined) token += own;
    else {
      const emitted = tokens.subarray(k * choices, (k + 1) * choices);
      const names = [...new Set(emitted)];
      token += klDivergence(merged(p, emitted, names), merged(q, emitted, names));
    }
  }
  return { choice: choice / states, token: token / states };
}

/** sum_i p_i (log p_i - log q_i), with 0 log 0 = 0. */
export function klDivergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) if (p[i] > 0) sum += p[i] * (Math.log(p[i]) - Math.log(Math.max(q[i], 1e-300)));
  return sum;
}

/** Probabilities of choices added up by the token they lead to. */
function merged(p: ArrayLike<number>, emitted: Int32Array, names: readonly number[]): Float64Array {
  const place = new Map(names.map((id, i) => [id, i]));
  const sums = new Float64Array(names.length);
  for (let i = 0; i < p.length; i++) sums[place.get(emitted[i]) ?? 0] += p[i];
  return sums;
}
