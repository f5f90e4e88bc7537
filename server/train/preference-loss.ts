/** Losses by which a model learns to score texts. */
import { crossEntropy } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';

/**
 * The logistic loss of pairs, -log sigmoid(chosen - rejected - margin), each `[B]` (R. A. Bradley, M. E. Terry, "Rank analysis
 * of incomplete block designs", Biometrika 39, 1952; the margin is that of Llama 2, arXiv 2307.09288, equation 2). Written as
 * the cross entropy of a choice between the two, it overflows nowhere.
 */
export function pairLosses(chosen: Tensor, rejected: Tensor, margins: Tensor): Tensor {
  const [count] = chosen.shape;
  const column = (x: Tensor) => ops.reshape(x, [count, 1]);
  const logits = ops.concat([column(chosen), column(ops.add(rejected, margins))], 1);
  const first = chosen.graph.constant(new Int32Array(count), 'int32', [count]);
  return crossEntropy(logits, first);
}

/** The squared errors of scores `[B]`. */
export function scoreLosses(scores: Tensor, wanted: Tensor): Tensor {
  const error = ops.sub(scores, wanted);
  return ops.mul(error, error);
}
