/** Settings of the stages that learn from rewards of whole answers: over actions, over tokens, and the Q function. */
import { z } from 'zod';
import { environmentSpec } from '../../environments/spec.ts';
import { rewardSpec } from '../../rewards/schema.ts';
import { type AlgorithmName, advantageNames, algorithmNotes } from '../algorithms.ts';
import { count, dataSpec, heldOut, keeping, lora, optimisation, rowsOf, setting, share } from './parts.ts';

/** Settings of reinforcement, over actions or over tokens alike. */
const reinforcement = (learningRate: number) => ({
  algorithm: setting(
    z.enum(Object.keys(algorithmNotes) as AlgorithmName[]).default('grpo'),
    Object.values(algorithmNotes).join(' '),
    {
      paper: 'ReMax, RLOO, GRPO, REINFORCE++ are named',
    },
  ),
  prompts: setting(dataSpec.optional(), 'Rows with a prompt and what the reward needs.'),
  held_out: heldOut,
  chat: rowsOf.chat,
  reward: setting(rewardSpec.optional(), 'How a finished sample is judged.'),
  environment: setting(
    environmentSpec.optional(),
    'A world in which the model acts turn by turn, instead of prompts and a reward: household, guess-the-rule, { module: { path: FILE } }, { openenv: ADDRESS }, or { mcp: { command, prompts, reward } }.',
    { paper: 'ALFWorld, ScienceWorld (section 4.2)' },
  ),
  worlds: setting(count.max(100_000).default(256), 'With an environment: worlds to learn in.', { unit: 'worlds' }),
  turns: setting(
    count.max(1000).default(20),
    'With an environment: most turns of an episode; max_new is the longest of a turn.',
    {
      unit: 'turns',
    },
  ),
  max_tokens: setting(
    count.default(512),
    'With an environment: longest episode behind its start, with all that was said to the model.',
    { unit: 'tokens' },
  ),
  steps: setting(count.default(40), 'Rounds of rollout and update.', { unit: 'steps' }),
  batch: setting(count.default(32), 'Prompts in a round.', { unit: 'prompts', paper: '64 (maths script)' }),
  group: setting(count.default(8), 'Samples a prompt.', { unit: 'samples', paper: '4 (maths), 16 (preferences)' }),
  max_new: setting(count.default(64), 'Longest answer.', { unit: 'tokens', paper: '1024 to 4096' }),
  minibatches: setting(count.default(2), 'Updates a round.', { paper: '1 to 4 (scripts)' }),
  temperature: setting(z.number().positive().default(1), 'Temperature at which actions are sampled.', { paper: '1.0' }),
  top_k: setting(
    z.int().min(0).default(0),
    'Sample only among the k most likely; 0 for all. Log-probabilities use the same cut.',
    { paper: '40 of 64 when sampling, none in log-probabilities (code)' },
  ),
  kl: setting(z.number().min(0).default(0), 'Weight of the KL divergence from the policy at the start.', {
    unit: 'per nat',
    paper: '0.01 (preferences), 0.001 (maths)',
  }),
  gamma: setting(share.default(1), 'Discount.', { paper: '1' }),
  lambda: setting(share.default(1), 'Lambda of generalised advantage estimation.', { paper: '0.95 (code)' }),
  advantage: setting(
    z.enum(advantageNames).default('std'),
    'GRPO: what the difference of a sample from the mean of its prompt is divided by. std is GRPO; mean is MaxRL (arXiv 2602.02710), for rewards of 0 and 1: hard prompts count more, and variety stays; none is Dr. GRPO (arXiv 2503.20783). TRL: scale_rewards.',
    { paper: 'std' },
  ),
  loss: setting(
    z.enum(['sequence', 'token']).default('sequence'),
    'What counts alike: every sample, as in GRPO, or every choice, as in DAPO (arXiv 2503.14476). TRL: loss_type grpo and dapo.',
    { paper: 'sequence (code)' },
  ),
  ratio: setting(
    z.enum(['choice', 'sequence']).default('choice'),
    'Whose probability is compared with that of the rollout and clipped: that of every choice, or the geometric mean over a sample, as in GSPO (arXiv 2507.18071), which needs a far smaller clip_ratio (there 3e-4, and 4e-4 above). TRL: importance_sampling_level token and sequence.',
    { paper: 'choice' },
  ),
  kl_loss: setting(
    z.number().min(0).default(0),
    'Weight of the KL divergence from the policy at the start as a term of the loss (its estimate k3), beside kl, which is part of the rewards. TRL: beta.',
    { unit: 'per nat', paper: '0: the divergence is in the rewards' },
  ),
  entropy_target: setting(
    z.number().min(0).optional(),
    'Entropy of the policy that is held from below. Over latent actions it is exact; 64 even codes have 4.16 nats. If not given, nothing holds it.',
    { unit: 'nats a choice', paper: 'none' },
  ),
  entropy_weight: setting(z.number().positive().default(0.1), 'Weight of what the entropy lacks of its target.', {
    unit: 'per nat',
    paper: 'none',
  }),
  clip_ratio: setting(z.number().positive().default(0.2), 'How far the probability ratio may move.', { paper: '0.2' }),
  clip_ratio_high: setting(
    z.number().positive().optional(),
    'How far it may rise, if that is not clip_ratio (DAPO: 0.28). TRL: epsilon_high.',
    { paper: '0.2' },
  ),
  overlong: setting(
    z.enum(['keep', 'mask']).default('keep'),
    'Answers that are cut off at max_new: keep learns from them as from any other; mask leaves their choices out of the loss, while their rewards still count in what others are compared with. TRL: mask_truncated_completions.',
    { paper: 'keep (code)' },
  ),
  overlong_buffer: setting(
    z.int().min(0).default(0),
    'Over so many tokens before max_new an answer loses evenly up to 1 of its reward while it is learned from (DAPO: soft overlong punishment, 4096 of 20480); 0 for none. Figures show the reward as it was. TRL: get_soft_overlong_punishment.',
    { unit: 'tokens', paper: 'none' },
  ),
  resample: setting(
    z.int().min(0).max(32).default(0),
    'How often in a round prompts whose samples all got the same reward are replaced by others, if those differ: such prompts teach nothing (DAPO: dynamic sampling). Every time costs the samples of the prompts that are replaced.',
    { unit: 'times', paper: 'none' },
  ),
  whiten: setting(z.boolean().default(true), 'Normalise advantages over all actions of a round.', {
    paper: 'yes (code)',
  }),
  value_clip: setting(z.number().positive().default(0.2), 'PPO: how far a value may move.', { paper: '0.2' }),
  value_weight: setting(z.number().min(0).default(0.5), 'PPO: weight of the value loss.', { paper: '0.5' }),
  solved_at: setting(
    z.number().optional(),
    'A held-out sample counts as solved from this reward on. If not given: the highest that the reward can be, or 1 where that is not known.',
  ),
  evaluate_rows: setting(count.default(200), 'Held-out prompts in a measurement.', { unit: 'prompts' }),
  evaluate_samples: setting(count.default(8), 'Samples a held-out prompt.', { unit: 'samples' }),
  ...optimisation(learningRate, { paper: '5e-7 to 1e-5 at d = 4096' }, 0, [0.9, 0.95]),
  warmup: setting(z.int().min(0).default(2), 'Updates over which the learning rate rises linearly.', {
    unit: 'updates',
    paper: '3 %',
  }),
  checkpoint_every: setting(count.default(10), 'How often a checkpoint is saved.', { unit: 'steps' }),
  evaluate_every: setting(count.default(10), 'How often the model is measured on held-out prompts.', { unit: 'steps' }),
});

