/** The base language model as graphs: whole sequences for training and scoring, cached steps for decoding. */
import { capped, crossEntropy, linear, maskedMean } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { recomputed } from '../graph/recompute.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { type AttentionContext, type BlockCache, block, contextOf, normalised, type UpdatedCache } from './block.ts';
import type { ModelConfig } from './config/config.ts';

/** Names of the base's tensors that are no blocks. */
export const embeddingName = 'model.embed_tokens.weight';
export const finalNormName = 'model.norm.weight';
export const headName = 'lm_head.weight';

/** Rows of the embedding: ids int32 `[B,T]` -> `[B,T,d]`. */
export function embed(graph: Graph, config: ModelConfig, ids: Tensor): Tensor {
  const rows = ops.gather(graph.parameter(embeddingName, [config.vocabSize, config.hiddenSize]), ids);
  return config.embeddingScale === 1 ? rows : ops.mul(rows, config.embeddingScale);
}

/** The base's final RMSNorm. The world model uses it a second time. */
export function finalNorm(graph: Graph, config: ModelConfig, x: Tensor): Tensor {
  return normalised(config, x, graph.parameter(finalNormName, [config.hiddenSize]));
}

/** Vocabulary logits: `[..., d] -> [..., V]`. The head is the embedding where the config ties them. */
export function languageHead(graph: Graph, config: ModelConfig, u: Tensor): Tensor {
  const name = config.tieWordEmbeddings ? embeddingName : headName;
  const logits = linear(u, graph.parameter(name, [config.vocabSize, config.hiddenSize]));
  return config.logitCap === null ? logits : capped(logits, config.logitCap);
}

/**
 * h: the output of the last block after the final RMSNorm, `[B,T,d]`; `[n,d]` where the context names the rows that are wanted.
 *
 * @param ids int32 `[B,T]`
 * @param caches one per layer, with a context that has slots
 */
export function hiddenStates(
  graph: Graph,
  config: ModelConfig,
  ids: Tensor,
  context: AttentionContext,
  caches?: readonly BlockCache[],
): { h: Tensor; caches: UpdatedCache[] } {
  let x = embed(graph, config, ids);
  const updated: UpdatedCache[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const rotated = !config.unrotatedLayers.includes(layer);
    const own = contextOf(slides(config, layer) ? slid(context) : context, layer, config.layers);
    const name = `model.layers.${layer}`;
    if (graph.recompute && caches === undefined) {
      x = recomputed(x, (again) => block(graph, config, name, again, own, undefined, rotated).output);
      continue;
    }
    const step = block(graph, config, name, x, own, caches?.[layer], rotated);
    x = step.output;
    if (step.cache !== undefined) updated.push(step.cache);
  }
  return { h: finalNorm(graph, config, x), caches: updated };
}

const slides = ({ sliding }: ModelConfig, layer: number) => sliding?.layers.includes(layer) ?? false;

function slid({ sliding, ...context }: AttentionContext): AttentionContext {
  if (sliding === undefined) throw new Error('a layer that slides needs a context with a window');
  return { ...context, ...sliding };
}

/**
 * Mean cross entropy of tokens 1..T-1 given those before: logits `[B,T,V]`, ids int32 `[B,T]`, in nats.
 *
 * @param mask float32 `[B,T]`; entry j counts token j as a target. All tokens but the first, if not given.
 */
export function nextTokenLoss(logits: Tensor, ids: Tensor, mask?: Tensor): Tensor {
  const { targets, weights } = nextTokens(ids, mask);
  return maskedMean(crossEntropy(logits, targets), weights);
}

/**
 * The target of every position, ids shifted by one, and how much it counts. The last position has no target and counts
 * nothing; it is kept, because cutting it off would copy all logits.
 */
export function nextTokens(ids: Tensor, mask?: Tensor): { targets: Tensor; weights: Tensor } {
  const [batch, length] = ids.shape;
  const shift = (x: Tensor) => ops.concat([ops.slice(x, 1, 1, length), ops.slice(x, 1, 0, 1)], 1);
  const ones = Float32Array.from({ length: batch * length }, (_, i) => (i % length === length - 1 ? 0 : 1));
  const valid = ids.graph.constant(ones, 'float32', [batch, length]);
  return { targets: shift(ids), weights: mask === undefined ? valid : ops.mul(valid, shift(mask)) };
}
