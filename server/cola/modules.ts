/**
 * The modules of CoLA (arXiv 2503.21383, section 3 and appendix A) as graphs: heads on the base's hidden states (inverse
 * dynamics, policy, value, Q), the codebook, and the language world model.
 */
import { linear, logSumExp, swiglu } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { finalNorm, languageHead } from '../model/base.ts';
import {
  type AttentionContext,
  type BlockCache,
  block,
  contextOf,
  normalised,
  type UpdatedCache,
} from '../model/block.ts';
import type { ModelConfig } from '../model/config/config.ts';
import { type ColaConfig, type HeadName, headConfig, headLayers, isNarrow, widthOf } from './config.ts';

/**
 * The trunk of a head: h in the head's width w, blocks, then RMSNorm, `[B,T,d] -> [B,T,w]`; `[n,w]` where the context names the rows that are wanted.
 *
 * @param caches one per block, with a context that has slots
 */
export function headTrunk(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  head: HeadName,
  h: Tensor,
  context: AttentionContext,
  caches?: readonly BlockCache[],
): { trunk: Tensor; caches: UpdatedCache[] } {
  const own = headConfig(config, cola);
  let x = h;
  if (isNarrow(config, cola)) {
    const narrow = graph.parameter(`${head}.narrow.weight`, [own.hiddenSize, config.hiddenSize]);
    x = linear(h, narrow);
  }
  const updated: UpdatedCache[] = [];
  const layers = headLayers(cola, head);
  for (let layer = 0; layer < layers; layer++) {
    const attended = contextOf(context, layer, layers);
    const step = block(graph, own, `${head}.blocks.${layer}`, x, attended, caches?.[layer]);
    x = step.output;
    if (step.cache !== undefined) updated.push(step.cache);
  }
  const weight = graph.parameter(`${head}.norm.weight`, [own.hiddenSize]);
  return { trunk: normalised(config, x, weight), caches: updated };
}

/** Logits over the codes: trunk `[..., w] -> [..., N]`. */
export function headLogits(graph: Graph, config: ModelConfig, cola: ColaConfig, head: HeadName, trunk: Tensor): Tensor {
  return linear(trunk, graph.parameter(`${head}.head.weight`, [cola.numCodes, widthOf(config, cola)]));
}

/** Logits of a head for every position of whole sequences: h `[B,T,d] -> [B,T,N]`. */
export function headOn(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  head: HeadName,
  h: Tensor,
  context: AttentionContext,
): Tensor {
  return headLogits(graph, config, cola, head, headTrunk(graph, config, cola, head, h, context).trunk);
}

/**
 * Logits of the inverse dynamics for the action at positions 0..T-2: the raw logits one position later, because only the
 * state after the next token knows which token it was. h `[B,T,d] -> [B,T-1,N]`. The last position has no label.
 */
export function inverseDynamics(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  h: Tensor,
  context: AttentionContext,
): Tensor {
  return ops.slice(headOn(graph, config, cola, 'idm', h, context), 1, 1, h.shape[1]);
}

/** The value of each state, from the policy's trunk: `[..., w] -> [...]`. */
export function stateValue(graph: Graph, trunk: Tensor): Tensor {
  const v = linear(trunk, graph.parameter('value.head.weight', [1, trunk.shape[trunk.shape.length - 1]]));
  return ops.reshape(v, trunk.shape.slice(0, -1));
}

/** The codebook C `[N,w]`; code i is row i. */
export function codebook(graph: Graph, config: ModelConfig, cola: ColaConfig): Tensor {
  return graph.parameter('codebook.weight', [cola.numCodes, widthOf(config, cola)]);
}

function mergeWeights(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  layer: number,
): { w1: Tensor; w2: Tensor; w3: Tensor } {
  const { hiddenSize: w, intermediateSize: f } = headConfig(config, cola);
  return {
    w1: graph.parameter(`merge.${layer}.w1.weight`, [f, 2 * w]),
    w2: graph.parameter(`merge.${layer}.w2.weight`, [f, 2 * w]),
    w3: graph.parameter(`merge.${layer}.w3.weight`, [w, f]),
  };
}

/** s_0 `[..., w]`: h itself, or what a narrower merge reads of it. */
function mergeInput(graph: Graph, config: ModelConfig, cola: ColaConfig, h: Tensor): Tensor {
  if (!isNarrow(config, cola)) return h;
  return linear(h, graph.parameter('merge.narrow.weight', [widthOf(config, cola), config.hiddenSize]));
}

