/**
 * Where the keys and values of new tokens go. On an accelerator the program puts them into the caches, which stay there.
 * In host memory it attends to the cache and to the new ones beside it and returns these, which are then copied into their
 * slots: to put them there itself it would have to copy the caches whole, which costs more than all else that a step does.
 */
import { type DeviceBuffer, giveBack } from '../../device/buffer.ts';
import type { State } from '../../device/program.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import type { BlockCache, Placing, UpdatedCache } from '../block.ts';
import type { ModelConfig } from '../config/config.ts';

const kinds = ['keys', 'values'] as const;

export const cacheName = (kind: 'keys' | 'values', block: number) => `${kind}.${block}`;
const freshName = (name: string) => `fresh.${name}`;
/** What stands before a cache, once for several of its rows. */
export const stemName = (name: string) => `stem.${name}`;
export const isStemName = (name: string) => name.startsWith('stem.');

/** Sizes of what stands before a cache, once for several rows. */
export interface StemShape {
  /** Rows of the cache that share one. */
  readonly sharers: number;
  /** Slots P. */
  readonly capacity: number;
}

/** The live memory of a cache on the host. */
export function floatsOf(buffer: DeviceBuffer): Float32Array {
  const { host } = buffer;
  if (!(host instanceof Float32Array)) throw new Error('a cache holds float32');
  return host;
}

/** Builds and serves the caching part of a program. The last slot of a cache is scratch for padding. */
export class CacheStore {
  constructor(
    private readonly config: ModelConfig,
    private readonly blocks: number,
    private readonly onHost: boolean,
  ) {}

  private names(): string[] {
    return Array.from({ length: this.blocks }, (_, i) => kinds.map((kind) => cacheName(kind, i))).flat();
  }

  /** The caches as inputs of a graph, each `[B,KV,S,D]`, with what stands before them. */
  inputs(graph: Graph, batch: number, capacity: number, stem?: StemShape): BlockCache[] {
    const { kvHeads, headDim } = this.config;
    const pair = (name: (plain: string) => string, rows: number, slots: number, i: number) => ({
      keys: graph.input(name(cacheName('keys', i)), 'float32', [rows, kvHeads, slots, headDim]),
      values: graph.input(name(cacheName('values', i)), 'float32', [rows, kvHeads, slots, headDim]),
    });
    return Array.from({ length: this.blocks }, (_, i) => ({
      ...pair((name) => name, batch, capacity, i),
      ...(stem === undefined ? {} : { stem: pair(stemName, batch / stem.sharers, stem.capacity, i) }),
    }));
  }

  /** The outputs that keep the new keys and values, and those among them that are carried. */
  outputs(caches: readonly UpdatedCache[]): { outputs: Record<string, Tensor>; carried: string[] } {
    const outputs: Record<string, Tensor> = {};
    for (const [i, cache] of caches.entries()) {
      for (const kind of kinds) {
        const name = cacheName(kind, i);
        if (this.onHost) outputs[freshName(name)] = cache.fresh[kind];
        else if (cache.whole !== undefined) outputs[name] = cache.whole[kind];
      }
    }
    return { outputs, carried: this.onHost ? [] : this.names() };
  }

  /** The input by which a program on the device writes the caches, int64 `[B,KV,T,3]`; undefined on the host. */
  slotsInput(graph: Graph, batch: number, length: number): Tensor | undefined {
    return this.onHost ? undefined : graph.input('slots', 'int64', [batch, this.config.kvHeads, length, 3]);
  }

  /** Inputs that say where T new tokens of B sequences stand, for {@link cachedContext}. */
  placing(graph: Graph, batch: number, length: number, stem?: StemShape): Placing {
    const positions = graph.input('positions', 'int64', [batch, length]);
    const slotOf = graph.input('slot_of', 'int32', [batch, length]);
    const slots = this.slotsInput(graph, batch, length);
    return {
      positions,
      slotOf,
      ...(slots === undefined ? { filled: graph.input('filled', 'int32', [batch]) } : { slots }),
      ...(stem === undefined
        ? {}
        : { stem: { ...stem, filled: graph.input('stem_filled', 'int32', [batch / stem.sharers]) } }),
    };
  }

  /** The value of `slots`: (row, head, slot) of every new key. @param slotOf slot of each new token `[B,T]` */
  slots(slotOf: Int32Array, batch: number, length: number): { slots?: BigInt64Array } {
    if (this.onHost) return {};
    const { kvHeads } = this.config;
    const slots = new BigInt64Array(batch * kvHeads * length * 3);
    // Little-endian halves: filling int32 is many times faster than making a BigInt for each entry.
    const low = new Int32Array(slots.buffer);
    let at = 0;
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < kvHeads; head++) {
        for (let t = 0; t < length; t++, at += 6) {
          low[at] = b;
          low[at + 2] = head;
          low[at + 4] = slotOf[b * length + t];
        }
      }
    }
    return { slots };
  }

  /** After a run: takes the new keys and values out of its results and puts them where they belong. */
  keep(state: State, results: Record<string, DeviceBuffer>, slotOf: Int32Array): void {
    if (!this.onHost) return;
    const copied: DeviceBuffer[] = [];
    for (const name of this.names()) {
      const fresh = results[freshName(name)];
      delete results[freshName(name)];
      copyRuns(floatsOf(fresh), floatsOf(state.get(name)), fresh.shape, state.get(name).shape[2], slotOf);
      copied.push(fresh);
    }
    giveBack(copied);
  }
}

/** Floats that a loop copies faster than `set` does. */
const fewFloats = 256;

/** Copies `[B,KV,T,D]` into the slots of `[B,KV,S,D]`; what lies side by side in both goes at once. */
function copyRuns(
  from: Float32Array,
  to: Float32Array,
  [batch, kvHeads, length, headDim]: readonly number[],
  capacity: number,
  slotOf: Int32Array,
): void {
  for (let b = 0; b < batch; b++) {
    const row = b * length;
    for (let t = 0; t < length; ) {
      const slot = slotOf[row + t];
      let n = 1;
      while (t + n < length && slotOf[row + t + n] === slot + n) n++;
      if (slot < capacity - 1) {
        for (let head = b * kvHeads; head < (b + 1) * kvHeads; head++) {
          const at = (head * length + t) * headDim;
          const target = (head * capacity + slot) * headDim;
          const count = n * headDim;
          if (count <= fewFloats) for (let i = 0; i < count; i++) to[target + i] = from[at + i];
          else to.set(from.subarray(at, at + count), target);
        }
      }
      t += n;
    }
  }
}
