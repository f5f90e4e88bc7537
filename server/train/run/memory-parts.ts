/** Parts of what a stage has in memory: training steps and decoding, by the graphs that they run. */
import { layoutRoom } from '../../device/laid-out.ts';
import { ownRoom } from '../../device/shaped-programs.ts';
import { Graph, type Tensor } from '../../graph/tensor.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import {
  type DecodeOptions,
  decodeMemory,
  freeMemory,
  type Memory,
  memory,
  memoryAt,
  trainMemory,
} from '../../model/memory.ts';
import { bytesIn } from '../../model/weights/precision.ts';
import type { ExpectedTensor } from '../../model/weights/weights.ts';
import type { Precision } from '../../protocol/precision.ts';
import type { Checkpointing } from '../../spec/settings/parts.ts';
import type { Objective } from '../optimizer/optimizer.ts';

/** Tokens that a prompt is taken to have where nothing says how long it is. */
export const assumedPrompt = 64;

/** What a stage itself has: its data, graphs and their sessions; measured as 10 to 50 MB, whatever the size of the model. */
const ownBytes = 30e6;

/** Bytes of a part, and whether its update computes the blocks of the base again in its backward pass. */
export type PartMemory = Memory & { readonly recomputed?: boolean };

export interface MemoryPart {
  readonly what: string;
  /** Whether it begins when the others of its stage are over. */
  readonly behind?: boolean;
  /**
   * Computed when it is asked for: it takes a graph and its gradient.
   *
   * @param precision the form the weights of the base are kept in; float32, if not given
   * @param free bytes; those that are free now, if not given
   */
  memory(precision?: Precision, free?: number): PartMemory;
}

/** A part in words, with what an update does to need no more. */
export const describedPart = (what: string, { recomputed }: PartMemory): string =>
  recomputed === true ? `${what}, checkpoint: blocks` : what;

/** A training step as its stage runs it. */
export interface PlannedUpdate {
  /** What it is called; `training`, if not given. */
  readonly what?: string;
  /** Whether it begins when the others of its stage are over. */
  readonly behind?: boolean;
  readonly rows: number;
  readonly length: number;
  /** The shape in which the stage lays such rows out; as they are, if not given. */
  readonly laidOut?: (rows: number, length: number) => { readonly rows: number; readonly length: number };
  /** Micro-batches that are added up. */
  readonly accumulate?: number;
  /** What is kept of the blocks of the base; everything, if not given. */
  readonly checkpoint?: Checkpointing | undefined;
  readonly learns: readonly ExpectedTensor[];
  objective(graph: Graph, rows: number, length: number): Objective;
  /** What is measured of held-out rows, in a program of its own. */
  measured?(graph: Graph, rows: number, length: number): readonly Tensor[];
  /** What learns is there as it was before, too. */
  reference?: boolean;
  /** How many lengths it may come in, each with a program of its own; 1, if not given. */
  readonly lengths?: number;
}

/** Bytes with those of programs for other lengths, which are kept while they have room. */
function withOthers(taken: Memory, lengths = 1): Memory {
  const { activations, slack } = taken;
  const own = activations + slack;
  const others = Math.min((lengths - 1) * own, Math.max(0, ownRoom() - own));
  return memory({ ...taken, activations: activations + others });
}

/** All that a measure computes of an objective. */
export const measuredBy = ({ loss, metrics = {} }: Objective): readonly Tensor[] => [loss, ...Object.values(metrics)];

export function trainingPart(update: PlannedUpdate): MemoryPart {
  const { what = 'training', behind = false, rows, length, learns, accumulate = 1, checkpoint = 'none' } = update;
  const names = learns.map(({ name }) => name);
  return {
    what: `${what} ${rows} x ${length}`,
    behind,
    memory(precision = 'f32', free = freeMemory().free) {
      const shape = update.laidOut?.(rows, length) ?? { rows, length };
      const before = learns.reduce((bytes, tensor) => bytes + bytesIn('f32', tensor), 0);
      const needed = (recompute: boolean) =>
        memoryAt(shape.rows, shape.length, (b, t) => {
          const { loss, metrics = {} } = update.objective(new Graph({ recompute }), b, t);
          const measured = update.measured?.(new Graph(), b, t) ?? [];
          const taken = trainMemory(loss, names, { accumulate, kept: Object.values(metrics), precision, measured });
          return memory({ ...taken, copies: update.reference === true ? before : 0, slack: taken.slack + ownBytes });
        });
      const recomputed = () => ({ ...withOthers(needed(true), update.lengths), recomputed: true });
      if (checkpoint === 'blocks') return recomputed();
      const kept = needed(false);
      // As the stage itself decides it.
      return checkpoint === 'none' || kept.total <= free ? withOthers(kept, update.lengths) : recomputed();
    },
  };
}

/** Decoding in lockstep. */
export interface PlannedDecoding extends DecodeOptions {
  readonly what: string;
  readonly rows: number;
  readonly length: number;
  /** Bytes of keys and values that are kept beside those of the rows. */
  readonly kept?: number;
}

export function decodingPart(
  config: ModelConfig,
  { what, rows, length, kept = 0, ...options }: PlannedDecoding,
): MemoryPart {
  return {
    what: `${what} ${rows} x ${length}`,
    memory(precision = 'f32') {
      const taken = decodeMemory(config, rows, length, { ...options, precision });
      return memory({ ...taken, cache: taken.cache + kept });
    },
  };
}

/** Rows of a micro-batch. The stage itself refuses a batch that cannot be cut evenly. */
export const microRows = ({ batch, accumulate }: { readonly batch: number; readonly accumulate: number }): number =>
  Math.max(1, Math.ceil(batch / accumulate));

/**
 * What a stage has in memory from its parts: weights once, copies of them as far as there is room, and of everything else what each
 * part has, for the runtime keeps the memory of a program as long as there is the program.
 *
 * @param room bytes that copies of weights may take; {@link layoutRoom}, if not given
 */
export function stageMemory(parts: readonly Memory[], room = layoutRoom()): Memory {
  const sum = (name: keyof Memory) => parts.reduce((bytes, part) => bytes + part[name], 0);
  const most = (name: keyof Memory) => Math.max(...parts.map((part) => part[name]));
  return memory({
    weights: most('weights'),
    copies: Math.min(sum('copies'), Math.max(most('copies'), room)),
    gradients: sum('gradients'),
    moments: sum('moments'),
    cache: sum('cache'),
    activations: sum('activations'),
    slack: sum('slack'),
    making: most('making'),
  });
}
