/** The attention of a block: heads, what is attended to behind a cache, and the products. */
import { attention } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { AttentionContext, BlockCache } from './block.ts';
import type { ModelConfig } from './config/config.ts';

/** `[B,T,H*D] -> [B,H,T,D]`, normalised per head where the family does that. */
export function splitHeads(config: ModelConfig, x: Tensor, heads: number, norm?: (x: Tensor) => Tensor): Tensor {
  const [batch, length] = x.shape;
  const split = ops.reshape(x, [batch, length, heads, config.headDim]);
  return ops.transpose(norm === undefined ? split : norm(split), [0, 2, 1, 3]);
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
export function place(
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
export function attend(q: Tensor, parts: readonly Part[], cap: number | null): Tensor {
  const [batch, heads, length, width] = q.shape;
  const kvHeads = parts[0].keys.shape[1];
  // The query heads of a group stand under each other, so that their key/value head is read once and never repeated.
  const grouped = ops.reshape(q, [batch, kvHeads, (heads / kvHeads) * length, width]);
  const attended = parts.map(({ keys: k, values: v, mask, sharers }) => ({
    k,
    v,
    mask,
    cap,
    ...(sharers === undefined
      ? { scoresShape: [batch, heads, length, k.shape[2]] }
      : { scoresShape: [batch / sharers, kvHeads, (sharers * heads * length) / kvHeads, k.shape[2]], sharers }),
  }));
  return ops.reshape(attention(grouped, attended), q.shape);
}

/** `[B,H,T,D] -> [B,T,H*D]` */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, length, width] = x.shape;
  return ops.reshape(ops.transpose(x, [0, 2, 1, 3]), [batch, length, heads * width]);
}
