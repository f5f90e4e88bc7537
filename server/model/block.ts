/** The transformer block of the Llama family as a graph. Base, inverse dynamics, policy and Q are all built from it. */
import { attention, causalAttention, linear, swiglu } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { type Graph, size, type Tensor } from '../graph/tensor.ts';
import type { LowRank } from './adapter/adapter.ts';
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
  /** Tables of the rotary embedding `[P,D/2]`. */
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
}

/** Cosine and sine tables for positions 0..count-1, as constants `[count, D/2]` (float32 angles, as transformers computes them). */
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

/** Context for whole sequences of T tokens that start at position 0 and may look back only. */
export function causalContext(graph: Graph, config: ModelConfig, batch: number, length: number): AttentionContext {
  const positions = BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(i % length));
  const mask = new Float32Array(length * length);
  for (let t = 0; t < length; t++) mask.fill(masked, t * length + t + 1, (t + 1) * length);
  return {
    ...rotaryTables(graph, config, length),
    positions: graph.constant(positions, 'int64', [batch, length]),
    mask: graph.constant(mask, 'float32', [1, 1, length, length]),
  };
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
  return { ...causal, positions, mask: ops.maximum(ops.add(causal.mask, padding), masked) };
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
  const tables = rotaryTables(graph, config, Math.max(capacity + (stem?.capacity ?? 0), length));
  const shared =
    stem === undefined ? {} : { stem: { sharers: stem.sharers, mask: behind(stem.capacity, stem.filled) } };
  const own = ops.reshape(slotOf, [batch, 1, length, 1]);
  if (filled === undefined) {
    const mask = hidden(ops.greater(iota(capacity), own));
    return { ...tables, positions, mask, ...shared, ...(slots === undefined ? {} : { slots }) };
  }
  const freshMask = hidden(ops.greater(ops.reshape(slotOf, [batch, 1, 1, length]), own));
  return { ...tables, positions, mask: behind(capacity, filled), freshMask, ...shared };
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

/** `[B,T,H*D] -> [B,H,T,D]`, normalised per head where the family does that. */
function splitHeads(config: ModelConfig, x: Tensor, heads: number, norm: Tensor | undefined): Tensor {
  const [batch, length] = x.shape;
  const split = ops.reshape(x, [batch, length, heads, config.headDim]);
  return ops.transpose(norm === undefined ? split : ops.rmsNorm(split, norm, config.rmsNormEps), [0, 2, 1, 3]);
}

/** Keys and values that are attended to, and the mask of their scores. */
interface Part {
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly mask: Tensor;
  /** Rows that share them. */
  readonly sharers?: number;
}

/** What new tokens attend to behind a cache, and the cache with them where the program writes it. */
function place(
  fresh: BlockCache,
  { slots, mask, freshMask, stem }: AttentionContext,
  { keys, values, ...cache }: BlockCache,
): { readonly attended: readonly Part[]; readonly whole?: BlockCache } {
  const before = stem === undefined || cache.stem === undefined ? [] : [{ ...cache.stem, ...stem }];
  if (freshMask !== undefined) {
    return { attended: [...before, { keys, values, mask }, { ...fresh, mask: freshMask }] };
  }
  if (slots === undefined) throw new Error('a cache needs a place for the new');
  const whole = {
    keys: ops.scatter(keys, slots, fresh.keys),
    values: ops.scatter(values, slots, fresh.values),
  };
  return { attended: [...before, { ...whole, mask }], whole };
}

/**
 * Softmax attention with shared key/value heads: query head q reads key/value head floor(q / (H / KV)).
 *
 * @param q `[B,H,T,D]`, already scaled
 * @param parts keys and values `[B,KV,S,D]`, with a mask that broadcasts to `[B,1,T,S]`; of shared ones once for all sharers
 * @returns `[B,H,T,D]`
 */
function attend(q: Tensor, parts: readonly Part[]): Tensor {
  const [batch, heads, length, width] = q.shape;
  const kvHeads = parts[0].keys.shape[1];
  // The query heads of a group stand under each other, so that their key/value head is read once and never repeated.
  const grouped = ops.reshape(q, [batch, kvHeads, (heads / kvHeads) * length, width]);
  const attended = parts.map(({ keys: k, values: v, mask, sharers }) => ({
    k,
    v,
    mask,
    ...(sharers === undefined
      ? { scoresShape: [batch, heads, length, k.shape[2]] }
      : { scoresShape: [batch / sharers, kvHeads, (sharers * heads * length) / kvHeads, k.shape[2]], sharers }),
  }));
  return ops.reshape(attention(grouped, attended), q.shape);
}

/** `[B,H,T,D] -> [B,T,H*D]` */
function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, length, width] = x.shape;
  return ops.reshape(ops.transpose(x, [0, 2, 1, 3]), [batch, length, heads * width]);
}

/**
 * One block: x + Attention(RMSNorm(x)), then x + MLP(RMSNorm(x)) with MLP(x) = down(SiLU(gate x) * up x).
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
  const { heads, kvHeads, headDim, rmsNormEps, qkNorm } = config;
  const layer = (name: string, input: Tensor, bias: boolean) =>
    project(weights, name, input, bias, config.adapters?.[`${prefix}.${name}`]);
  const normed = ops.rmsNorm(x, weights('input_layernorm.weight'), rmsNormEps);
  const projected = (name: string, count: number, norm?: string) => {
    const y = layer(`self_attn.${name}`, normed, config.attentionBias);
    return splitHeads(config, y, count, norm === undefined ? undefined : weights(`self_attn.${norm}.weight`));
  };
  const rotate = (y: Tensor, scale?: number) => {
    if (!rotated) return scale === undefined ? y : ops.mul(y, scale);
    const [cos, sin] = [context.cos, context.sin].map((table) => (scale === undefined ? table : ops.mul(table, scale)));
    return ops.rotary(y, context.positions, cos, sin);
  };
  // The scale of the scores is in the tables, which are constants: no pass over the queries.
  const q = rotate(projected('q_proj', heads, qkNorm ? 'q_norm' : undefined), headDim ** -0.5);
  const fresh = {
    keys: rotate(projected('k_proj', kvHeads, qkNorm ? 'k_norm' : undefined)),
    values: projected('v_proj', kvHeads),
  };
  const placed = cache === undefined ? undefined : place(fresh, context, cache);
  const mixed =
    placed === undefined ? causalAttention(q, fresh.keys, fresh.values, context.mask) : attend(q, placed.attended);
  const of = (y: Tensor) => (context.wanted === undefined ? y : rowsOf(y, context.wanted));
  const attended = layer('self_attn.o_proj', of(mergeHeads(mixed)), config.attentionOutputBias);
  const middle = ops.add(of(x), attended);
  const inner = ops.rmsNorm(middle, weights('post_attention_layernorm.weight'), rmsNormEps);
  const gate = layer('mlp.gate_proj', inner, config.mlpBias);
  const up = layer('mlp.up_proj', inner, config.mlpBias);
  const output = ops.add(middle, layer('mlp.down_proj', swiglu(gate, up), config.mlpBias));
  if (placed === undefined) return { output };
  return { output, cache: placed.whole === undefined ? { fresh } : { fresh, whole: placed.whole } };
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
