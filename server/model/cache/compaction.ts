/**
 * Fewer rows of a cache in host memory: what is done leaves the batch, and the others go on as they were. Rows that share a stem
 * keep as few stems as they need.
 */
import type { Device } from '../../device/device.ts';
import { State } from '../../device/program.ts';
import { size } from '../../graph/tensor.ts';
import { KeyValueCache } from './key-value-cache.ts';
import { floatsOf, isStemName } from './store.ts';

/** Rows of a cache that another one keeps. */
export interface KeptRows {
  /** Row i of the new cache was row `rows[i]`; one may be there several times. */
  readonly rows: readonly number[];
  /** Rows of the new cache, side by side, that share a stem, as they did before; 1 without stems. */
  readonly sharers: number;
}

/** A cache of some rows of another, which is given up. Copies what is seen and nothing more: the mask hides the rest. */
export async function compacted(device: Device, from: KeyValueCache, { rows, sharers }: KeptRows) {
  const { stem } = from;
  const stems =
    stem === undefined ? [] : rows.filter((_, i) => i % sharers === 0).map((row) => Math.floor(row / stem.sharers));
  const state = new State();
  for (const name of from.state.names) {
    const buffer = from.state.get(name);
    const [, kvHeads, slots, headDim] = buffer.shape;
    const [picked, lengths] = isStemName(name) && stem !== undefined ? [stems, stem.lengths] : [rows, from.lengths];
    const shape = [picked.length, kvHeads, slots, headDim];
    const source = floatsOf(buffer);
    const target = new Float32Array(size(shape));
    for (const [i, row] of picked.entries()) {
      for (let head = 0; head < kvHeads; head++) {
        const at = (row * kvHeads + head) * slots * headDim;
        const seen = source.subarray(at, at + lengths[row] * headDim);
        target.set(seen, (i * kvHeads + head) * slots * headDim);
      }
    }
    state.set(name, await device.upload(target, 'float32', shape));
  }
  const kept = stem && {
    sharers,
    capacity: stem.capacity,
    lengths: Int32Array.from(stems, (row) => stem.lengths[row]),
  };
  const cache = new KeyValueCache(rows.length, from.capacity, state, undefined, kept, from.most);
  for (const [i, row] of rows.entries()) cache.lengths[i] = from.lengths[row];
  from.dispose();
  return cache;
}
