/**
 * What a kind of stage is to all that know of stages: run specs, hover, training, `cola fit`, the cost and the measurement of
 * a run, the list of runs. A kind is one file in `stages/` and one line in `stages/index.ts`.
 */
import type { z } from 'zod';
import type { ColaConfig, ModuleName } from '../cola/config.ts';
import type { ModelConfig } from '../model/config.ts';
import type { ExpectedTensor } from '../model/weights.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import type { DataSpec } from '../spec/settings.ts';
import type { MemoryPart } from './memory-parts.ts';
import type { Stage, StageContext } from './stage.ts';

/** What the held-out score of a stage is called, and which way it is read. */
export interface ScoreMeaning {
  /** `loss` is never below 0; what may be is an `objective`. */
  readonly name: 'reward' | 'acceptance' | 'loss' | 'objective';
  /** Whether less is better: a stage's score is then the figure with its sign turned. */
  readonly lower: boolean;
}

/** A score as people read it. */
export const shownScore = ({ lower }: ScoreMeaning, score: number): number => (lower ? -score : score);

/** The modules of latent actions that a stage works on. */
export interface StageModules {
  /** An earlier stage has trained them. */
  readonly needs: readonly ModuleName[];
  /** They get fresh weights where the model lacks them. */
  readonly makes: readonly ModuleName[];
}

/** A model as its configurations describe it. */
export interface Configs {
  readonly config: ModelConfig;
  /** Undefined for a base model. */
  readonly cola: ColaConfig | undefined;
}

/** Latent actions that a stage makes. */
export interface NewActions {
  readonly config: ColaConfig;
  /** Standard deviation of the codes at the start. */
  readonly codebookStd: number;
}

/** What a stage learns to solve, and how much of it is measured. */
export interface StageTask {
  readonly prompts: DataSpec;
  readonly held_out?: DataSpec | undefined;
  readonly chat?: boolean | undefined;
  readonly reward: RewardSpec;
  readonly max_new: number;
  readonly temperature: number;
  readonly top_k: number;
  readonly solved_at: number;
  /** Prompts and samples of a measurement; the usual ones, if not given. */
  readonly sizes?: { readonly prompts: number; readonly samples: number };
}

/** A setting that others ask for. */
export interface MissingSetting {
  readonly key: string;
  /** What needs it. */
  readonly when: string;
}

/** @typeParam S its settings, with all defaults */
export interface StageKind<S extends object = object> {
  /** What it does, in a sentence. */
  readonly notes: string;
  readonly settings: z.ZodObject & z.ZodType<S>;
  /** Settings that are optional by themselves, and are missing beside the others. */
  missing?(settings: S): readonly MissingSetting[];
  /** Undefined for a stage of the base alone, which works without latent actions. */
  modules(settings: S): StageModules | undefined;
  actions?(settings: S): NewActions;
  /** Weights beside those of the model: they begin at 0 and stay in the run. */
  extras?(settings: S, configs: Configs): readonly ExpectedTensor[];
  /** The weights that it learns. Only asked where the latent actions it needs are there, as is {@link parts}. */
  learns(settings: S, configs: Configs): readonly ExpectedTensor[];
  /** What it has in memory, from the very graphs that it runs. @param length tokens in a row, instead of what the settings say */
  parts(settings: S, configs: Configs, length: number | undefined): readonly MemoryPart[];
  score(settings: S): ScoreMeaning;
  /** What the model answers with that comes out of it; undefined for a stage that does not learn to answer. */
  readonly answers?: 'actions' | 'tokens';
  /** The text it learns from. */
  text?(settings: S): { readonly data: DataSpec; readonly held_out?: DataSpec | undefined };
  task?(settings: S): StageTask | undefined;
  /** @throws train.needs, train.setting, data.*, reward.* */
  create(settings: S, context: StageContext): Promise<Stage>;
}

export const rewardScore: ScoreMeaning = { name: 'reward', lower: false };
export const lossScore: ScoreMeaning = { name: 'loss', lower: true };

/** The sizes of latent actions, of a stage that is asked only where they are there. */
export function actionsOf({ cola }: Configs): ColaConfig {
  if (cola === undefined) throw new Error('there are no latent actions');
  return cola;
}

/** All modules of a stage. */
export const allModules = ({ needs, makes }: StageModules): readonly ModuleName[] => [...needs, ...makes];
