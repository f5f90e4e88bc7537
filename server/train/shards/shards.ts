/**
 * Work of a stage that is cut into shards, wherever each is computed. What comes of it follows from the shards alone, never from who
 * computed which or in what order: a step begins its shards, then asks what some part of the step comes to in each; gradients
 * are added up along a tree of the shards.
 */
import { z } from 'zod';
import type { State } from '../../device/program.ts';
import type { Metrics } from '../stage.ts';

/** A figure in an answer: JSON has no NaN and no infinity. */
export const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** JSON, and numbers that would be too many for it; what they stand for is known to whoever made them. */
export interface Payload {
  readonly value: unknown;
  readonly arrays: readonly Float32Array[];
}

/** What a part of a step comes to in a shard. */
export interface PartResult {
  /** JSON. */
  readonly value: unknown;
  /** In the order of the weights that learn, or none at all; the memory is lent until the next call. */
  readonly gradients: readonly Float32Array[];
}

/** What is computed of shards, in whichever process. */
export interface ShardWork {
  /** Names of the weights that change between two parts, in the order in which they are sent. */
  readonly sent: readonly string[];
  /**
   * Takes a shard of a round on under the weights as they are, and keeps of it what the parts of the round need.
   *
   * @returns JSON; the field `seconds` alone may differ when it is done again
   */
  begin(round: number, shard: number, input: Payload, signal: AbortSignal): Promise<unknown>;
  /** @param part JSON */
  part(round: number, shard: number, part: unknown): Promise<PartResult>;
  dispose(): Promise<void>;
}

/** The same work, with more to be ended behind it. */
export function withEnd(work: ShardWork, end: () => Promise<void>): ShardWork {
  return {
    sent: work.sent,
    begin: (...asked) => work.begin(...asked),
    part: (...asked) => work.part(...asked),
    async dispose() {
      await work.dispose();
      await end();
    },
  };
}

/** A part of a round that is asked for. */
export interface Asked {
  readonly round: number;
  /** JSON. */
  readonly part: unknown;
  /** Of each shard, what its gradient is multiplied by; shards with 0 have no part in it. */
  readonly shares: readonly number[];
  /** Whether more comes of it than values. */
  readonly gradients: boolean;
}

export interface Summed {
  /** Of the shards that have a part in it, in order. */
  readonly values: readonly { readonly shard: number; readonly value: unknown }[];
  /** Lent until {@link Summed.release}. */
  readonly gradients: readonly Float32Array[];
  readonly release: () => void;
}

/** Computes shards: here, or by workers. */
export interface Shards {
  /**
   * Begins the shards of a round under the weights as they are.
   *
   * @param read makes of an answer what it says. What it throws is the fault of whoever answered
   * @returns in the order of the shards
   */
  begin<T>(
    round: number,
    inputs: readonly Payload[],
    read: (value: unknown, shard: number) => T,
    signal: AbortSignal,
  ): Promise<readonly T[]>;
  /** What a part of the round that was begun comes to, under the weights as they are. */
  sum(asked: Asked): Promise<Summed>;
  /** Says that the weights have changed since they were last sent. */
  learned(): void;
  /** What is worth knowing of those who computed since the last call. */
  figures(): Metrics;
  close(): Promise<void>;
}

/** Work as those who are hired for it need it. */
export interface SharedWork {
  /** Names of the weights that learn, in the order of their gradients. */
  readonly learned: readonly string[];
  /** Names of the weights that change; those that learn, if not given. */
  readonly sent?: readonly string[];
  /** Weights at the start of the stage by their own names, where they are needed. */
  readonly reference?: () => State;
  /** What else they have to know to make the {@link ShardWork}, as JSON. */
  readonly detail: unknown;
}

/** Opens workers for a stage; what else they need of the run is known to whoever made it. */
export type OpenShards = (work: SharedWork) => Shards;

/** How the steps of a stage are computed. */
export interface Sharding {
  /** Shards that a step is cut into. */
  readonly count: number;
  /** Undefined where this process computes them all. */
  readonly open: OpenShards | undefined;
}

/** What a worker is told of its work. */
export interface HirePlan {
  /** Shards of a step. */
  readonly count: number;
  /** {@link SharedWork.reference}. */
  readonly reference: ReadonlyMap<string, Float32Array>;
  readonly detail: unknown;
}

/** Consecutive parts as equal as can be, none of them empty. */
export function cut<T>(list: readonly T[], count: number): T[][] {
  const parts = Math.min(count, list.length);
  const edge = (i: number) => Math.floor((i * list.length) / parts);
  return Array.from({ length: parts }, (_, i) => list.slice(edge(i), edge(i + 1)));
}
