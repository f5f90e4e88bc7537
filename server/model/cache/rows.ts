/**
 * Moving keys and values of single rows between a cache and host memory, so that a search can leave a branch and come
 * back to it. On the CPU it copies; on an accelerator one program gathers or scatters all blocks at once.
 */
import type { Device } from '../../device/device.ts';
import type { Program } from '../../device/program.ts';
import { ProgramCache } from '../../device/program-cache.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import type { ModelConfig } from '../config/config.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import { floatsOf } from './store.ts';

/** Slots start..end of one row. */
export interface CacheSpan {
  readonly row: number;
  readonly start: number;
  readonly end: number;
}

/** A span and its content: `[tokens, 2 blocks, KV, D]`, keys and values of a block under each other. */
export interface FilledSpan extends CacheSpan {
  readonly data: Float32Array;
}

const tokensOf = (spans: readonly CacheSpan[]) => spans.reduce((n, { start, end }) => n + end - start, 0);

/** Programs are compiled for powers of two. */
function padded(tokens: number): number {
  let n = 1;
  while (n < tokens) n *= 2;
  return n;
}

export class CacheRows {
  private readonly programs = new ProgramCache<string>();

  constructor(
    private readonly device: Device,
    private readonly config: ModelConfig,
  ) {}

  /** Floats that one token of the cache needs. */
  floatsPerToken(cache: KeyValueCache): number {
    return [...cache.state.names].length * this.config.kvHeads * this.config.headDim;
  }

  /** Copies spans to host memory, each `[tokens, 2 blocks, KV, D]`. */
  async read(cache: KeyValueCache, spans: readonly CacheSpan[]): Promise<Float32Array[]> {
    const width = this.floatsPerToken(cache);
    const data = spans.map(({ start, end }) => new Float32Array((end - start) * width));
    const filled = spans.map((span, i) => ({ ...span, data: data[i] }));
    if (this.device.onHost) this.copy(cache, filled, (host, at, piece, from, d) => copyInto(piece, from, host, at, d));
    else await this.gather(cache, filled);
    return data;
  }

  /** Copies spans into the cache. The lengths of the rows are the caller's to set. */
  async write(cache: KeyValueCache, spans: readonly FilledSpan[]): Promise<void> {
    if (spans.length === 0) return;
    if (this.device.onHost) this.copy(cache, spans, (host, at, piece, from, d) => copyInto(host, at, piece, from, d));
    else await this.scatter(cache, spans);
  }

  private copy(
    cache: KeyValueCache,
    spans: readonly FilledSpan[],
    move: (host: Float32Array, at: number, piece: Float32Array, from: number, length: number) => void,
  ): void {
    const { kvHeads, headDim } = this.config;
    const width = kvHeads * headDim;
    const perToken = this.floatsPerToken(cache);
    for (const [i, name] of [...cache.state.names].entries()) {
      const host = floatsOf(cache.state.get(name));
      for (const { row, start, end, data } of spans) {
        for (let head = 0; head < kvHeads; head++) {
          let at = ((row * kvHeads + head) * cache.capacity + start) * headDim;
          let from = i * width + head * headDim;
          for (let slot = start; slot < end; slot++, at += headDim, from += perToken) {
            move(host, at, data, from, headDim);
          }
        }
      }
    }
  }

  private async gather(cache: KeyValueCache, spans: readonly FilledSpan[]): Promise<void> {
    const { kvHeads, headDim } = this.config;
    const { batch, capacity } = cache;
    const tokens = padded(tokensOf(spans));
    const rows = new Int32Array(tokens * kvHeads);
    let t = 0;
    for (const { row, start, end } of spans) {
      for (let slot = start; slot < end; slot++, t++) {
        for (let head = 0; head < kvHeads; head++) rows[t * kvHeads + head] = (row * kvHeads + head) * capacity + slot;
      }
    }
    const program = await this.program(`read ${batch} ${capacity} ${tokens}`, (graph) => {
      const index = graph.input('rows', 'int32', [tokens * kvHeads]);
      const gathered = [...cache.state.names].map((name) => {
        const flat = ops.reshape(this.cacheInput(graph, name, cache), [batch * kvHeads * capacity, headDim]);
        return ops.reshape(ops.gather(flat, index), [tokens, 1, kvHeads, headDim]);
      });
      return { data: ops.concat(gathered, 1) };
    });
    const { data } = await program.run({ rows }, { states: [cache.state] });
    const all = await data.readFloats();
    let at = 0;
    for (const span of spans) {
      span.data.set(all.subarray(at, at + span.data.length));
      at += span.data.length;
    }
    data.release();
  }

  private async scatter(cache: KeyValueCache, spans: readonly FilledSpan[]): Promise<void> {
    const { kvHeads, headDim } = this.config;
    const { batch, capacity } = cache;
    const tokens = padded(tokensOf(spans));
    const data = new Float32Array(tokens * this.floatsPerToken(cache));
    const slots = new BigInt64Array(tokens * kvHeads * 3);
    let [t, filled] = [0, 0];
    for (const span of spans) {
      data.set(span.data, filled);
      filled += span.data.length;
      for (let slot = span.start; slot < span.end; slot++, t++) point(slots, t, kvHeads, span.row, slot);
    }
    // Padding goes to the slot that holds nothing.
    for (; t < tokens; t++) point(slots, t, kvHeads, 0, capacity - 1);
    const names = [...cache.state.names];
    const scattered = (graph: Graph) => {
      const index = graph.input('slots', 'int64', [tokens, kvHeads, 3]);
      const values = graph.input('data', 'float32', [tokens, names.length, kvHeads, headDim]);
      const outputs: Record<string, Tensor> = {};
      for (const [i, name] of names.entries()) {
        const piece = ops.reshape(ops.slice(values, 1, i, i + 1), [tokens, kvHeads, headDim]);
        outputs[name] = ops.scatter(this.cacheInput(graph, name, cache), index, piece);
      }
      return outputs;
    };
    const program = await this.program(`write ${batch} ${capacity} ${tokens}`, scattered, { carried: names });
    await program.run({ slots, data }, { states: [cache.state] });
  }

  private cacheInput(graph: Graph, name: string, { batch, capacity }: KeyValueCache): Tensor {
    return graph.input(name, 'float32', [batch, this.config.kvHeads, capacity, this.config.headDim]);
  }

  private program(key: string, ...what: Parameters<Device['program']>): Promise<Program> {
    return this.programs.get(key, () => this.device.program(...what));
  }

  async dispose(): Promise<void> {
    await this.programs.dispose();
  }
}

/** Plain loop: for the few entries of a head it beats `set` of a `subarray`. */
function copyInto(target: Float32Array, at: number, source: Float32Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) target[at + i] = source[from + i];
}

/** Writes (row, head, slot) of every head of one token. */
function point(slots: BigInt64Array, token: number, kvHeads: number, row: number, slot: number): void {
  for (let head = 0; head < kvHeads; head++) {
    const at = (token * kvHeads + head) * 3;
    slots[at] = BigInt(row);
    slots[at + 1] = BigInt(head);
    slots[at + 2] = BigInt(slot);
  }
}