/** What goes into the final norm: s itself, or h and what a narrower merge `[..., w]` adds to it. */
function mergeOutput(graph: Graph, config: ModelConfig, cola: ColaConfig, s: Tensor, h: Tensor): Tensor {
  if (!isNarrow(config, cola)) return s;
  return ops.add(h, linear(s, graph.parameter('merge.widen.weight', [config.hiddenSize, widthOf(config, cola)])));
}

/**
 * The language world model p(x_{t+1} | x_{1:t}, a_t): h `[..., d]` and code embeddings c `[..., w]` to logits `[..., V]`.
 * s_0 = h, s_{k+1} = s_k + W3 (SiLU(W1 [s_k; c]) * W2 [s_k; c]); then the base's final norm, and in the residual variant minus h.
 * A narrower merge (not in the paper) has s_0 = P h, and h + U s goes into the norm.
 */
export function worldModel(graph: Graph, config: ModelConfig, cola: ColaConfig, h: Tensor, c: Tensor): Tensor {
  let s = mergeInput(graph, config, cola, h);
  for (let layer = 0; layer < cola.mergeLayers; layer++) {
    const { w1, w2, w3 } = mergeWeights(graph, config, cola, layer);
    const joined = ops.concat([s, c], -1);
    s = ops.add(s, linear(swiglu(linear(joined, w1), linear(joined, w2)), w3));
  }
  return worldHead(graph, config, cola, s, h);
}

function worldHead(graph: Graph, config: ModelConfig, cola: ColaConfig, s: Tensor, h: Tensor): Tensor {
  const u = finalNorm(graph, config, mergeOutput(graph, config, cola, s, h));
  return languageHead(graph, config, cola.worldResidual ? ops.sub(u, ops.stopGradient(h)) : u);
}

/**
 * The world model under every code at once: h `[R,d] -> [R,N,V]`. In the first layer the state's and the code's shares of
 * W1 and W2 are computed once each and added, instead of N times over.
 */
export function worldModelAll(graph: Graph, config: ModelConfig, cola: ColaConfig, h: Tensor): Tensor {
  const [rows, d] = h.shape;
  const w = widthOf(config, cola);
  const n = cola.numCodes;
  const codes = codebook(graph, config, cola);
  const row = (x: Tensor, width: number) => ops.reshape(x, [rows, 1, width]);
  const input = row(mergeInput(graph, config, cola, h), w);
  let s: Tensor | undefined;
  for (let layer = 0; layer < cola.mergeLayers; layer++) {
    const { w1, w2, w3 } = mergeWeights(graph, config, cola, layer);
    const state = s ?? input;
    const part = (both: Tensor) => {
      const ofState = linear(state, ops.slice(both, 1, 0, w));
      const ofCode = linear(codes, ops.slice(both, 1, w, 2 * w));
      return ops.add(ofState, ofCode);
    };
    s = ops.add(state, linear(swiglu(part(w1), part(w2)), w3));
  }
  return worldHead(graph, config, cola, s ?? ops.expand(input, [rows, n, w]), row(h, d));
}

/**
 * log p(x) of the marginal language model, log sum_i pi(i) p_world(x | i), for rows of states: h `[R,d]`, policy logits
 * `[R,N]` -> `[R,V]` (paper, appendix D.4).
 */
export function marginalLogProbabilities(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  h: Tensor,
  policyLogits: Tensor,
): Tensor {
  const logits = worldModelAll(graph, config, cola, h);
  const [rows, n] = policyLogits.shape;
  const column = (x: Tensor) => ops.reshape(x, [...x.shape, 1]);
  const logPi = ops.sub(policyLogits, column(logSumExp(policyLogits)));
  const joint = ops.add(ops.sub(logits, column(logSumExp(logits))), ops.reshape(logPi, [rows, n, 1]));
  return logSumExp(ops.transpose(joint, [0, 2, 1]));
}

/** A hard choice in the forward pass, the relaxed one's gradient in the backward pass (paper, equation 2). */
export function straightThrough(hard: Tensor, soft: Tensor): Tensor {
  return soft.graph.withGradient(hard, { inputs: [soft], rule: (dy) => [dy] });
}
