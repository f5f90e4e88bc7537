/** Work on many rows with a bounded memory: one program for a number of rows, run as often as it takes. */
import type { Device } from '../../device/device.ts';
import type { State } from '../../device/program.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import type { Feeds } from '../supervised.ts';

/** Numbers that the largest tensor of a run may hold: 16 MB of float32, of which there are a few at once. */
export const defaultBudget = 1 << 22;

/** Rows that may be in one run when each needs `perRow` numbers. */
export function rowsWithin(budget: number, perRow: number): number {
  return Math.max(1, Math.floor(budget / perRow));
}

/** Outputs of a run on the host, by name. */
export class Values {
  constructor(private readonly values: ReadonlyMap<string, Float32Array | Int32Array>) {}

  floats(name: string): Float32Array {
    const data = this.values.get(name);
    if (!(data instanceof Float32Array)) throw new Error(`the output ${name} is not float32`);
    return data;
  }

  ints(name: string): Int32Array {
    const data = this.values.get(name);
    if (!(data instanceof Int32Array)) throw new Error(`the output ${name} is not int32`);
    return data;
  }
}

export interface ChunkedWork {
  /** Rows in all. */
  readonly total: number;
  /** Most rows in a run. */
  readonly chunk: number;
  readonly weights: State;
  readonly signal?: AbortSignal | undefined;
  /** The outputs for `rows` rows. */
  build(graph: Graph, rows: number): Record<string, Tensor>;
  /** Inputs for rows `start` to `end`, padded to `rows` rows with anything valid. */
  feeds(start: number, end: number, rows: number): Feeds;
  /** Receives the outputs of the rows from `start` on; only the first `count` rows are real. */
  take(values: Values, start: number, count: number): void;
}

/** Runs work chunk by chunk, in order. What comes out does not depend on the size of a chunk, but for rounding. */
export async function runInChunks(device: Device, work: ChunkedWork): Promise<void> {
  const rows = Math.min(work.chunk, work.total);
  if (rows === 0) return;
  const program = await device.program((graph) => work.build(graph, rows));
  try {
    for (let start = 0; start < work.total; start += rows) {
      work.signal?.throwIfAborted();
      const end = Math.min(start + rows, work.total);
      const results = await program.run(work.feeds(start, end, rows), { states: [work.weights] });
      const values = new Map<string, Float32Array | Int32Array>();
      for (const [name, buffer] of Object.entries(results)) {
        values.set(name, buffer.dtype === 'int32' ? await buffer.readInts() : await buffer.readFloats());
        buffer.release();
      }
      work.take(new Values(values), start, end - start);
    }
  } finally {
    await program.dispose();
  }
}

/** Rows `start` to `end` of `[*, width]`, with zeros behind them up to `rows` rows. */
export function paddedFloats(source: Float32Array, width: number, start: number, end: number, rows: number) {
  const padded = new Float32Array(rows * width);
  padded.set(source.subarray(start * width, end * width));
  return padded;
}

/** {@link paddedFloats} for int32. */
export function paddedInts(source: Int32Array, width: number, start: number, end: number, rows: number): Int32Array {
  const padded = new Int32Array(rows * width);
  padded.set(source.subarray(start * width, end * width));
  return padded;
}
