/** The transformer block of the Llama family as a graph. Base, inverse dynamics, policy and Q are all built from it. */
import { causalAttention, geglu, linear, swiglu } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { type Graph, size, type Tensor } from '../graph/tensor.ts';
import type { LowRank } from './adapter/adapter.ts';
import { attend, mergeHeads, place, splitHeads } from './attention.ts';
import { blockWeights } from './block-weights.ts';
import type { ModelConfig } from './config/config.ts';
import { ropeAmplitude, ropeInverseFrequencies } from './rope.ts';

/** Added to a score that must not be attended to: large, and finite, so that a row of only such scores is no NaN. */
export const masked = -1e9;

/** The keys and values of one block, kept between steps: each `[B,KV,S,D]`. */
export interface BlockCache {
  readonly keys: Tensor;
  readonly values: Tensor;
  /** What stands before it, once for several rows: `[B/n,KV,P,D]`. Needs a context with a stem. */
  readonly stem?: { readonly keys: Tensor; readonly values: Tensor };
}

/** The new keys and values, each `[B,KV,T,D]`, and where the program itself puts them into their slots the cache with them. */
export interface UpdatedCache {
  readonly fresh: BlockCache;
  readonly whole?: BlockCache;
}

/** What all blocks of one stack share. */
export interface AttentionContext {
  /** Index of every token in its sequence, int64 `[B,T]`. */
  readonly positions: Tensor;
  /** Tables of the rotary embedding `[P,R/2]`. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** Added to the scores; broadcasts to `[B,1,T,S]`. Without a cache S = T, and it hides all that comes after a token. */
  readonly mask: Tensor;
  /** With a cache that the program writes: where the new keys and values go, int64 `[B,KV,T,3]`. */
  readonly slots?: Tensor;
  /** With a cache that it only reads: the mask of the new tokens among each other; broadcasts to `[B,1,T,T]`. */
  readonly freshMask?: Tensor;
  /** Without a cache: flat indices of the rows that are wanted, int32 `[n]`. What follows the attention is computed for them alone. */
  readonly wanted?: Tensor;
  /** With caches that have a stem: how many rows share one, and the mask of its slots `[B/n,1,1,P]`. */
  readonly stem?: { readonly sharers: number; readonly mask: Tensor };
  /** What is otherwise in layers that slide. */
  readonly sliding?: Pick<AttentionContext, 'cos' | 'sin' | 'mask' | 'freshMask' | 'stem'>;
}

/** Cosine and sine tables for positions 0..count-1, as constants `[count, R/2]` (float32 angles, as transformers computes them). */
export function rotaryTables(graph: Graph, config: ModelConfig, count: number): Pick<AttentionContext, 'cos' | 'sin'> {
  const frequencies = ropeInverseFrequencies(config);
  const half = frequencies.length;
  const amplitude = ropeAmplitude(config.rope);
  const cos = new Float32Array(count * half);
  const sin = new Float32Array(count * half);
  for (let p = 0; p < count; p++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * Math.fround(frequencies[i]));
      cos[p * half + i] = amplitude * Math.cos(angle);
      sin[p * half + i] = amplitude * Math.sin(angle);
    }
  }
  return { cos: graph.constant(cos, 'float32', [count, half]), sin: graph.constant(sin, 'float32', [count, half]) };
}

/**
 * A context with what is otherwise in layers that slide, if the model has such.
 *
 * @param count positions, of which there is none further
 * @param masks those that hide what is outside the window, too
 */
export function withSliding(
  graph: Graph,
  config: ModelConfig,
  count: number,
  context: AttentionContext,
  masks: (window: number) => Pick<AttentionContext, 'mask' | 'freshMask' | 'stem'>,
): AttentionContext {
  const { sliding } = config;
  if (sliding === null) return context;
  const { cos, sin, mask, freshMask, stem } = context;
  const tables =
    sliding.rope === undefined ? { cos, sin } : rotaryTables(graph, { ...config, rope: sliding.rope }, count);
  const all = { mask, ...(freshMask === undefined ? {} : { freshMask }), ...(stem === undefined ? {} : { stem }) };
  return { ...context, sliding: { ...tables, ...(sliding.window < count ? masks(sliding.window) : all) } };
}

