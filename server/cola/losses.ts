/** The losses of CoLA as graphs. Exact definitions: test/fixtures/cola/README.md, sections 5 to 8. */
import { crossEntropy, logSoftmax, maskedMean, oneHot, rowMean } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { type Graph, size, type Tensor } from '../graph/tensor.ts';
import { languageHead, nextTokens } from '../model/base.ts';
import type { AttentionContext } from '../model/block.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { ColaConfig } from './config.ts';
import { codebook, headOn, inverseDynamics, straightThrough, worldModel, worldModelAll } from './modules.ts';

export interface ControlSettings {
  /** tau of the Gumbel softmax. */
  readonly tau: number;
  /** beta of the entropy term. */
  readonly beta: number;
  /** Weight of the entropy of the batch's mean code distribution; 0 is the paper. */
  readonly balance: number;
}

export interface ControlLoss {
  readonly loss: Tensor;
  readonly prediction: Tensor;
  readonly regulariser: Tensor;
  /** l_I `[B,T-1,N]`. */
  readonly idmLogits: Tensor;
  /** g `[B,T-1,N]`. */
  readonly soft: Tensor;
  /** argmax g, int32 `[B,T-1]`. */
  readonly actions: Tensor;
  /** `[B,T-1,V]`. */
  readonly logits: Tensor;
}

/** The graph that modules are put into, and what they are. */
export interface Modules {
  readonly graph: Graph;
  readonly config: ModelConfig;
  readonly cola: ColaConfig;
}

/** Tokens and what the base made of them. */
export interface Read {
  readonly h: Tensor;
  readonly ids: Tensor;
  readonly context: AttentionContext;
}

const flat = (x: Tensor, last: number) => ops.reshape(x, [size(x.shape) / last, last]);

/** Mean of distributions `[B,A,N]` over the positions that count: `[N]`. */
function meanShare(shares: Tensor, counted: Tensor | undefined, numCodes: number): Tensor {
  if (counted === undefined) return ops.mean(flat(shares, numCodes), [0]);
  const weights = flat(counted, 1);
  return ops.div(ops.sum(ops.mul(flat(shares, numCodes), weights), [0]), ops.maximum(ops.sum(weights), 1e-12));
}

/**
 * Stage 1, joint inverse dynamics and world model (paper, equation 3): L_pred + beta L_reg, with the code drawn by
 * straight-through Gumbel softmax.
 *
 * @param h `[B,T,d]`, a constant
 * @param ids int32 `[B,T]`
 * @param gumbel float32 `[B,T,N]`; row t goes with the action at t, the last row is unused
 * @param mask float32 `[B,T]`: 1 at the tokens that are learned, and whose actions count; all, if not given
 */
export function controlLoss(
  { graph, config, cola }: Modules,
  { h, ids, gumbel, mask, context }: Read & { readonly gumbel: Tensor; readonly mask?: Tensor | undefined },
  settings: ControlSettings,
): ControlLoss {
  const [batch, length] = ids.shape;
  const idmLogits = inverseDynamics(graph, config, cola, h, context);
  const noisy = ops.add(idmLogits, ops.slice(gumbel, 1, 0, length - 1));
  const soft = ops.softmax(ops.mul(noisy, 1 / settings.tau));
  const actions = ops.argmax(noisy);
  const hard = straightThrough(oneHot(actions, cola.numCodes), soft);
  const c = ops.matmul(hard, codebook(graph, config, cola));
  const logits = worldModel(graph, config, cola, ops.slice(h, 1, 0, length - 1), c);
  const losses = crossEntropy(logits, ops.slice(ids, 1, 1, length));
  const counted = mask === undefined ? undefined : ops.slice(mask, 1, 1, length);
  const prediction = counted === undefined ? ops.mean(losses) : maskedMean(losses, counted);
  const information = ops.mul(soft, ops.log(ops.add(soft, 1e-8)));
  const regulariser =
    counted === undefined
      ? ops.div(ops.sum(information), batch * (length - 1))
      : maskedMean(ops.sum(information, [2]), counted);
  let loss = ops.add(prediction, ops.mul(regulariser, settings.beta));
  if (settings.balance > 0) {
    const share = meanShare(ops.softmax(idmLogits), counted, cola.numCodes);
    const negativeEntropy = ops.sum(ops.mul(share, ops.log(ops.add(share, 1e-8))));
    loss = ops.add(loss, ops.mul(negativeEntropy, settings.balance));
  }
  return { loss, prediction, regulariser, idmLogits, soft, actions, logits };
}

/**
 * Behaviour cloning of the policy (paper, equation 4): cross entropy against the inverse dynamics' argmax.
 *
 * @param policyLogits `[B,T,N]`
 * @param actions int32 `[B,T-1]`
 * @param mask float32 `[B,T-1]`: which positions count; all, if not given
 */
