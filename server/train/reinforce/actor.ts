/**
 * The contract between reinforcement and what it trains: latent actions (`latent-actor.ts`) or tokens (`token-actor.ts`). Who
 * samples needs a {@link Sampler}, who learns a {@link LearningPolicy}; the two meet in episodes only.
 */
import type { Graph, Tensor } from '../../graph/tensor.ts';
import type { StepGraph } from '../../model/step-graph.ts';
import type { ExpectedTensor } from '../../model/weights/weights.ts';
import type { Packed, PackedShape } from '../shared-prefix.ts';
import type { Feeds } from '../supervised.ts';
import type { Episode } from './episode.ts';
import type { SamplingSettings } from './sampler.ts';
import type { Start } from './starts.ts';

export interface ActorGraph {
  /** Logits over the choices at every place that chose, `[B,A,C]`. */
  readonly logits: Tensor;
  /** V of the states there `[B,A]`, where there is a value head. */
  readonly values?: Tensor;
}

/** What an update computes of a policy. */
export interface PolicyGraph {
  /** Number of choices C. */
  readonly choices: number;
  /** Width d of the base. */
  readonly width: number;
  /** The choices' logits of answers that are laid out as {@link Packed}. */
  build(graph: Graph, shape: PackedShape): ActorGraph;
}

/** A policy as configurations describe it, without weights. */
export interface Policy extends PolicyGraph {
  /** Whether the choices are latent actions; otherwise tokens. */
  readonly latent: boolean;
  /** The weights that reinforcement changes. */
  readonly learns: readonly ExpectedTensor[];
  /** A step of a rollout, and the weights that it reads beside the base's. */
  readonly step: StepGraph;
  readonly added: readonly ExpectedTensor[];
}

/** A policy that learns from episodes, wherever they come from. The inputs of its graph are filled by {@link feeds}. */
export interface LearningPolicy extends PolicyGraph {
  /** Names of the weights that reinforcement changes. */
  readonly trained: readonly string[];
  /** Whether the choices are latent actions; otherwise tokens. */
  readonly latent: boolean;
  feeds(episodes: readonly (Episode | undefined)[], packed: Packed): Feeds;
}

/** Makes episodes. */
export interface Sampler {
  /** @returns in the order of the starts, groups together */
  sample(starts: readonly Start[], settings: SamplingSettings, signal: AbortSignal): Promise<Episode[]>;
}

export interface Actor extends LearningPolicy, Sampler {
  dispose(): Promise<void>;
}