export const reinforceSettings = z.strictObject(reinforcement(1e-4));

/** Rounds of reinforcement over tokens where a spec names none. */
export const tokenRounds = 40;

export const tokensSettings = z.strictObject({
  method: setting(
    z.enum(['supervised', 'reinforce']).default('reinforce'),
    'Supervised fine-tuning or reinforcement, without latent actions.',
  ),
  blocks: setting(
    count.optional(),
    'Train only the last k blocks, the final norm and the head; all weights, if not given.',
  ),
  lora,
  ...reinforcement(3e-5),
  steps: setting(
    count.optional(),
    `Rounds of rollout and update, ${tokenRounds} if not given; for supervised the number of updates, instead of epochs.`,
    { unit: 'steps' },
  ),
  data: setting(dataSpec.optional(), 'For supervised: rows with prompt and response.'),
  max_length: rowsOf.max_length,
  epochs: rowsOf.epochs,
  accumulate: rowsOf.accumulate,
  checkpoint: rowsOf.checkpoint,
});

export const qSettings = z.strictObject({
  prompts: setting(dataSpec, 'Rows with a prompt and what the reward needs.'),
  chat: rowsOf.chat,
  reward: setting(rewardSpec, 'How a finished sample is judged.'),
  steps: setting(count.default(50), 'Rounds of rollouts.', { unit: 'steps', paper: '100 epochs over fixed rollouts' }),
  batch: setting(count.default(32), 'Prompts in a round.', { unit: 'prompts' }),
  group: setting(count.default(8), 'Samples a prompt.', { unit: 'samples', paper: '8 (appendix C)' }),
  reuse: setting(count.default(4), 'Updates a round: its rollouts are cut into so many minibatches.', {
    paper: 'batches of 256',
  }),
  max_new: setting(count.default(64), 'Longest answer.', { unit: 'tokens' }),
  temperature: setting(z.number().positive().default(1), 'Temperature at which actions are sampled.', { paper: '1.0' }),
  gamma: setting(share.default(0.99), 'Discount.', { paper: '0.99' }),
  target_every: setting(count.default(50), 'Updates between copies to the target network.', {
    unit: 'updates',
    paper: '100 (paper), 50 (code)',
  }),
  ...optimisation(5e-4, { paper: '5e-6 at d = 4096' }, 0, [0.9, 0.95]),
  ...keeping,
});

export type ReinforceSettings = z.infer<typeof reinforceSettings>;
export type TokensSettings = z.infer<typeof tokensSettings>;
export type QSettings = z.infer<typeof qSettings>;
