/** The loss of an update from feedback; what it is made of says `feedback-learner.ts`. */
import type { ColaConfig } from '../../cola/config.ts';
import { clippedGain, entropy, visitLoss } from '../../cola/losses.ts';
import { crossEntropy, logSoftmax } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { type BatchShape, decisionLogits } from './batch.ts';

export interface FeedbackWeights {
  readonly clip_ratio: number;
  /** Of the KL divergence from the reference. */
  readonly kl: number;
  /** Of the cross entropy to the visits of a search. */
  readonly visits: number;
}

/**
 * Inputs beside those of {@link decisionLogits}, of D decisions: `choices`, `advantages`, `weights`, `logp_start`, `held`,
 * `visited` `[D]`, `reference` and `shares` `[D,N]`.
 */
export function feedbackObjective(
  graph: Graph,
  { config, cola }: { readonly config: ModelConfig; readonly cola: ColaConfig },
  settings: FeedbackWeights,
  shape: BatchShape,
): Objective {
  const { decisions: count } = shape;
  const logits = decisionLogits(graph, config, cola, shape);
  const list = (name: string) => graph.input(name, 'float32', [count]);
  const choices = graph.input('choices', 'int32', [count]);
  const logp = ops.neg(crossEntropy(logits, choices));
  const advantage = list('advantages');
  const weight = list('weights');
  const ratio = ops.exp(ops.sub(logp, list('logp_start')));
  const gain = clippedGain(ratio, advantage, settings.clip_ratio);
  const surrogate = ops.neg(ops.sum(ops.mul(gain, weight)));
  const all = logSoftmax(logits);
  const reference = graph.input('reference', 'float32', [count, cola.numCodes]);
  const held = list('held');
  const kl = ops.sum(ops.mul(ops.sum(ops.mul(ops.exp(all), ops.sub(all, reference)), [-1]), held));
  const shares = graph.input('shares', 'float32', [count, cola.numCodes]);
  const visits = visitLoss(logits, shares, list('visited'));
  const loss = ops.add(ops.add(surrogate, ops.mul(kl, settings.kl)), ops.mul(visits, settings.visits));
  const spread = ops.sum(ops.mul(entropy(logits), held));
  return { loss, metrics: { surrogate, kl, entropy: spread } };
}
