/** Codes that are forced in held-out text, to see whether they say anything: one at one place of each row. */
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { Random } from '../../random.ts';
import type { Feeds } from '../supervised.ts';

/** The codes and places; the same for every model of as many codes. */
const seed = 7;

/** Inputs int32 `[rows]` each. */
export function forcedInputs(graph: Graph, rows: number): { readonly places: Tensor; readonly codes: Tensor } {
  return {
    places: graph.input('forced_places', 'int32', [rows]),
    codes: graph.input('forced_codes', 'int32', [rows]),
  };
}

/**
 * Held-out batches with what {@link forcedInputs} asks for, drawn evenly.
 *
 * @param everywhere whether a code for every place of a row goes along, `random_codes` `[rows, length - 1]`
 */
export function forcedFeeds(
  batches: readonly Feeds[],
  sizes: { readonly rows: number; readonly length: number; readonly codes: number; readonly everywhere: boolean },
): Feeds[] {
  const { rows, length, codes, everywhere } = sizes;
  const random = new Random(seed);
  const drawn = (count: number, most: number) => Int32Array.from({ length: count }, () => random.integer(most));
  return batches.map((feeds) => ({
    ...feeds,
    forced_places: drawn(rows, length - 1),
    forced_codes: drawn(rows, codes),
    ...(everywhere ? { random_codes: drawn(rows * (length - 1), codes) } : {}),
  }));
}

/** The mean of an output that has a value a row. */
export function meanOfRows(
  outputs: readonly Readonly<Record<string, Float32Array | Int32Array>>[],
  name: string,
): number {
  const values = outputs.flatMap((output) => [...output[name]]);
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}
