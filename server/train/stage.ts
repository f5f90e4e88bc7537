/** What a stage is to the trainer: something that makes steps, measures itself, and can be saved and continued. */

import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import type { TensorToWrite } from '../files/safetensors-writer.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { Checkpoint } from '../store/checkpoint.ts';
import type { Sharing } from './optimizer/step-program.ts';
import type { DeviceWeights } from './optimizer/weights.ts';
import type { FrozenData } from './run/frozen.ts';
import type { Sharding } from './shards/shards.ts';
import type { StatesPlace } from './states/kept-states.ts';

export type Metrics = Readonly<Record<string, number | readonly number[]>>;

/** One generated text, for people to look at. */
export interface Sample {
  readonly prompt: string;
  readonly completion: string;
  /** Latent actions, one a token; empty for the token baseline. */
  readonly actions: readonly number[];
  /** Tokens of the completion, the end included. */
  readonly tokens: number;
  readonly reward?: number;
  readonly parts?: Readonly<Record<string, number>>;
  readonly noScore?: string;
  /** Of an episode of several turns each of them, and why nothing followed. */
  readonly turns?: readonly SampleTurn[];
  readonly ended?: 'done' | 'turns' | 'tokens' | 'failed';
}

/** A turn that was written, and what was said to it. */
export interface SampleTurn {
  readonly said: string;
  /** Null where there was no answer. */
  readonly observation: string | null;
  readonly reward: number;
  /** Latent actions by its end, those of earlier turns included; 0 where there are none. */
  readonly end: number;
}

export interface StepOutcome {
  readonly metrics: Metrics;
  readonly samples?: readonly Sample[];
}

export interface Evaluation {
  readonly metrics: Metrics;
  /** The held-out score that decides which checkpoint is the best; higher is better. */
  readonly score: number;
  /** Part of a stage that has several: scores of a later part are of another kind, and replace those of an earlier one. */
  readonly part?: number;
}

/** Everything a stage needs to continue exactly: tensors beside the model's own weights, and plain data. */
export interface StageState {
  readonly tensors: readonly TensorToWrite[];
  readonly state: unknown;
}

export interface Stage {
  readonly name: string;
  readonly steps: number;
  readonly checkpointEvery: number;
  readonly evaluateEvery: number;
  /** Names of the weights it changes. */
  readonly trained: readonly string[];
  /**
   * @param index from 0; called in order
   * @param signal breaks the step off with the signal's reason; the stage is then as it was before the step
   */
  step(index: number, signal: AbortSignal): Promise<StepOutcome>;
  evaluate(signal: AbortSignal): Promise<Evaluation>;
  /** Seconds that `evaluate` takes, told by a part of it; undefined where only the whole can tell. */
  timeEvaluation?(signal: AbortSignal): Promise<number> | undefined;
  save(): Promise<StageState>;
  /** The weights are restored already. */
  restore(checkpoint: Checkpoint): Promise<void>;
  dispose(): Promise<void>;
}

/** What stages share: the model on its device, and where things are. */
export interface StageContext extends Sharing {
  readonly device: Device;
  readonly base: LanguageModel;
  /** The model with latent actions; undefined before the control stage has made them. */
  readonly cola: ColaModel | undefined;
  readonly weights: DeviceWeights;
  /** Seed of this stage. */
  readonly seed: number;
  /** Makes paths of the spec absolute. */
  readonly resolve: (path: string) => string;
  /** Where tokens of data sets are kept. */
  readonly cacheFolder: string;
  /** The data as the run began with it; without one, data is read as it is now. */
  readonly frozen?: FrozenData | undefined;
  /** Where hidden states of the base are kept; undefined where no stage is run that asks for it. */
  readonly states?: StatesPlace | undefined;
  /** How a round is cut and who computes it; undefined where it is computed in one piece. */
  readonly sharding?: Sharding | undefined;
  readonly signal: AbortSignal;
  /** Says what is going on before the first step. */
  readonly say: (text: string) => void;
}
