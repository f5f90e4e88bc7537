/**
 * GRPO (arXiv 2402.03300): the samples of a prompt are compared with each other, so nothing has to be valued. With other
 * divisors it is MaxRL (arXiv 2602.02710) and Dr. GRPO (arXiv 2503.20783).
 */
import { groupOutcomes } from '../reinforce/advantages.ts';
import type { Algorithm } from './algorithm.ts';
import { clippedObjective } from './clipped.ts';

export const grpo: Algorithm = {
  modules: [],
  greedy: false,
  outcomes({ rewards, groups, advantage }) {
    // Samples without a score stay out of their group's mean.
    const scored = rewards.flatMap((r, i) => (r === undefined ? [] : [i]));
    const relative = groupOutcomes(
      scored.map((i) => rewards[i] ?? 0),
      scored.map((i) => groups[i]),
      advantage,
    );
    const outcomes = new Float64Array(rewards.length);
    for (const [k, i] of scored.entries()) outcomes[i] = relative[k];
    return outcomes;
  },
  objective: clippedObjective,
};