export function cloneLoss(policyLogits: Tensor, actions: Tensor, mask?: Tensor): Tensor {
  const losses = crossEntropy(ops.slice(policyLogits, 1, 0, actions.shape[1]), actions);
  return mask === undefined ? ops.mean(losses) : maskedMean(losses, mask);
}

/** Below what a marginal gives a token it is taken to give that much: a log of 0 has no gradient. */
const leastProbability = 1e-12;

/**
 * KL(base || marginal) in nats at some states: how far the language model that is left when the action is summed out (paper,
 * appendix D.4) is from the base. Gradient flows into the policy alone. It is not in the paper, whose policy learns the argmax
 * of the inverse dynamics and nothing of how sure that is.
 *
 * @param h `[K,d]`
 * @param policyLogits `[K,N]`
 * @returns `[K]`
 */
export function marginalDivergence({ graph, config, cola }: Modules, h: Tensor, policyLogits: Tensor): Tensor {
  const [states, n] = policyLogits.shape;
  const world = ops.stopGradient(ops.exp(logSoftmax(worldModelAll(graph, config, cola, h))));
  const base = ops.stopGradient(logSoftmax(languageHead(graph, config, h)));
  const shares = ops.reshape(ops.softmax(policyLogits), [states, 1, n]);
  const marginal = ops.reshape(ops.matmul(shares, world), base.shape);
  const behind = ops.sub(base, ops.log(ops.add(marginal, leastProbability)));
  return ops.sum(ops.mul(ops.exp(base), behind), [-1]);
}

/**
 * Fine-tuning under action guidance (paper, appendix B.1.2): cross entropy of the response tokens under fixed actions.
 *
 * @param h `[B,T,d]` of the base that is tuned; gradient flows through it wherever the world model uses it
 * @param source whose argmax gives the actions: `idm` (FTA-I) or `policy` (FTA-P)
 * @param responseMask float32 `[B,T]`; entry j is 1 when token j is a target
 */
export function guideLoss(
  { graph, config, cola }: Modules,
  { h, ids, responseMask, context }: Read & { readonly responseMask: Tensor },
  source: 'idm' | 'policy',
): { loss: Tensor; logits: Tensor; actions: Tensor } {
  const length = ids.shape[1];
  const states = ops.slice(h, 1, 0, length - 1);
  const scores =
    source === 'idm'
      ? inverseDynamics(graph, config, cola, h, context)
      : ops.slice(headOn(graph, config, cola, 'policy', h, context), 1, 0, length - 1);
  const actions = ops.argmax(scores);
  const c = ops.gather(codebook(graph, config, cola), actions);
  const logits = worldModel(graph, config, cola, states, c);
  const { targets, weights } = nextTokens(ids, responseMask);
  const valid = (x: Tensor) => ops.slice(x, 1, 0, length - 1);
  return { loss: maskedMean(crossEntropy(logits, valid(targets)), valid(weights)), logits, actions };
}

/** log pi(a | s) at a temperature: logits `[B,A,N]`, actions int32 `[B,A]` -> `[B,A]`. */
export function actionLogProbabilities(logits: Tensor, actions: Tensor, temperature: number): Tensor {
  const scaled = temperature === 1 ? logits : ops.mul(logits, 1 / temperature);
  return ops.neg(crossEntropy(scaled, actions));
}

/**
 * The clipped surrogate (PPO, arXiv 1707.06347, equation 7) of each choice: the smaller of ratio * advantage and the same with
 * the ratio held near 1. All of one shape.
 *
 * @param clipHigh how far above 1, where that is another distance (DAPO, arXiv 2503.14476)
 */
export function clippedGain(ratio: Tensor, advantages: Tensor, clip: number, clipHigh = clip): Tensor {
  const limited = ops.minimum(ops.maximum(ratio, 1 - clip), 1 + clipHigh);
  return ops.minimum(ops.mul(ratio, advantages), ops.mul(limited, advantages));
}

/** What a loss of choices `[B,A]` is averaged over: each sample first and then all of them, or all choices alike. */
export type Averaging = 'sequence' | 'token';

/** Mean over the choices where the mask is 1, each sample counting alike or each choice (DAPO, arXiv 2503.14476, section 3.3). */
export function choiceMean(x: Tensor, mask: Tensor, averaging: Averaging): Tensor {
  return averaging === 'sequence' ? rowMean(x, mask) : maskedMean(x, mask);
}

/**
 * Minus the {@link clippedGain}, averaged, each sample counting alike.
 *
 * @param logp, logpOld, advantages, mask `[B,A]`
 */
