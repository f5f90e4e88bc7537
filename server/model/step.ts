/**
 * Cached decoding: programs that read T new tokens of B sequences behind a key-value cache, and the cache itself.
 * What is computed from the hidden states of the last tokens is the caller's: vocabulary logits for the base, actions and
 * tokens for CoLA.
 */

import { type DeviceBuffer, giveBack } from '../device/buffer.ts';
import { type CompileOptions, type Device, sharedFrom } from '../device/device.ts';
import { type Feed, type Program, State } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import * as ops from '../graph/ops.ts';
import { size, type Tensor } from '../graph/tensor.ts';
import { embeddingName } from './base.ts';
import { compacted, type KeptRows } from './cache/compaction.ts';
import { branchCapacity, branchSlots, capacityFor, KeyValueCache } from './cache/key-value-cache.ts';
import { CacheStore, cacheName, floatsOf, stemName } from './cache/store.ts';
import { chunksOf } from './chunks.ts';
import type { ModelConfig } from './config/config.ts';
import { modelErrors } from './model-errors.ts';
import { type StepGraph, type StepShape, stepOutputs, stepProductRows } from './step-graph.ts';

/** The name under which a program reads a cache that joins another. */
const joined = (name: string) => `joined.${name}`;

/** Compiles and runs the steps of one model on one device. */
export class Stepper {
  /** Programs that move caches. */
  private readonly programs = new ProgramCache<string>();
  private readonly store: CacheStore;
  /** Memory of the last cache that went, by its size. */
  private readonly spared = new Map<number, Float32Array[]>();

  constructor(
    private readonly device: Device,
    private readonly config: ModelConfig,
    private readonly graph: StepGraph,
    /** Where the weights are. */
    private readonly weights: readonly State[],
    /** Weights that are compiled into the programs, which lets the runtime lay them out once. */
    private readonly frozen: ReadonlyMap<string, Float32Array> = new Map(),
  ) {
    this.store = new CacheStore(config, graph.cachedBlocks, device.onHost);
  }

  private shapeOf(batch: number, capacity: number): [number, number, number, number] {
    return [batch, this.config.kvHeads, capacity, this.config.headDim];
  }

  /**
   * An empty cache. `tokens` is the longest a sequence will get.
   *
   * @param capacity slots, more than `tokens`
   */
  async cache(batch: number, tokens: number, capacity = capacityFor(tokens)): Promise<KeyValueCache> {
    const shape = this.shapeOf(batch, capacity);
    const state = new State();
    for (let i = 0; i < this.graph.cachedBlocks; i++) {
      for (const kind of ['keys', 'values'] as const) {
        state.set(cacheName(kind, i), await this.room(shape));
      }
    }
    return new KeyValueCache(batch, capacity, state);
  }

  /**
   * A cache of `sharers` rows behind every row of `from`, each with room for `tokens` of its own. What `from` holds is neither
   * copied nor read more than once in a step; `from` itself is given up.
   */
  async branch(from: KeyValueCache, sharers: number, tokens: number): Promise<KeyValueCache> {
    const batch = from.batch * sharers;
    const most = branchCapacity(tokens);
    // Where a run of the device costs more than what it reads, all slots are there from the start.
    const capacity = this.device.onHost ? branchSlots : most;
    const shape = this.shapeOf(batch, capacity);
    const state = new State();
    for (const name of from.state.names) {
      state.set(stemName(name), from.state.get(name).retain());
      state.set(name, await this.room(shape));
    }
    const stem = { sharers, capacity: from.capacity, lengths: from.lengths.slice() };
    from.dispose();
    return new KeyValueCache(batch, capacity, state, (old) => this.spare(old), stem, most);
  }

  /**
   * Whether it pays to go on with fewer rows when some are done: each number of rows has a program with weights laid out of its
   * own, and large ones take too much memory for that. An accelerator waits for its runs, whatever their rows.
   */
  get narrows(): boolean {
    return (
      this.device.onHost && [...this.frozen.values()].reduce((n, { byteLength }) => n + byteLength, 0) <= sharedFrom
    );
  }

  /** A cache of some rows of another, which is given up; where {@link narrows}. */
  narrow(from: KeyValueCache, kept: KeptRows): Promise<KeyValueCache> {
    return compacted(this.device, from, kept);
  }

