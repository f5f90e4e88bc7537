/**
 * A round of reinforcement in shards: whole groups of prompts, each rolled out, judged and learned from by itself, wherever that
 * is. What comes of a round follows from its shards alone, never from who computed which or in what order.
 */
import type { State } from '../../../device/program.ts';
import type { Metrics } from '../../stage.ts';
import type { Judged } from '../episode.ts';
import type { Start } from '../starts.ts';

/** What is told of an episode; all that learning from it takes stays where it was made. */
export type Told = Pick<Judged, 'group' | 'choices' | 'tokens' | 'finished' | 'turns' | 'completion' | 'result'>;

/** Count, mean and sum of squared distances from it. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

export interface ShardOutcome {
  /** Groups are counted within the shard. */
  readonly rows: readonly Told[];
  /** Spent on judging. */
  readonly seconds: number;
  /** Of the advantages of all valid choices. */
  readonly advantages: Moments;
  /** Sum of log pi - log pi_ref over the choices of some answers, and how many answers. */
  readonly apart: { readonly sum: number; readonly rows: number };
  /** What each minibatch's loss is averaged over here: samples or choices. */
  readonly weights: readonly number[];
}

/** Whitening of a whole round: (A - mean) scale. */
export interface Whitening {
  readonly mean: number;
  readonly scale: number;
}

export interface ShardGradient {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** In the order of the trained weights; the memory is lent until the next call. */
  readonly gradients: readonly Float32Array[];
}

export interface GradientPart {
  readonly round: number;
  readonly minibatch: number;
  /** Undefined where advantages stay as they are. */
  readonly whitening: Whitening | undefined;
}

/** Computes shards: here, or by workers. */
export interface Shards {
  /** Rolls out and judges the shards of a round under the policy as it is. @returns in the order of the shards */
  rollouts(round: number, shards: readonly (readonly Start[])[], signal: AbortSignal): Promise<readonly ShardOutcome[]>;
  /**
   * Gradients of a minibatch under the policy as it is.
   *
   * @param shards numbers of those that have a part in it
   * @param take gets them in the order of the shards
   */
  gradients(
    part: GradientPart,
    shards: readonly number[],
    take: (shard: number, gradient: ShardGradient) => void,
  ): Promise<void>;
  /** What is worth knowing of those who computed since the last call. */
  figures(): Metrics;
  close(): Promise<void>;
}

/** A policy as workers need it. */
export interface SharedPolicy {
  /** Names of the weights that learn, in order. */
  readonly trained: readonly string[];
  /** The weights at the start of the stage, by their own names. */
  reference(): State;
}

/** Opens workers for a stage; what else they need of the run is known to whoever made it. */
export type OpenShards = (policy: SharedPolicy) => Shards;

/** How a round is computed. */
export interface Sharding {
  /** Shards that a round is cut into. */
  readonly count: number;
  /** Undefined where this process computes them all. */
  readonly open: OpenShards | undefined;
}

/** Sums of parts as of the whole (Chan, Golub and LeVeque, 1979); the order counts. */
export function joined(parts: readonly Moments[]): Moments {
  let [count, mean, squares] = [0, 0, 0];
  for (const part of parts) {
    if (part.count === 0) continue;
    const all = count + part.count;
    const apart = part.mean - mean;
    mean += (apart * part.count) / all;
    squares += part.squares + (apart * apart * count * part.count) / all;
    count = all;
  }
  return { count, mean, squares };
}

/** Consecutive parts as equal as can be, none of them empty. */
export function cut<T>(list: readonly T[], count: number): T[][] {
  const parts = Math.min(count, list.length);
  const edge = (i: number) => Math.floor((i * list.length) / parts);
  return Array.from({ length: parts }, (_, i) => list.slice(edge(i), edge(i + 1)));
}