/** Context for whole sequences of T tokens that start at position 0 and may look back only. */
export function causalContext(graph: Graph, config: ModelConfig, batch: number, length: number): AttentionContext {
  const positions = BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(i % length));
  const maskFor = (window: number) => {
    const mask = new Float32Array(length * length);
    for (let t = 0; t < length; t++) {
      mask.fill(masked, t * length, t * length + Math.max(0, t + 1 - window));
      mask.fill(masked, t * length + t + 1, (t + 1) * length);
    }
    return graph.constant(mask, 'float32', [1, 1, length, length]);
  };
  const context = {
    ...rotaryTables(graph, config, length),
    positions: graph.constant(positions, 'int64', [batch, length]),
    mask: maskFor(length),
  };
  return withSliding(graph, config, length, context, (window) => ({ mask: maskFor(window) }));
}

/**
 * Context for sequences padded on the left: positions count from the first token that is no padding.
 *
 * @param positions int64 `[B,T]`
 * @param attended float32 `[B,T]`, 1 for tokens and 0 for padding
 */
export function paddedContext(
  graph: Graph,
  config: ModelConfig,
  positions: Tensor,
  attended: Tensor,
): AttentionContext {
  const [batch, length] = attended.shape;
  const causal = causalContext(graph, config, batch, length);
  const padding = ops.mul(ops.sub(ops.reshape(attended, [batch, 1, 1, length]), 1), -masked);
  const padded = (mask: Tensor) => ops.maximum(ops.add(mask, padding), masked);
  const { sliding } = causal;
  return {
    ...causal,
    positions,
    mask: padded(causal.mask),
    ...(sliding === undefined ? {} : { sliding: { ...sliding, mask: padded(sliding.mask) } }),
  };
}

/** Tensors that say where the T new tokens of B sequences stand behind a cache. */
export interface Placing {
  /** int64 `[B,T]`, for the rotary embedding. */
  readonly positions: Tensor;
  /** int32 `[B,T]`: the same numbers, for the mask; padding has the last slot, which no token sees. */
  readonly slotOf: Tensor;
  /** The device writes the cache: int64 `[B,KV,T,3]`, (row, head, slot) of each new key. */
  readonly slots?: Tensor;
  /** The host does: int32 `[B]`, slots of each row that were filled before. */
  readonly filled?: Tensor;
  /** What stands before the cache, of P slots, once for n rows: int32 `[B/n]`, slots of it that are filled. */
  readonly stem?: { readonly sharers: number; readonly capacity: number; readonly filled: Tensor };
}