  /** Makes room in every row of a branched cache in host memory. */
  private async grow(cache: KeyValueCache, tokens: number): Promise<void> {
    const capacity = branchCapacity(tokens);
    const shape = this.shapeOf(cache.batch, capacity);
    const [old, wider] = [cache.capacity, capacity].map((slots) => slots * this.config.headDim);
    for (let i = 0; i < this.graph.cachedBlocks; i++) {
      for (const kind of ['keys', 'values'] as const) {
        const name = cacheName(kind, i);
        const before = cache.state.get(name).retain();
        const [from, room] = [floatsOf(before), await this.room(shape)];
        const to = floatsOf(room);
        for (let row = 0; row * old < from.length; row++)
          to.set(from.subarray(row * old, (row + 1) * old), row * wider);
        cache.state.set(name, room);
        giveBack([before]);
      }
    }
    cache.capacity = capacity;
  }

  /** A new cache whose row i is row `rows[i]` of `from`, with room for `tokens` tokens. The old one stays. */
  async select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache> {
    if (from.stem !== undefined) throw new Error('the rows of a branched cache cannot be selected');
    const capacity = Math.max(capacityFor(tokens), from.capacity);
    const state = this.device.onHost
      ? await this.selectOnHost(from, rows, capacity)
      : await this.selectOnDevice(from, rows, capacity);
    const cache = new KeyValueCache(rows.length, capacity, state, (old) => this.spare(old));
    for (const [i, row] of rows.entries()) cache.lengths[i] = from.lengths[row];
    return cache;
  }

  /**
   * Keeps the memory of a cache for the next of its sizes: one follows the other in a rollout, and the next round has the same.
   * Hundreds of megabytes of new pages take longer than all that is copied into them.
   */
  private spare({ state }: KeyValueCache): void {
    this.spared.clear();
    if (!this.device.onHost) return;
    for (const name of state.names) {
      const floats = floatsOf(state.get(name));
      this.spared.set(floats.length, [...(this.spared.get(floats.length) ?? []), floats]);
    }
  }

  /** Memory of this shape, whatever it holds: a mask hides what is not written. */
  private room(shape: readonly number[]): Promise<DeviceBuffer> {
    const floats = size(shape);
    return this.device.upload(this.spared.get(floats)?.pop() ?? new Float32Array(floats), 'float32', shape);
  }

  /** Copies what is seen and nothing more: the mask hides whatever else the memory holds. */
  private async selectOnHost(from: KeyValueCache, rows: readonly number[], capacity: number): Promise<State> {
    const { kvHeads, headDim } = this.config;
    const shape = this.shapeOf(rows.length, capacity);
    const state = new State();
    for (const name of from.state.names) {
      const source = floatsOf(from.state.get(name));
      const room = await this.room(shape);
      const target = floatsOf(room);
      for (const [i, row] of rows.entries()) {
        for (let head = 0; head < kvHeads; head++) {
          const at = (row * kvHeads + head) * from.capacity * headDim;
          const kept = source.subarray(at, at + from.lengths[row] * headDim);
          target.set(kept, (i * kvHeads + head) * capacity * headDim);
        }
      }
      state.set(name, room);
    }
    return state;
  }

  private async selectOnDevice(from: KeyValueCache, rows: readonly number[], capacity: number): Promise<State> {
    const key = `select ${from.batch} ${from.capacity} ${rows.length} ${capacity}`;
    const program = await this.programs.get(key, () =>
      this.selectProgram(from.batch, from.capacity, rows.length, capacity),
    );
    const results = await program.run({ rows: Int32Array.from(rows) }, { states: [from.state] });
    const state = new State();
    for (const [name, buffer] of Object.entries(results)) state.set(name.slice(4), buffer);
    return state;
  }

  /**
   * Copies a sequence into a row of another cache, over what was there.
   *
   * @param into with room for as many tokens as `from` has
   * @param from a cache of one row; it stays
   */
  async join(into: KeyValueCache, row: number, from: KeyValueCache): Promise<void> {
    if (into.capacity < from.capacity) throw new Error('a cache joins one with as much room');
    if (this.device.onHost) this.joinOnHost(into, row, from);
    else await this.joinOnDevice(into, row, from);
    into.lengths[row] = from.lengths[0];
  }

