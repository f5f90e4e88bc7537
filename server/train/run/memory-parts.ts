/** Parts of what a stage has in memory: training steps and decoding, by the graphs that they run. */
import { Graph } from '../../graph/tensor.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { type DecodeOptions, decodeMemory, type Memory, memoryAt, trainMemory } from '../../model/memory.ts';
import type { ExpectedTensor } from '../../model/weights/weights.ts';
import type { Precision } from '../../protocol/precision.ts';
import type { Objective } from '../optimizer/optimizer.ts';

/** Tokens that a prompt is taken to have where nothing says how long it is. */
export const assumedPrompt = 64;

export interface MemoryPart {
  readonly what: string;
  /**
   * Computed when it is asked for: it takes a graph and its gradient.
   *
   * @param precision the form the weights of the base are kept in; float32, if not given
   */
  memory(precision?: Precision): Memory;
}

/** A training step as its stage runs it. */
export interface PlannedUpdate {
  /** What it is called; `training`, if not given. */
  readonly what?: string;
  readonly rows: number;
  readonly length: number;
  /** The shape in which the stage lays such rows out; as they are, if not given. */
  readonly laidOut?: (rows: number, length: number) => { readonly rows: number; readonly length: number };
  /** Micro-batches that are added up. */
  readonly accumulate?: number;
  readonly learns: readonly ExpectedTensor[];
  objective(graph: Graph, rows: number, length: number): Objective;
}

export function trainingPart(update: PlannedUpdate): MemoryPart {
  const { what = 'training', rows, length, learns, accumulate = 1 } = update;
  const names = learns.map(({ name }) => name);
  return {
    what: `${what} ${rows} x ${length}`,
    memory(precision = 'f32') {
      const shape = update.laidOut?.(rows, length) ?? { rows, length };
      return memoryAt(shape.rows, shape.length, (b, t) => {
        const { loss, metrics = {} } = update.objective(new Graph(), b, t);
        return trainMemory(loss, names, { accumulate, kept: Object.values(metrics), precision });
      });
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
      const memory = decodeMemory(config, rows, length, { ...options, precision });
      return { ...memory, cache: memory.cache + kept, total: memory.total + kept };
    },
  };
}

/** Rows of a micro-batch. The stage itself refuses a batch that cannot be cut evenly. */
export const microRows = ({ batch, accumulate }: { readonly batch: number; readonly accumulate: number }): number =>
  Math.max(1, Math.ceil(batch / accumulate));
