/**
 * The settings of every stage: one schema, shared by the command line, the language server and the documentation.
 * Each setting says what it is, its unit, and what the paper used.
 */
import { z } from 'zod';
import { arithmeticOptions } from '../data/generators/arithmetic.ts';
import { countdownOptions } from '../data/generators/countdown.ts';
import { columnMap } from '../data/shapes.ts';
import { environmentSpec } from '../environments/spec.ts';
import { type AlgorithmName, advantageNames, algorithmNotes } from './algorithms.ts';
import { rewardTable } from './feedback-rewards.ts';
import { rewardSpec } from './reward.ts';

/** What hover shows beside the description. */
export interface SettingNotes {
  readonly unit?: string;
  /** The paper's value and where it stands. */
  readonly paper?: string;
}

const setting = <T extends z.ZodType>(schema: T, description: string, notes: SettingNotes = {}): T =>
  schema.meta({ description, ...notes }) as T;

const count = z.int().positive();
const share = z.number().min(0).max(1);

/** Where rows come from: a path, the name of a task, or an object that says more. */
export const dataSpec = z.union([
  z.string().min(1),
  z.strictObject({
    jsonl: z.string().min(1),
    columns: columnMap.optional(),
    skip_bad_rows: z.boolean().default(false),
  }),
  z.strictObject({ text: z.array(z.string().min(1)).min(1) }),
  z.strictObject({
    workspace: z.string().min(1),
    globs: z.array(z.string().min(1)).min(1),
    /** Whether a file that is not UTF-8 ends the run, instead of being left out and counted; false, if not given. */
    strict: z.boolean().optional(),
  }),
  z.strictObject({ task: z.literal('countdown'), ...countdownOptions.omit({ seed: true, split: true }).shape }),
  z.strictObject({ task: z.literal('arithmetic'), ...arithmeticOptions.omit({ seed: true, split: true }).shape }),
]);
export type DataSpec = z.infer<typeof dataSpec>;

const data = setting(
  dataSpec,
  'Rows to learn from: a file of rows (.jsonl, .json, .csv, .tsv, .parquet, also .gz), a text file, a folder, or a task (countdown, arithmetic).',
);
const heldOut = setting(
  dataSpec.optional(),
  'Rows to measure on. Without it, the last fiftieth of the data is held out.',
);

/** Settings of AdamW and its schedule, with each stage's own learning rate and decay. */
const optimisation = (learningRate: number, notes: SettingNotes, decay: number, betas: readonly [number, number]) => ({
  learning_rate: setting(z.number().positive().default(learningRate), 'Highest learning rate of AdamW.', notes),
  warmup: setting(z.int().min(0).default(30), 'Steps over which the learning rate rises linearly.', {
    unit: 'steps',
    paper: '100 (code, pretrain_intention.py)',
  }),
  floor: setting(share.default(0.1), 'Lowest learning rate at the end of the cosine, as a share of the highest.', {
    paper: '0.4 or 0.1 (code)',
  }),
  weight_decay: setting(z.number().min(0).default(decay), 'Decoupled weight decay of matrices.', {
    paper: '0.01 in stage 1, 0 later (code)',
  }),
  beta1: setting(z.number().min(0).max(0.9999).default(betas[0]), 'Decay of the first moment.', { paper: '0.9' }),
  beta2: setting(z.number().min(0).max(0.99999).default(betas[1]), 'Decay of the second moment.', {
    paper: '0.999 in stage 1, 0.95 later (code)',
  }),
  clip: setting(z.number().positive().default(1), 'Largest global norm of the gradients.', { paper: '1.0' }),
});

const keeping = {
  checkpoint_every: setting(count.default(50), 'How often a checkpoint is saved.', { unit: 'steps' }),
  evaluate_every: setting(count.default(50), 'How often the model is measured on held-out rows.', { unit: 'steps' }),
};

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
  ...optimisation(2e-3, {}, 0.1, [0.9, 0.95]),
  ...keeping,
});