  private joinOnHost(into: KeyValueCache, row: number, from: KeyValueCache): void {
    const { kvHeads, headDim } = this.config;
    for (const name of into.state.names) {
      const source = floatsOf(from.state.get(name));
      const target = floatsOf(into.state.get(name));
      for (let head = 0; head < kvHeads; head++) {
        const at = head * from.capacity * headDim;
        const kept = source.subarray(at, at + from.lengths[0] * headDim);
        target.set(kept, (row * kvHeads + head) * into.capacity * headDim);
      }
    }
  }

  private async joinOnDevice(into: KeyValueCache, row: number, from: KeyValueCache): Promise<void> {
    const { batch, capacity } = into;
    const program = await this.programs.get(`join ${batch} ${capacity} ${from.capacity}`, () =>
      this.joinProgram(batch, capacity, from.capacity),
    );
    const rows = Int32Array.from({ length: batch }, (_, b) => (b === row ? batch : b));
    const others = Object.fromEntries(
      Array.from(from.state.names, (name) => [joined(name), from.state.get(name)] as const),
    );
    const results = await program.run({ rows, ...others }, { states: [into.state] });
    for (const [name, buffer] of Object.entries(results)) into.state.set(name.slice(4), buffer);
  }

  private joinProgram(batch: number, capacity: number, narrower: number): Promise<Program> {
    const graph = this.device.graph();
    const index = graph.input('rows', 'int32', [batch]);
    const outputs: Record<string, Tensor> = {};
    for (let i = 0; i < this.graph.cachedBlocks; i++) {
      for (const kind of ['keys', 'values'] as const) {
        const name = cacheName(kind, i);
        const cache = graph.input(name, 'float32', this.shapeOf(batch, capacity));
        const other = graph.input(joined(name), 'float32', this.shapeOf(1, narrower));
        const room = this.shapeOf(1, capacity - narrower);
        const grown = capacity === narrower ? other : ops.concat([other, ops.expand(graph.scalar(0), room)], 2);
        outputs[`new.${name}`] = ops.gather(ops.concat([cache, grown], 0), index);
      }
    }
    return this.device.compile(outputs, { resident: Object.keys(outputs) });
  }

  private selectProgram(batch: number, capacity: number, rows: number, wider: number): Promise<Program> {
    const graph = this.device.graph();
    const index = graph.input('rows', 'int32', [rows]);
    const outputs: Record<string, Tensor> = {};
    for (let i = 0; i < this.graph.cachedBlocks; i++) {
      for (const kind of ['keys', 'values'] as const) {
        const cache = graph.input(cacheName(kind, i), 'float32', this.shapeOf(batch, capacity));
        const picked = ops.gather(cache, index);
        const room = this.shapeOf(rows, wider - capacity);
        const grown = wider === capacity ? picked : ops.concat([picked, ops.expand(graph.scalar(0), room)], 2);
        outputs[`new.${cacheName(kind, i)}`] = grown;
      }
    }
    return this.device.compile(outputs, { resident: Object.keys(outputs) });
  }

  /**
   * Reads new tokens of every row and moves the cache on.
   *
   * @param tokens the new tokens of each row, not necessarily equally many; a row without any stays as it is, and what
   * comes out for it means nothing
   * @param feeds further inputs of the caller's graph
   * @param collect an output `[B,T,w]` of the caller's graph that is wanted for every new token, and who takes it
   * @param choices how often the last token of each row is looked at: outputs for it have so many rows side by side
   * @returns the outputs of the caller's graph for the last token of each row; the caller releases them
   * @throws model.contextFull if a row outgrows the cache
   */
  async advance(
    cache: KeyValueCache,
    tokens: readonly ArrayLike<number>[],
    feeds: Readonly<Record<string, Feed>> = {},
    collect?: { readonly output: string; take(row: number, values: Float32Array): void },
    choices = 1,
  ): Promise<Record<string, DeviceBuffer>> {
    const longest = Math.max(...tokens.map((row) => row.length));
    let most = 0;
    for (const [b, row] of tokens.entries()) most = Math.max(most, cache.lengths[b] + row.length);
    if (most >= cache.most) throw modelErrors.contextFull(cache.most - 1);
    if (most >= cache.capacity) await this.grow(cache, most);
    let results: Record<string, DeviceBuffer> | undefined;
    let start = 0;
    for (const { tokens: count, length } of chunksOf(longest, tokens.length)) {
      const end = start + count;
      if (results !== undefined) giveBack(Object.values(results));
      results = await this.chunk(cache, tokens, longest, [start, end], { length, choices }, feeds);
      if (collect !== undefined) await takeRows(results[collect.output], tokens, longest, start, end, collect.take);
      start = end;
    }
    for (const [b, row] of tokens.entries()) cache.lengths[b] += row.length;
    if (results === undefined) throw new Error('no tokens to read');
    return results;
  }