/** Context for new tokens behind a cache of S slots. The slot of a token is its position, and a token sees the slots up to its own. */
export function cachedContext(
  graph: Graph,
  config: ModelConfig,
  capacity: number,
  { positions, slotOf, slots, filled, stem }: Placing,
): AttentionContext {
  const [batch, length] = slotOf.shape;
  const iota = (n: number) =>
    graph.constant(
      Int32Array.from({ length: n }, (_, i) => i),
      'int32',
      [n],
    );
  const hidden = (where: Tensor) => ops.where(where, graph.scalar(masked), graph.scalar(0));
  const behind = (slots: number, count: Tensor) =>
    hidden(ops.greater(iota(slots), ops.reshape(ops.sub(count, 1), [count.shape[0], 1, 1, 1])));
  // On the CPU a run longer than the table is refused, even where its padding alone makes it so.
  const count = Math.max(capacity + (stem?.capacity ?? 0), length);
  const tables = rotaryTables(graph, config, count);
  const shared =
    stem === undefined ? {} : { stem: { sharers: stem.sharers, mask: behind(stem.capacity, stem.filled) } };
  const own = ops.reshape(slotOf, [batch, 1, length, 1]);
  const others = ops.reshape(slotOf, [batch, 1, 1, length]);
  /** Hides what is further back than the window, too. */
  const near = (mask: Tensor, from: Tensor, to: Tensor, window: number) =>
    ops.minimum(mask, hidden(ops.greater(ops.sub(from, to), window - 1)));
  /** The stem's mask for each query: those of all that share a stem stand under each other. */
  const nearInStem = (window: number) => {
    if (stem === undefined || shared.stem === undefined) return {};
    const { sharers, capacity: slots, filled } = stem;
    const group = config.heads / config.kvHeads;
    const at = ops.reshape(slotOf, [batch / sharers, sharers, 1, length, 1]);
    const from = ops.add(at, ops.reshape(filled, [batch / sharers, 1, 1, 1, 1]));
    const mask = near(ops.reshape(shared.stem.mask, [batch / sharers, 1, 1, 1, slots]), from, iota(slots), window);
    const all = ops.expand(mask, [batch / sharers, sharers, group, length, slots]);
    return { stem: { sharers, mask: ops.reshape(all, [batch / sharers, 1, sharers * group * length, slots]) } };
  };
  if (filled === undefined) {
    const mask = hidden(ops.greater(iota(capacity), own));
    const context = { ...tables, positions, mask, ...shared, ...(slots === undefined ? {} : { slots }) };
    return withSliding(graph, config, count, context, (window) => ({
      mask: near(mask, own, iota(capacity), window),
      ...nearInStem(window),
    }));
  }
  const freshMask = hidden(ops.greater(others, own));
  const mask = behind(capacity, filled);
  return withSliding(graph, config, count, { ...tables, positions, mask, freshMask, ...shared }, (window) => ({
    mask: near(mask, own, iota(capacity), window),
    freshMask: near(freshMask, own, others, window),
    ...nearInStem(window),
  }));
}

/** @param shape of a weight that the config does not tell of */
type Lookup = (name: string, shape?: readonly number[]) => Tensor;

/** The weights of one block as graph parameters; optional ones are asked for only where the config has them. */
function lookup(graph: Graph, config: ModelConfig, prefix: string): Lookup {
  const shapes = new Map(blockWeights(config, prefix).map(({ name, shape }) => [name, shape]));
  return (name, given) => {
    const full = `${prefix}.${name}`;
    const shape = given ?? shapes.get(full);
    if (shape === undefined) throw new Error(`a block of this config has no ${name}`);
    return graph.parameter(full, shape);
  };
}

/** x W' + b, and s (x A') B' where an adapter stands beside the layer. */
function project(weights: Lookup, name: string, x: Tensor, bias: boolean, adapter?: LowRank): Tensor {
  const weight = weights(`${name}.weight`);
  const y = linear(x, weight, bias ? weights(`${name}.bias`) : undefined);
  if (adapter === undefined) return y;
  const [out, inner] = weight.shape;
  const low = linear(x, weights(`${name}.lora_A.weight`, [adapter.rank, inner]));
  return ops.add(y, ops.mul(linear(low, weights(`${name}.lora_B.weight`, [out, adapter.rank])), adapter.scale));
}

/** RMSNorm of the last axis as the family counts its weight `[d]`. */
export function normalised(config: ModelConfig, x: Tensor, weight: Tensor): Tensor {
  return ops.rmsNorm(x, config.normOffset === 0 ? weight : ops.add(weight, config.normOffset), config.rmsNormEps);
}

/** Turns the first R of D dimensions by their position, and scales all: x `[B,H,T,D]`. */
function turned(x: Tensor, { positions, ...tables }: AttentionContext, scale: number): Tensor {
  const width = 2 * tables.cos.shape[1];
  const [cos, sin] = [tables.cos, tables.sin].map((table) => (scale === 1 ? table : ops.mul(table, scale)));
  if (width === x.shape[3]) return ops.rotary(x, positions, cos, sin);
  const rest = ops.slice(x, 3, width, x.shape[3]);
  const first = ops.rotary(ops.slice(x, 3, 0, width), positions, cos, sin);
  return ops.concat([first, scale === 1 ? rest : ops.mul(rest, scale)], 3);
}

/**
 * One block: x + Attention(RMSNorm(x)), then x + MLP(RMSNorm(x)) with MLP(x) = down(act(gate x) * up x), act SiLU or GELU. Some
 * families normalise what is added, too.
 *
 * @param prefix of the weights' names, such as `model.layers.0`
 * @param x `[B,T,d]`
 * @param cache keys and values so far; the result holds those with the new ones in their slots
 * @param rotated whether queries and keys are turned by their position
 * @returns `[B,T,d]`; `[n,d]` where the context names the rows that are wanted
 */
