/** RLOO (arXiv 2402.14740), as somebody would add it: a sample is compared with the mean of the other samples of its prompt. */
import { policyGradientLoss } from '../../server/cola/losses.ts';
import type { Algorithm } from '../../server/train/algorithms/algorithm.ts';

export const notes = 'RLOO compares a sample with the mean of the others.';

export const rloo: Algorithm = {
  modules: [],
  greedy: false,
  outcomes({ rewards, groups }) {
    return Float64Array.from(rewards, (reward, i) => {
      const others = rewards.filter((other, j) => j !== i && groups[j] === groups[i] && other !== undefined);
      if (reward === undefined || others.length === 0) return 0;
      return reward - others.reduce<number>((sum, other) => sum + (other ?? 0), 0) / others.length;
    });
  },
  objective: ({ logp, advantages, mask }) => ({ loss: policyGradientLoss(logp, advantages, mask) }),
};
