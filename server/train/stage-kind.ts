/**
 * What a kind of stage is to all that know of stages. What a run spec says of it, for hover, the list of runs and the measurement
 * of a run, is its declaration; training, `cola fit` and the cost of a run read the rest. That is one file in `stages/`.
 */
import type { ColaConfig, ModuleName } from '../cola/config.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { LanguageModel, WeightMap } from '../model/language-model.ts';
import type { ExpectedTensor } from '../model/weights/weights.ts';
import type { StageDeclaration } from '../spec/stages.ts';
import type { MemoryPart } from './run/memory-parts.ts';
import type { HirePlan, ShardWork } from './shards/shards.ts';
import type { Metrics, Stage, StageContext } from './stage.ts';

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

/** @typeParam S its settings, with all defaults */
export interface StageKind<S extends object = object> extends StageDeclaration<S> {
  /** Undefined for a stage of the base alone, which works without latent actions. */
  modules(settings: S): StageModules | undefined;
  actions?(settings: S): NewActions;
  /** Weights beside those of the model: they begin at 0 and stay in the run. */
  extras?(settings: S, configs: Configs): readonly ExpectedTensor[];
  /** The weights that it learns. Only asked where the latent actions it needs are there, as is {@link parts}. */
  learns(settings: S, configs: Configs): readonly ExpectedTensor[];
  /** What it has in memory, from the very graphs that it runs. @param length tokens in a row, instead of what the settings say */
  parts(settings: S, configs: Configs, length: number | undefined): readonly MemoryPart[];
  /**
   * What is saved where no language model comes out of it: the stage is the last of its spec then.
   *
   * @param weights those of the base and its extras
   * @param figures what was measured of them, if it was
   */
  result?(
    base: LanguageModel,
    weights: WeightMap,
    figures: Metrics | undefined,
  ): { save(folder: string): Promise<void> };
  /** @throws train.needs, train.setting, data.*, reward.* */
  create(settings: S, context: StageContext): Promise<Stage>;
  /** Why its steps are not cut into shards, of a stage without {@link hire}. */
  readonly whole?: string;
  /** What is computed of a shard of its steps; a stage without it cannot be cut into shards. */
  hire?(settings: S, context: StageContext, plan: HirePlan): Promise<ShardWork>;
}

/** The sizes of latent actions, of a stage that is asked only where they are there. */
export function actionsOf({ cola }: Configs): ColaConfig {
  if (cola === undefined) throw new Error('there are no latent actions');
  return cola;
}

/** All modules of a stage. */
export const allModules = ({ needs, makes }: StageModules): readonly ModuleName[] => [...needs, ...makes];
