/**
 * Which token comes next, of those that the policy's two likeliest actions lead to and the base's likeliest. The policy is
 * learned from few texts beside the base, and where it is unsure its likeliest action leads to a worse token than the base
 * alone would take. So each token has what the base gives it, and what the two actions give it: pi(a) p(token | a), as in the
 * marginal language model. The more sure the policy is, the more the actions count: a half at least, and as much as the base
 * where it is certain ([measured](../../docs/results/vote.md)).
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
  /** log p of the same three under either action. */
  readonly codeLogp: readonly [ArrayLike<number>, ArrayLike<number>];
}

/** What the actions count for at least, the base being 1. */
const leastWeight = 0.5;

/** A token, and the action that is likeliest behind it. */
export interface Voted {
  readonly action: number;
  readonly token: number;
  /** What base and actions give the token together, of all that they give. */
  readonly probability: number;
}

/** The token that has most. */
export function voted(policyLogits: Float32Array, rivals: Rivals): Voted {
  const { actions, tokens, baseToken, baseLogp, codeLogp } = rivals;
  const pi = probabilities(policyLogits, 0, policyLogits.length);
  // Two names of one code are one.
  const shares = [pi[actions[0]], actions[0] === actions[1] ? 0 : pi[actions[1]]];
  const weight = Math.max(leastWeight, shares[0]);
  const three = [...tokens, baseToken];
  const under = three.map((_, i) => shares.map((share, k) => share * Math.exp(codeLogp[k][i])));
  const worth = under.map(([first, second], i) => Math.exp(baseLogp[i]) + weight * (first + second));
  const best = worth.indexOf(Math.max(...worth));
  const [first, second] = under[best];
  const all = 1 + weight * (shares[0] + shares[1]);
  return { action: actions[second > first ? 1 : 0], token: three[best], probability: worth[best] / all };
}