export function block(
  graph: Graph,
  config: ModelConfig,
  prefix: string,
  x: Tensor,
  context: AttentionContext,
  cache?: BlockCache,
  rotated = true,
): { output: Tensor; cache?: UpdatedCache } {
  const weights = lookup(graph, config, prefix);
  const { heads, kvHeads, headDim, qkNorm, scoreCap } = config;
  const layer = (name: string, input: Tensor, bias: boolean) =>
    project(weights, name, input, bias, config.adapters?.[`${prefix}.${name}`]);
  const norm = (name: string) => (y: Tensor) => normalised(config, y, weights(`${name}.weight`));
  const added = (name: string, y: Tensor) => (config.outputNorms ? norm(name)(y) : y);
  const normed = norm('input_layernorm')(x);
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const [queries, keys, values] = config.joined
    ? pieces(layer('self_attn.qkv_proj', normed, config.attentionBias), sizes)
    : ['q', 'k', 'v'].map((name) => layer(`self_attn.${name}_proj`, normed, config.attentionBias));
  const split = (y: Tensor, count: number, name?: string) =>
    splitHeads(config, y, count, name === undefined ? undefined : norm(`self_attn.${name}`));
  const rotate = (y: Tensor, scale: number) =>
    rotated ? turned(y, context, scale) : scale === 1 ? y : ops.mul(y, scale);
  // The scale of the scores is in the tables, which are constants: no pass over the queries.
  const q = rotate(split(queries, heads, qkNorm ? 'q_norm' : undefined), (config.queryScale ?? headDim) ** -0.5);
  const fresh = {
    keys: rotate(split(keys, kvHeads, qkNorm ? 'k_norm' : undefined), 1),
    values: split(values, kvHeads),
  };
  const placed = cache === undefined ? undefined : place(fresh, context, cache);
  const mixed =
    placed === undefined
      ? causalAttention(q, fresh.keys, fresh.values, context.mask, undefined, scoreCap)
      : attend(q, placed.attended, scoreCap);
  const of = (y: Tensor) => (context.wanted === undefined ? y : rowsOf(y, context.wanted));
  const attended = layer('self_attn.o_proj', of(mergeHeads(mixed)), config.attentionOutputBias);
  const middle = ops.add(of(x), added('post_attention_layernorm', attended));
  const inner = norm(config.outputNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm')(middle);
  const [gate, up] = config.joined
    ? pieces(layer('mlp.gate_up_proj', inner, config.mlpBias), [config.intermediateSize, config.intermediateSize])
    : ['gate', 'up'].map((name) => layer(`mlp.${name}_proj`, inner, config.mlpBias));
  const unit = config.activation === 'gelu' ? geglu(gate, up) : swiglu(gate, up);
  const down = layer('mlp.down_proj', unit, config.mlpBias);
  const output = ops.add(middle, added('post_feedforward_layernorm', down));
  if (placed === undefined) return { output };
  return { output, cache: placed.whole === undefined ? { fresh } : { fresh, whole: placed.whole } };
}

/** Consecutive parts of the last axis. */
function pieces(x: Tensor, sizes: readonly number[]): Tensor[] {
  let start = 0;
  return sizes.map((width) => {
    start += width;
    return ops.slice(x, -1, start - width, start);
  });
}

/** What block `layer` of a stack attends to: all but the last compute every row. */
export function contextOf({ wanted, ...context }: AttentionContext, layer: number, layers: number): AttentionContext {
  return wanted === undefined || layer < layers - 1 ? context : { ...context, wanted };
}

/** Rows of a batch of sequences by flat index: x `[B,T,d]`, rows int32 `[n]` -> `[n,d]`. */
export function rowsOf(x: Tensor, rows: Tensor): Tensor {
  const width = x.shape[x.shape.length - 1];
  return ops.gather(ops.reshape(x, [size(x.shape) / width, width]), rows);
}
