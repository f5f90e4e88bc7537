/** A reward model as a reward: its options. What reads the model lies above, in `server/reward-model`. */
import { z } from 'zod';
import { deviceNames } from '../device/names.ts';
import type { Reward } from './reward.ts';

const settings = z.strictObject({
  /** Folder of a reward model; relative paths start at the folder of the recipe. */
  path: z.string().min(1),
  /** What computes its scores, apart from what answers are written on. */
  device: z.enum(['auto', ...deviceNames]).default('cpu'),
  /** Answers that are read at once. */
  batch: z.number().int().min(1).max(256).default(8),
  /** As the model gives it; less the mean and divided by the deviation of its held-out scores; or that as a share from 0 to 1. */
  normalise: z.enum(['none', 'standard', 'sigmoid']).default('none'),
  /** Instead of the mean and the deviation that the folder has in reward.json. */
  mean: z.number().optional(),
  std: z.number().positive().optional(),
  /** Scores that are remembered. */
  remember: z.number().int().min(0).max(1_000_000).default(10_000),
  /** Whether prompts go through the model's chat template; by default they do where it has one. */
  chat: z.boolean().optional(),
});

/** A folder, or settings with one. */
export const modelOptions = z.union([z.string().min(1), settings]);
export type ModelRewardOptions = z.infer<typeof settings>;

/** The long form. */
export const modelSettings = (options: z.infer<typeof modelOptions>): ModelRewardOptions =>
  typeof options === 'string' ? settings.parse({ path: options }) : options;

/** Makes the reward of a model. @param folder where its path starts */
export type ModelReward = (options: ModelRewardOptions, folder: string) => Promise<Reward>;
