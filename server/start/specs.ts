/** The two runs of `cola start`: the policy over latent actions, and the base over tokens, with the same number of samples. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { piecesOf } from '../files/open.ts';
import { stringifySpec } from '../spec/document.ts';
import { type RunSpec, runSpec, toRunSpec } from '../spec/schema.ts';

export interface StartSettings {
  /** A model with latent actions: builtin:nano, or an absolute folder. */
  readonly model: string;
  readonly device: string;
  readonly threads?: number | undefined;
  readonly seed: number;
  /** Rounds of each run. */
  readonly steps: number;
  /** Problems a round, and samples of each. */
  readonly batch: number;
  readonly group: number;
  /** Unseen problems on which is measured. */
  readonly problems: number;
}

export const startDefaults = { seed: 7, steps: 16, batch: 32, group: 8, problems: 200 } as const;

/** Sampled answers to each unseen problem. It is measured three times in each run, about a third of its time. */
export const evaluateSamples = 4;

export const arms = ['actions', 'tokens'] as const;
export type Arm = (typeof arms)[number];

/** What the arms are called where people read. */
export const armNames: Readonly<Record<Arm, string>> = { actions: 'latent actions', tokens: 'tokens (baseline)' };

/** Each at a rate of its own: one copied to the other would decide the comparison. */
const learningRates: Readonly<Record<Arm, number>> = { actions: 4e-4, tokens: 1e-4 };

/**
 * GRPO on countdown, in the form for very small models: 1 for the format, 1 more for a right answer. The numbers go up to 25:
 * the model in the box has learned from problems up to 20, of which it solves a half, so that little would be left to learn.
 */
export function startSpec(arm: Arm, settings: StartSettings): RunSpec {
  const { model, device, threads, seed, steps, batch, group, problems } = settings;
  const stage = {
    algorithm: 'grpo',
    prompts: { task: 'countdown', format: 'compact', numbers: [1, 25] },
    reward: { countdown: { form: 'compact' } },
    solved_at: 2,
    max_new: 16,
    steps,
    batch,
    group,
    kl: 0,
    learning_rate: learningRates[arm],
    evaluate_rows: problems,
    evaluate_samples: evaluateSamples,
    // In the middle too: where it was better than at the end, the better one is kept beside.
    evaluate_every: Math.max(1, Math.ceil(steps / 2)),
    checkpoint_every: 5,
  };
  const stages = [arm === 'actions' ? { reinforce: stage } : { tokens: stage }];
  return toRunSpec(runSpec.parse({ model, device, ...(threads === undefined ? {} : { threads }), seed, stages }));
}

/** Of a spec and the weights it begins with. */
export function runHash(spec: string, modelFolder: string): string {
  const hash = createHash('sha256').update(spec);
  for (const name of ['config.json', 'model.safetensors', 'cola.json', 'cola.safetensors']) {
    const file = join(modelFolder, name);
    if (existsSync(file)) for (const piece of piecesOf(file)) hash.update(piece);
  }
  return hash.digest('hex').slice(0, 10);
}

/**
 * The name of a run: the same for the same spec and weights, so that what was begun is continued, and what is finished is
 * not done again.
 */
export const runNameOf = (arm: Arm, spec: RunSpec, modelFolder: string): string =>
  `start-${arm}-${runHash(stringifySpec(spec), modelFolder)}`;
