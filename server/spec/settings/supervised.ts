/** Settings of the stages that learn from text and from answers: the base, CoLA's first two stages, and guiding. */
import { z } from 'zod';
import { checkpoint, count, data, heldOut, keeping, lora, optimisation, rate, rowsOf, setting } from './parts.ts';

/** Batches of packed sequences. */
const packed = (steps: number) => ({
  data,
  held_out: heldOut,
  steps: setting(count.default(steps), 'Number of updates.', { unit: 'steps' }),
  tokens: setting(z.number().positive().optional(), 'Tokens to learn from, instead of a number of steps.', {
    unit: 'tokens',
    paper: '200 B (control), 100 B (clone)',
  }),
  batch: setting(count.default(8), 'Sequences in an update.', { unit: 'sequences', paper: '512' }),
  accumulate: setting(count.default(1), 'Micro-batches the batch is cut into, to save memory.'),
  length: setting(count.default(256), 'Tokens in a sequence.', { unit: 'tokens', paper: '2048' }),
});

export const pretrainSettings = z.strictObject({
  ...packed(1000),
  checkpoint,
  ...optimisation(2e-3, {}, 0.1, [0.9, 0.95]),
  ...keeping,
});

const cacheStates = setting(
  z.boolean().default(false),
  'Keep the hidden states of the rows on the disk, so that the base reads every row once: later epochs, stages over the same data and a run that goes on read them there. The same figures to the last bit. 4 d bytes a token, in the folder of the run until it ends.',
  { paper: 'none' },
);

export const controlSettings = z.strictObject({
  ...packed(800),
  cache_states: cacheStates,
  codes: setting(count.default(64), 'Number of latent actions N.', { paper: '64 (section 4.1)' }),
  idm_layers: setting(count.default(2), 'Blocks of the inverse dynamics.', { paper: '4 (appendix C.1)' }),
  policy_layers: setting(count.default(3), 'Blocks of the policy.', { paper: '8 (appendix C.1)' }),
  merge_layers: setting(count.default(2), 'Merge layers of the world model.', { paper: '2 (appendix C.1)' }),
  width: setting(
    count.optional(),
    'Width of inverse dynamics, policy, codes and merge, with a learned projection of h; that of the base, if not given. Memory and time of the modules shrink with it.',
    { paper: 'none: d' },
  ),
  world: setting(
    z.enum(['plain', 'residual']).default('plain'),
    'Whether the world model subtracts h. On small models residual is worse by 1.3 to 2.1 nats.',
    { paper: 'residual (code only)' },
  ),
  codebook_std: setting(z.number().positive().default(1), 'Standard deviation of the codes at the start.', {
    paper: 'sqrt(2 / 5d) (code)',
  }),
  tau: setting(z.number().positive().default(2), 'Temperature of the Gumbel softmax.', { paper: '2.0 (code only)' }),
  beta: setting(z.number().min(0).default(0.001), 'Weight of the entropy term.', { paper: '0.001 (equation 3)' }),
  balance: setting(
    z.number().min(0).default(0.05),
    'Weight of the entropy of the mean code distribution, which keeps all codes alive.',
    { paper: '0: not in the paper' },
  ),
  ...optimisation(2e-3, { paper: '1e-4 at d = 4096 (code)' }, 0.01, [0.9, 0.999]),
  ...keeping,
});

export const cloneSettings = z.strictObject({
  ...packed(400),
  cache_states: cacheStates,
  marginal: setting(
    z.number().min(0).default(0),
    'Weight of the divergence, in nats, of the base from the model that is left when the policy draws the actions. With it the policy learns how likely the base finds what each action writes; 20 is much.',
    { paper: '0: not in the paper' },
  ),
  marginal_states: setting(
    count.default(64),
    'States of an update at which that is computed. Each takes memory for all codes and tokens: 1 MB for 64 codes and 4096 tokens, a few times.',
    { paper: 'none' },
  ),
  ...optimisation(2e-3, { paper: '1e-4 at d = 4096 (code)' }, 0.01, [0.9, 0.999]),
  ...keeping,
});

export const guideSettings = z.strictObject({
  variant: setting(
    z.enum(['inverse', 'policy']).default('policy'),
    'Whose actions guide: the inverse dynamics (varied data) or the policy (narrow data).',
    { paper: 'FTA-I, FTA-P (appendix B.1.2)' },
  ),
  ...rowsOf,
  blocks: setting(
    count.optional(),
    'Train only the last k blocks, the final norm and the head; all weights, if not given.',
  ),
  lora,
  reclone: setting(z.boolean().default(true), 'After the inverse variant, clone the policy again on the same rows.', {
    paper: 'yes (algorithm 2)',
  }),
  reclone_learning_rate: rate(1e-3, 'Learning rate of that cloning.', { of: 'modules' }),
  ...optimisation(1e-4, { paper: '5e-6 at d = 4096' }, 0, [0.9, 0.95]),
  ...keeping,
});

export type PretrainSettings = z.infer<typeof pretrainSettings>;
export type ControlSettings = z.infer<typeof controlSettings>;
export type CloneSettings = z.infer<typeof cloneSettings>;
export type GuideSettings = z.infer<typeof guideSettings>;
