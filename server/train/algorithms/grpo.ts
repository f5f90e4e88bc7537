/** GRPO (arXiv 2402.03300): the samples of a prompt are compared with each other, so nothing has to be valued. */
import { groupOutcomes } from '../reinforce/advantages.ts';
import type { Algorithm } from './algorithm.ts';
import { clippedObjective } from './clipped.ts';

export const grpo: Algorithm = {
  modules: [],
  greedy: false,
  outcomes({ rewards, groups }) {
    // Samples without a score stay out of their group's mean.
    const scored = rewards.flatMap((r, i) => (r === undefined ? [] : [i]));
    const relative = groupOutcomes(
      scored.map((i) => rewards[i] ?? 0),
      scored.map((i) => groups[i]),
    );
    const outcomes = new Float64Array(rewards.length);
    for (const [k, i] of scored.entries()) outcomes[i] = relative[k];
    return outcomes;
  },
  objective: clippedObjective,
};
