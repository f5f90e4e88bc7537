/**
 * Which token comes next, of those that the policy's two likeliest actions lead to and the base's likeliest. The policy is
 * learned from few texts beside the base, and where it is unsure its likeliest action leads to a worse token than the base
 * alone would take. So each token counts by what the base gives it and by what the policy gives to actions that lead to
 * it; the sum is twice the even mixture of both models. Where the policy is sure, tuned or not, it decides.
 */
import { probabilities } from '../model/sampling.ts';

/** What could follow a state. */
export interface Rivals {
  /** The policy's two likeliest actions, and the tokens they lead to. */
  readonly actions: readonly [number, number];
  readonly tokens: readonly [number, number];
  /** The base's likeliest token. */
  readonly baseToken: number;
  /** log p under the base of the two tokens and of its own. */
  readonly baseLogp: ArrayLike<number>;
  /** log p of the base's token under both actions. */
  readonly codeLogp: ArrayLike<number>;
}

/** The token that has most, and the likelier of the two actions to have led to it. */
export function voted(policyLogits: Float32Array, rivals: Rivals): { action: number; token: number } {
  const { actions, tokens, baseToken, baseLogp, codeLogp } = rivals;
  const pi = probabilities(policyLogits, 0, policyLogits.length);
  // Two names of one code are one.
  const shares = [pi[actions[0]], actions[0] === actions[1] ? 0 : pi[actions[1]]];
  const worth = [...tokens, baseToken].map(
    (token, i) => Math.exp(baseLogp[i]) + shares.reduce((sum, share, k) => sum + (tokens[k] === token ? share : 0), 0),
  );
  const best = worth.indexOf(Math.max(...worth));
  const token = [...tokens, baseToken][best];
  const leading = tokens.indexOf(token);
  if (leading >= 0) return { action: actions[leading], token };
  const joint = shares.map((share, k) => Math.log(share) + codeLogp[k]);
  return { action: actions[joint[1] > joint[0] ? 1 : 0], token };
}
