/** The contract between reinforcement and what it trains: latent actions (`latent-actor.ts`) or tokens (`token-actor.ts`). */
import type { Graph, Tensor } from '../../graph/tensor.ts';
import type { StepGraph } from '../../model/step.ts';
import type { ExpectedTensor } from '../../model/weights.ts';
import type { Random } from '../../random.ts';
import type { Packed, PackedShape } from '../shared-prefix.ts';
import type { Feeds } from '../supervised.ts';
import type { Prompt, RolloutSettings, Trajectory } from './rollout.ts';

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
  /** The weights that reinforcement changes. */
  readonly learns: readonly ExpectedTensor[];
  /** A step of a rollout, and the weights that it reads beside the base's. */
  readonly step: StepGraph;
  readonly added: readonly ExpectedTensor[];
}

/** The inputs of its graph are filled by {@link feeds}. */
export interface Actor extends PolicyGraph {
  /** Names of the weights that reinforcement changes. */
  readonly trained: readonly string[];
  /** Whether they are latent actions; otherwise tokens. */
  readonly latent: boolean;
  /**
   * Samples `group` answers to every prompt.
   *
   * @returns in the order of the prompts, groups together
   */
  rollout(
    prompts: readonly Prompt[],
    group: number,
    settings: RolloutSettings,
    random: Random,
    signal: AbortSignal,
  ): Promise<Trajectory[]>;
  feeds(trajectories: readonly (Trajectory | undefined)[], packed: Packed): Feeds;
  dispose(): Promise<void>;
}
