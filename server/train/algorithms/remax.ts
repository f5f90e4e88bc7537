/** ReMax (arXiv 2310.10505): the reward of the greedy answer to the same prompt is the baseline. */
import { choiceMean } from '../../cola/losses.ts';
import * as ops from '../../graph/ops.ts';
import type { Algorithm } from './algorithm.ts';

export const remax: Algorithm = {
  modules: [],
  greedy: true,
  // A sample whose greedy counterpart has no score is neither good nor bad.
  outcomes: ({ rewards, greedy }) =>
    Float64Array.from(rewards, (r, i) => (r === undefined ? 0 : r - (greedy?.[i] ?? r))),
  objective: ({ settings, logp, advantages, mask }) => ({
    loss: ops.neg(choiceMean(ops.mul(logp, advantages), mask, settings.loss)),
  }),
};
