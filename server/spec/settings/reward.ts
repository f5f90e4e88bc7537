/** Settings of the stage that learns a reward from what people preferred, or from the scores they gave, and of the one that does without. */
import { z } from 'zod';
import { count, dataSpec, keeping, optimisation, rowsOf, setting } from './parts.ts';

export const rewardSettings = z.strictObject({
  loss: setting(
    z.enum(['pairs', 'scores']).default('pairs'),
    'What is learned from: pairs of a chosen and a rejected answer (Bradley-Terry: the logistic loss of the difference of their scores), or rows with a score each (squared error). TRL: RewardTrainer has the first.',
  ),
  ...rowsOf,
  data: setting(
    dataSpec,
    'Preferences (chosen and rejected, with a prompt or without, as texts or conversations), or with loss scores rows with an answer and a score.',
  ),
  held_out: setting(dataSpec.optional(), 'Rows to measure on. Without it, the last tenth of the data is held out.'),
  margin: setting(
    z.union([z.number().min(0), z.string().min(1)]).default(0),
    'By how much the score of the chosen answer should at least be higher: a number, or the column that holds one for each pair. TRL: the column margin.',
  ),
  center: setting(
    z.number().min(0).default(0),
    'Pairs: weight of the square of the sum of the two scores, which keeps scores around 0. TRL: center_rewards_coefficient.',
  ),
  score: setting(z.string().min(1).default('score'), 'With loss scores: the column that holds the score of a row.'),
  blocks: setting(
    z.int().min(0).optional(),
    'Train only the last k blocks and the final norm beside the head; 0 for the head alone. All weights, if not given.',
  ),
  evaluate_rows: setting(count.default(500), 'Held-out pairs or rows in a measurement.', { unit: 'rows' }),
  ...optimisation(1e-4, {}, 0, [0.9, 0.95]),
  ...keeping,
});

export const dpoSettings = z.strictObject({
  ...rowsOf,
  data: setting(dataSpec, 'Preferences: chosen and rejected, with a prompt or without, as texts or conversations.'),
  held_out: setting(dataSpec.optional(), 'Rows to measure on. Without it, the last tenth of the data is held out.'),
  beta: setting(
    z.number().positive().default(0.1),
    'How closely the model is held to where it began: the implicit reward is beta times the log-ratio to that. TRL: beta.',
  ),
  blocks: setting(
    count.optional(),
    'Train only the last k blocks, the final norm and the head; all weights, if not given.',
  ),
  evaluate_rows: setting(count.default(500), 'Held-out pairs in a measurement.', { unit: 'pairs' }),
  ...optimisation(1e-5, {}, 0, [0.9, 0.95]),
  ...keeping,
});

export type DpoSettings = z.infer<typeof dpoSettings>;
export type RewardSettings = z.infer<typeof rewardSettings>;
