/**
 * What the settings of several stages are made of: each says what it is, its unit, and what the paper used. The command
 * line, the language server and the documentation read the same schemas.
 */
import { z } from 'zod';
import { arithmeticOptions } from '../../data/generators/arithmetic.ts';
import { countdownOptions } from '../../data/generators/countdown.ts';
import { columnMap } from '../../data/shapes.ts';
import { gameSpec } from '../../environments/spec.ts';
import { adapterTargets } from '../../protocol/adapter.ts';

/** What hover shows beside the description. */
export interface SettingNotes {
  readonly unit?: string;
  /** The paper's value and where it stands. */
  readonly paper?: string;
  /** Of a learning rate: what it is at {@link tunedWidth}, where none is given. */
  readonly tuned?: number;
  /** Of a learning rate that is not that of the stage itself: whose it is. */
  readonly of?: 'modules';
}

/** Width of the model that learning rates were tuned on. */
export const tunedWidth = 320;

export const setting = <T extends z.ZodType>(schema: T, description: string, notes: SettingNotes = {}): T =>
  schema.meta({ description, ...notes }) as T;

export const count = z.int().positive();
export const share = z.number().min(0).max(1);

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
  z.strictObject({
    environment: setting(
      gameSpec,
      'Episodes of the player who knows how, in worlds of training; measured on in others.',
    ),
    episodes: setting(z.int().positive().max(100_000).default(2000), 'How many.', { unit: 'episodes' }),
    seed: setting(z.int().min(0).optional(), 'Which worlds they are; the seed of the run, if not given.'),
  }),
]);
export type DataSpec = z.infer<typeof dataSpec>;

export const data = setting(
  dataSpec,
  'Rows to learn from: a file of rows (.jsonl, .json, .csv, .tsv, .parquet, also .gz), a text file, a folder, a task (countdown, arithmetic), or demonstrations ({ environment: household }).',
);
export const heldOut = setting(
  dataSpec.optional(),
  'Rows to measure on. Without it, the last fiftieth of the data is held out.',
);

/** A learning rate that depends on the width of what learns, where none is given; see spec/rates.ts. */
export const rate = (tuned: number, description: string, notes: SettingNotes = {}) =>
  setting(
    z.number().positive().optional(),
    `${description} If not given, ${tuned} where what learns is up to ${tunedWidth} wide, and ${tunedWidth} / width of that where it is wider.`,
    { ...notes, tuned },
  );

/** Settings of AdamW and its schedule, with each stage's own learning rate and decay. */
export const optimisation = (
  learningRate: number,
  notes: SettingNotes,
  decay: number,
  betas: readonly [number, number],
) => ({
  learning_rate: rate(learningRate, 'Highest learning rate of AdamW.', notes),
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

export const keeping = {
  checkpoint_every: setting(count.default(50), 'How often a checkpoint is saved.', { unit: 'steps' }),
  evaluate_every: setting(count.default(50), 'How often the model is measured on held-out rows.', { unit: 'steps' }),
};

/** An adapter that learns instead of the base. */
export const lora = setting(
  z
    .strictObject({
      rank: setting(count.max(1024).default(16), 'Columns of A and B; more can learn more.'),
      alpha: setting(
        z.number().positive().max(1e6).default(32),
        'What the adapter adds is multiplied by alpha / rank.',
      ),
      targets: setting(
        z
          .array(z.enum(adapterTargets))
          .min(1)
          .default([...adapterTargets]),
        'Linear layers of every block that an adapter is put beside.',
      ),
    })
    .optional(),
  'Train an adapter (LoRA) and leave the base as it is, in any precision: { rank, alpha, targets }. The model is saved as a PEFT folder.',
  { paper: 'none: all weights' },
);

/** What an update keeps of the blocks of the base for its backward pass. */
export const checkpointing = ['auto', 'none', 'blocks'] as const;
export type Checkpointing = (typeof checkpointing)[number];

export const checkpoint = setting(
  z.enum(checkpointing).default('auto'),
  'Gradient checkpointing: with blocks the backward pass computes each block of the base again and nothing inside it is kept: less memory, up to a third more time, the same gradients. auto does so where the update would not fit into free memory otherwise.',
);

/** Rows with prompts and responses. */
export const rowsOf = {
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
  checkpoint,
};