export const controlSettings = z.strictObject({
  ...packed(800),
  codes: setting(count.default(64), 'Number of latent actions N.', { paper: '64 (section 4.1)' }),
  idm_layers: setting(count.default(2), 'Blocks of the inverse dynamics.', { paper: '4 (appendix C.1)' }),
  policy_layers: setting(count.default(3), 'Blocks of the policy.', { paper: '8 (appendix C.1)' }),
  merge_layers: setting(count.default(2), 'Merge layers of the world model.', { paper: '2 (appendix C.1)' }),
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
  ...optimisation(2e-3, { paper: '1e-4 at d = 4096 (code)' }, 0.01, [0.9, 0.999]),
  ...keeping,
});

const rowsOf = {
  data,
  held_out: heldOut,
  chat: setting(
    z.boolean().optional(),
    'Whether prompts go through the chat template. By default they do where the model has one.',
  ),
  max_length: setting(count.default(256), 'Longest prompt and response together; longer responses are cut.', {
    unit: 'tokens',
    paper: '2048 (maths), 512 (preferences)',
  }),
  epochs: setting(z.number().positive().default(1), 'Passes over the rows.', { paper: '1' }),
  steps: setting(count.optional(), 'Number of updates, instead of epochs.', { unit: 'steps' }),
  batch: setting(count.default(16), 'Rows in an update.', { unit: 'rows', paper: '256' }),
  accumulate: setting(count.default(1), 'Micro-batches the batch is cut into, to save memory.'),
};

export const guideSettings = z.strictObject({
  variant: setting(
    z.enum(['inverse', 'policy']).default('policy'),
    'Whose actions guide: the inverse dynamics (varied data) or the policy (narrow data).',
    { paper: 'FTA-I, FTA-P (appendix B.1.2)' },
  ),
  ...rowsOf,
  reclone: setting(z.boolean().default(true), 'After the inverse variant, clone the policy again on the same rows.', {
    paper: 'yes (algorithm 2)',
  }),
  reclone_learning_rate: setting(z.number().positive().default(1e-3), 'Learning rate of that cloning.'),
  ...optimisation(1e-4, { paper: '5e-6 at d = 4096' }, 0, [0.9, 0.95]),
  ...keeping,
});

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
    'A world in which the model acts turn by turn, instead of prompts and a reward: household, guess-the-rule, or { module: { path: FILE } }.',
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