  /**
   * Reads columns start..end of the new tokens, which are aligned on the right, so that the last token of every row is in
   * the last chunk. What is no token goes to the scratch slot, which no token sees.
   */
  private async chunk(
    cache: KeyValueCache,
    tokens: readonly ArrayLike<number>[],
    longest: number,
    [start, end]: readonly [number, number],
    { length, choices }: { readonly length: number; readonly choices: number },
    feeds: Readonly<Record<string, Feed>>,
  ): Promise<Record<string, DeviceBuffer>> {
    const { batch, capacity } = cache;
    const ids = new Int32Array(batch * length);
    const slotOf = new Int32Array(batch * length).fill(capacity - 1);
    const last = Int32Array.from(
      { length: batch * choices },
      (_, i) => Math.floor(i / choices) * length + end - start - 1,
    );
    const positions = new Int32Array(batch * length);
    const filled = new Int32Array(batch);
    for (const [b, row] of tokens.entries()) {
      const before = longest - row.length;
      filled[b] = cache.lengths[b] + Math.max(0, start - before);
      for (let column = Math.max(start, before); column < end; column++) {
        ids[b * length + column - start] = row[column - before];
        slotOf[b * length + column - start] = cache.lengths[b] + column - before;
      }
      const ahead = cache.before(b);
      for (let t = b * length; t < (b + 1) * length; t++) positions[t] = ahead + slotOf[t];
    }
    const { stem } = cache;
    const key = `step ${batch} ${length} ${choices} ${capacity} ${stem?.sharers} ${stem?.capacity}`;
    const inputs = {
      ...feeds,
      ids,
      slot_of: slotOf,
      filled,
      last,
      positions: widen(positions),
      ...(stem === undefined ? {} : { stem_filled: stem.lengths }),
      ...this.store.slots(slotOf, batch, length),
    };
    // Steps of one token are many, and as fast as weights are read: these lay them out. Those that read a text share one copy.
    const weights = { frozen: this.frozen, shared: length > 1 };
    const results = await this.device.laidOut.use(
      this,
      key,
      () => this.layoutBytes(weights, { batch, length, choices }),
      () => this.stepProgram({ batch, length, capacity, stem, choices }, weights),
      (program) => program.run(inputs, { states: [cache.state, ...this.weights] }),
    );
    this.store.keep(cache.state, results, slotOf);
    return results;
  }

  private layoutBytes(weights: CompileOptions, rows: Pick<StepShape, 'batch' | 'length' | 'choices'>): number {
    const bytes = this.device.layoutBytes(weights, (name) => stepProductRows(this.config, name, rows));
    const table = this.config.tieWordEmbeddings ? this.frozen.get(embeddingName) : undefined;
    // An embedding that is the head too is there twice: laid out for products, and as the table it is looked up in.
    return bytes === 0 || table === undefined ? bytes : bytes + table.byteLength;
  }

  private stepProgram(shape: StepShape, weights: CompileOptions): Promise<Program> {
    const outputs = stepOutputs(this.device.graph(), this.config, this.graph, this.store, shape);
    return this.device.compile(outputs.all, { ...weights, carried: outputs.carried });
  }

  async dispose(): Promise<void> {
    this.spared.clear();
    await this.programs.dispose();
    await this.device.laidOut.release(this);
  }
}

/** Hands out the part of an output `[B,T,w]` that belongs to real tokens, row by row. */
async function takeRows(
  buffer: DeviceBuffer,
  tokens: readonly ArrayLike<number>[],
  longest: number,
  start: number,
  end: number,
  take: (row: number, values: Float32Array) => void,
): Promise<void> {
  const [, length, width] = buffer.shape;
  const values = await buffer.readFloats();
  for (const [b, row] of tokens.entries()) {
    const first = Math.max(start, longest - row.length) - start;
    const at = (b * length + first) * width;
    if (first < end - start) take(b, values.subarray(at, at + (end - start - first) * width));
  }
}

function widen(values: Int32Array): BigInt64Array {
  const wide = new BigInt64Array(values.length);
  const low = new Int32Array(wide.buffer);
  for (let i = 0; i < values.length; i++) low[2 * i] = values[i];
  return wide;
}