export function clippedLoss(logp: Tensor, logpOld: Tensor, advantages: Tensor, mask: Tensor, clip: number): Tensor {
  return ops.neg(rowMean(clippedGain(choiceRatios(logp, logpOld, mask), advantages, clip), mask));
}

/** pi / pi_old of every choice, 1 outside the mask; all `[B,A]`. */
export function choiceRatios(logp: Tensor, logpOld: Tensor, mask: Tensor): Tensor {
  return ops.exp(ops.mul(ops.sub(logp, logpOld), mask));
}

/** The geometric mean of {@link choiceRatios} over each sample, at all of its choices (GSPO, arXiv 2507.18071, equation 7). */
export function sequenceRatios(logp: Tensor, logpOld: Tensor, mask: Tensor): Tensor {
  const counts = ops.maximum(ops.sum(mask, [1]), 1);
  const mean = ops.div(ops.sum(ops.mul(ops.sub(logp, logpOld), mask), [1]), counts);
  return ops.expand(ops.exp(ops.reshape(mean, [mask.shape[0], 1])), mask.shape);
}

/**
 * The estimate k3 of KL(pi ‖ pi_ref) at a choice that pi made: r - log r - 1 with r = pi_ref / pi; never below 0
 * (Schulman, Approximating KL Divergence, 2020; GRPO, arXiv 2402.03300, equation 4).
 */
export function divergence(logp: Tensor, logpRef: Tensor): Tensor {
  const log = ops.sub(logpRef, logp);
  return ops.sub(ops.sub(ops.exp(log), log), 1);
}

/** -log pi(a | s) A, averaged like {@link clippedLoss} (ReMax, arXiv 2310.10505). */
export function policyGradientLoss(logp: Tensor, advantages: Tensor, mask: Tensor): Tensor {
  return ops.neg(rowMean(ops.mul(logp, advantages), mask));
}

/** Half the squared error of the values, with the update clipped around the old values; all `[B,A]`. */
export function valueLoss(values: Tensor, valuesOld: Tensor, returns: Tensor, mask: Tensor, clip: number): Tensor {
  const limited = ops.add(valuesOld, ops.minimum(ops.maximum(ops.sub(values, valuesOld), -clip), clip));
  const square = (x: Tensor) => ops.mul(x, x);
  const worse = ops.maximum(square(ops.sub(values, returns)), square(ops.sub(limited, returns)));
  return ops.mul(rowMean(worse, mask), 0.5);
}

/**
 * Double DQN (arXiv 1509.06461): mean squared Bellman error over the valid actions. `q` and `target` are Q(s_j, .)
 * `[B,A,N]`; rewards and mask `[B,A]`; Y_j = r_j + gamma m_{j+1} Q_target(s_{j+1}, argmax_a Q(s_{j+1}, a)), no gradient.
 */
export function qLoss(
  q: Tensor,
  target: Tensor,
  actions: Tensor,
  rewards: Tensor,
  mask: Tensor,
  gamma: number,
): { loss: Tensor; targets: Tensor; values: Tensor } {
  const [batch, length] = actions.shape;
  const best = ops.pick(target, ops.argmax(q));
  const later = (x: Tensor) => {
    const zero = ops.expand(x.graph.scalar(0), [batch, 1]);
    return length === 1 ? zero : ops.concat([ops.slice(x, 1, 1, length), zero], 1);
  };
  const targets = ops.stopGradient(ops.add(rewards, ops.mul(ops.mul(later(mask), later(best)), gamma)));
  const values = ops.pick(q, actions);
  const error = ops.sub(values, targets);
  return { loss: maskedMean(ops.mul(error, error), mask), targets, values };
}

/**
 * Distillation of choices: cross entropy of the policy against shares of the actions, such as the visits of a node's
 * children in a search (expert iteration, arXiv 1705.08439), averaged over the positions by weight; 0 where all weights are 0.
 *
 * @param logits l_pi `[..., N]`
 * @param shares `[..., N]`; they sum to 1 wherever the weight is above 0
 * @param weights `[...]`, 0 or more, such as the visits of the nodes
 */
export function visitLoss(logits: Tensor, shares: Tensor, weights: Tensor): Tensor {
  return maskedMean(ops.neg(ops.sum(ops.mul(shares, logSoftmax(logits)), [-1])), weights);
}

/** Squared error of values against returns, averaged by weight; 0 where all weights are 0. All of one shape. */
export function returnLoss(values: Tensor, returns: Tensor, weights: Tensor): Tensor {
  const error = ops.sub(values, returns);
  return maskedMean(ops.mul(error, error), weights);
}

/** Entropy of softmax(logits) per row in nats: `[..., N] -> [...]`. */
export function entropy(logits: Tensor): Tensor {
  const logp = logSoftmax(logits);
  return ops.neg(ops.sum(ops.mul(ops.exp(logp), logp), [-1]));
}
