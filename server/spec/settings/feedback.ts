/** Settings of the stage that learns from what a person did. */
import { z } from 'zod';
import { rewardTable } from '../feedback-rewards.ts';
import { count, optimisation, setting, share } from './parts.ts';

export const feedbackSettings = z.strictObject({
  data: setting(
    z
      .string()
      .min(1)
      // The log of the folder that the spec lies in.
      .overwrite((path) => (path === 'feedback' ? '.' : path))
      .default('.'),
    'The feedback log: `feedback` for that of the folder of the spec, another folder, or a file.',
  ),
  rewards: setting(rewardTable.prefault({}), 'What each thing that a person does is worth.'),
  blame: setting(count.default(2), 'Actions that answer for a rejection, from where it was rejected.', {
    unit: 'actions',
  }),
  held_back: setting(share.max(0.9).default(0.2), 'Share of the moments that nothing is learned from, to judge by.'),
  epochs: setting(count.default(1), 'Passes over what was recorded.'),
  batch: setting(count.max(256).default(8), 'Moments in an update.', { unit: 'moments' }),
  clip_ratio: setting(z.number().positive().default(0.2), 'How far the probability ratio may move.', { paper: '0.2' }),
  importance: setting(
    z.number().positive().default(2),
    'Largest weight of what an older policy has shown, as a ratio of probabilities.',
  ),
  kl: setting(z.number().min(0).default(0.05), 'Weight of the KL divergence from the policy at the start.', {
    unit: 'per nat',
    paper: '0.01 (preferences), 0.001 (maths)',
  }),
  anchors: setting(z.int().min(0).default(8), 'Places of the text before a moment where the KL divergence counts too.'),
  visits: setting(z.number().min(0).default(1), 'Weight of the cross entropy to the visits of a search.'),
  ...optimisation(1e-4, { paper: '5e-7 to 1e-5 at d = 4096' }, 0, [0.9, 0.95]),
  warmup: setting(z.int().min(0).default(2), 'Updates over which the learning rate rises linearly.', {
    unit: 'updates',
  }),
  checkpoint_every: setting(count.default(20), 'How often a checkpoint is saved.', { unit: 'steps' }),
  evaluate_every: setting(count.default(20), 'How often the policy is judged by what was held back.', {
    unit: 'steps',
  }),
});

export type FeedbackSettings = z.infer<typeof feedbackSettings>;
