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
import type { ColaConfig } from './config.ts';

/** A stack of blocks on h that ends in N logits. `q_target` is the delayed copy of `q`. */
export type HeadName = 'idm' | 'policy' | 'q' | 'q_target';

/** Blocks of a head: the inverse dynamics has its own number, the others that of the policy. */
export function headLayers(cola: ColaConfig, head: HeadName): number {
  return head === 'idm' ? cola.idmLayers : cola.policyLayers;
}

/**
 * The trunk of a head: blocks on h, then RMSNorm, `[B,T,d] -> [B,T,d]`; `[n,d]` where the context names the rows that are wanted.
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
  let x = h;
  const updated: UpdatedCache[] = [];
  const layers = headLayers(cola, head);
  for (let layer = 0; layer < layers; layer++) {
    const own = contextOf(context, layer, layers);
    const step = block(graph, config, `${head}.blocks.${layer}`, x, own, caches?.[layer]);
    x = step.output;
    if (step.cache !== undefined) updated.push(step.cache);
  }
  const weight = graph.parameter(`${head}.norm.weight`, [config.hiddenSize]);
  return { trunk: normalised(config, x, weight), caches: updated };
}

/** Logits over the codes: trunk `[..., d] -> [..., N]`. */
export function headLogits(graph: Graph, config: ModelConfig, cola: ColaConfig, head: HeadName, trunk: Tensor): Tensor {
  return linear(trunk, graph.parameter(`${head}.head.weight`, [cola.numCodes, config.hiddenSize]));
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

/** The value of each state, from the policy's trunk: `[..., d] -> [...]`. */
export function stateValue(graph: Graph, config: ModelConfig, trunk: Tensor): Tensor {
  const v = linear(trunk, graph.parameter('value.head.weight', [1, config.hiddenSize]));
  return ops.reshape(v, trunk.shape.slice(0, -1));
}

/** The codebook C `[N,d]`; code i is row i. */
export function codebook(graph: Graph, config: ModelConfig, cola: ColaConfig): Tensor {
  return graph.parameter('codebook.weight', [cola.numCodes, config.hiddenSize]);
}

function mergeWeights(graph: Graph, config: ModelConfig, layer: number): { w1: Tensor; w2: Tensor; w3: Tensor } {
  const { hiddenSize: d, intermediateSize: f } = config;
  return {
    w1: graph.parameter(`merge.${layer}.w1.weight`, [f, 2 * d]),
    w2: graph.parameter(`merge.${layer}.w2.weight`, [f, 2 * d]),
    w3: graph.parameter(`merge.${layer}.w3.weight`, [d, f]),
  };
}

/**
 * The language world model p(x_{t+1} | x_{1:t}, a_t): h and code embeddings c, both `[..., d]`, to logits `[..., V]`.
 * s_{k+1} = s_k + W3 (SiLU(W1 [s_k; c]) * W2 [s_k; c]); then the base's final norm, and in the residual variant minus h.
 */
export function worldModel(graph: Graph, config: ModelConfig, cola: ColaConfig, h: Tensor, c: Tensor): Tensor {
  let s = h;
  for (let layer = 0; layer < cola.mergeLayers; layer++) {
    const { w1, w2, w3 } = mergeWeights(graph, config, layer);
    const joined = ops.concat([s, c], -1);
    s = ops.add(s, linear(swiglu(linear(joined, w1), linear(joined, w2)), w3));
  }
  return worldHead(graph, config, cola, s, h);
}

function worldHead(graph: Graph, config: ModelConfig, cola: ColaConfig, s: Tensor, h: Tensor): Tensor {
  const u = finalNorm(graph, config, s);
  return languageHead(graph, config, cola.worldResidual ? ops.sub(u, ops.stopGradient(h)) : u);
}

/**
 * The world model under every code at once: h `[R,d] -> [R,N,V]`. In the first layer the state's and the code's shares of
 * W1 and W2 are computed once each and added, instead of N times over.
 */
export function worldModelAll(graph: Graph, config: ModelConfig, cola: ColaConfig, h: Tensor): Tensor {
  const [rows, d] = h.shape;
  const n = cola.numCodes;
  const codes = codebook(graph, config, cola);
  const wide = (x: Tensor) => ops.expand(ops.reshape(x, [rows, 1, d]), [rows, n, d]);
  let s: Tensor | undefined;
  for (let layer = 0; layer < cola.mergeLayers; layer++) {
    const { w1, w2, w3 } = mergeWeights(graph, config, layer);
    const state = s ?? ops.reshape(h, [rows, 1, d]);
    const part = (w: Tensor) => {
      const ofState = linear(state, ops.slice(w, 1, 0, d));
      const ofCode = linear(codes, ops.slice(w, 1, d, 2 * d));
      return ops.add(ofState, ofCode);
    };
    s = ops.add(state, linear(swiglu(part(w1), part(w2)), w3));
  }
  return worldHead(graph, config, cola, s ?? wide(h), ops.reshape(h, [rows, 1, d]));
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
