/** The algorithms of reinforcement as a run spec names them; what they compute is in `train/algorithms`. */
export const algorithmNotes = {
  grpo: 'GRPO compares the samples of a prompt with each other.',
  remax: 'ReMax compares a sample with the greedy one.',
  ppo: 'PPO compares a sample with a learned value.',
};

/** What GRPO divides differences within a group by. */
export const advantageNames = ['std', 'mean', 'none'] as const;
export type AdvantageName = (typeof advantageNames)[number];

export type AlgorithmName = keyof typeof algorithmNotes;