export const tokensSettings = z.strictObject({
  method: setting(
    z.enum(['supervised', 'reinforce']).default('reinforce'),
    'Supervised fine-tuning or reinforcement, without latent actions.',
  ),
  blocks: setting(
    count.optional(),
    'Train only the last k blocks, the final norm and the head; all weights, if not given.',
  ),
  ...reinforcement(3e-5),
  data: setting(dataSpec.optional(), 'For supervised: rows with prompt and response.'),
  max_length: rowsOf.max_length,
  epochs: rowsOf.epochs,
  accumulate: rowsOf.accumulate,
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

const notInPaper = 'not in the paper, which searches only to answer';

export const expertSettings = z.strictObject({
  prompts: setting(dataSpec, 'Rows with a prompt and what the reward needs.'),
  held_out: heldOut,
  chat: rowsOf.chat,
  reward: setting(rewardSpec, 'How a finished answer is judged.'),
  steps: setting(count.default(20), 'Rounds of search and update.', { unit: 'steps', paper: notInPaper }),
  batch: setting(count.default(8), 'Prompts that are searched in a round.', { unit: 'prompts', paper: notInPaper }),
  simulations: setting(count.default(32), 'Simulations of the search of a prompt.', {
    unit: 'simulations',
    paper: '64 (section 4.3.2)',
  }),
  breadth: setting(count.default(8), 'Children of a node: so many of its most probable actions.', {
    paper: '4 (code)',
  }),
  root_breadth: setting(count.optional(), 'Children of the prompt; as many as breadth, if not given.', {
    paper: '5 (code)',
  }),
  cpuct: setting(
    z.number().min(0).default(0.7),
    'How much the policy counts against what was found. An action that was not tried counts as reward 0: where rewards are mostly above 0, only a value above breadth times the reward leads to all actions.',
    {
      paper: '0.7 (appendix C)',
    },
  ),
  gamma: setting(share.default(0.99), 'Discount for each edge between a node and a reward.', { paper: '0.99 (code)' }),
  edges: setting(
    z.enum(['steps', 'q']).default('steps'),
    'How far an edge reaches: a fixed number of actions, or as far as Q agrees with itself.',
    { paper: 'MCTS, MCTS-Q (section 4.3.2)' },
  ),
  edge_steps: setting(count.default(1), 'With edges of steps: actions of an edge.', { unit: 'actions', paper: '64' }),
  threshold: setting(z.number().min(0).default(0.01), 'With edges of Q: the Bellman error that ends an edge.', {
    paper: '0.01 (appendix C)',
  }),
  max_extra: setting(z.int().min(0).default(64), 'With edges of Q: most further actions of an edge.', {
    unit: 'actions',
    paper: '64 (appendix C)',
  }),
  temperature: setting(z.number().min(0).default(0), 'Temperature of the actions of rollouts; 0 is greedy.', {
    paper: '1 (code)',
  }),
  lockstep: setting(count.default(4), 'Simulations of a search that run side by side, kept apart by virtual loss.', {
    paper: '1',
  }),
  cache: setting(z.number().positive().default(256), 'Memory for keys and values of branches.', { unit: 'MB' }),
  max_new: setting(count.default(64), 'Longest answer.', { unit: 'tokens', paper: '1024 (code)' }),
  paths: setting(count.default(8), 'Paths of a tree that are learned from, the most visited ones.', {
    paper: notInPaper,
  }),
  least_visits: setting(count.default(2), 'Visits of its children from which on a node is learned from.', {
    unit: 'visits',
    paper: notInPaper,
  }),
  minibatches: setting(count.default(2), 'Updates a round.', { paper: notInPaper }),
  value_weight: setting(
    z.number().min(0).default(0),
    'Weight of the value loss: V learns the mean reward at each node. Above 0 the model gets a value head, if it has none.',
    { paper: notInPaper },
  ),
  q_weight: setting(
    z.number().min(0).default(0),
    'Weight of the Q loss: Q learns the mean reward behind each action. Above 0 the model gets a Q function, if it has none.',
    { paper: notInPaper },
  ),
  solved_at: setting(
    z.number().optional(),
    'A held-out answer counts as solved from this reward on. If not given: the highest that the reward can be, or 1 where that is not known.',
  ),
  evaluate_rows: setting(count.default(200), 'Held-out prompts in a measurement.', { unit: 'prompts' }),
  evaluate_samples: setting(count.default(8), 'Samples a held-out prompt.', { unit: 'samples' }),
  ...optimisation(3e-4, { paper: notInPaper }, 0, [0.9, 0.95]),
  warmup: setting(z.int().min(0).default(2), 'Updates over which the learning rate rises linearly.', {
    unit: 'updates',
  }),
  checkpoint_every: setting(count.default(5), 'How often a checkpoint is saved.', { unit: 'steps' }),
  evaluate_every: setting(count.default(5), 'How often the model is measured on held-out prompts.', { unit: 'steps' }),
});

export type PretrainSettings = z.infer<typeof pretrainSettings>;
export type ControlSettings = z.infer<typeof controlSettings>;
export type CloneSettings = z.infer<typeof cloneSettings>;
export type GuideSettings = z.infer<typeof guideSettings>;
export type ReinforceSettings = z.infer<typeof reinforceSettings>;
export type TokensSettings = z.infer<typeof tokensSettings>;
export type QSettings = z.infer<typeof qSettings>;
export type FeedbackSettings = z.infer<typeof feedbackSettings>;
export type ExpertSettings = z.infer<typeof expertSettings>;
