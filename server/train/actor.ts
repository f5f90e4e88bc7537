/** The contract between reinforcement and what it trains: latent actions (`latent-actor.ts`) or tokens (`token-actor.ts`). */
import type { Graph, Tensor } from '../graph/tensor.ts';
import type { Random } from '../random.ts';
import type { Prompt, RolloutSettings, Trajectory } from './rollout.ts';
import type { Feeds } from './supervised.ts';

export interface ActorGraph {
  /** Logits over the choices at every position `[B,S,C]`. */
  readonly logits: Tensor;
  /** V at every position `[B,S]`, where there is a value head. */
  readonly values?: Tensor;
}

export interface Actor {
  /** Names of the weights that reinforcement changes. */
  readonly trained: readonly string[];
  /** Number of choices C. */
  readonly choices: number;
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
  /** The choices' logits for B trajectories of S positions, with inputs that {@link feeds} fills. */
  build(graph: Graph, batch: number, length: number): ActorGraph;
  feeds(trajectories: readonly (Trajectory | undefined)[], length: number): Feeds;
  dispose(): Promise<void>;
}
