import { choiceMean, choiceRatios, clippedGain, sequenceRatios } from '../../cola/losses.ts';
import { maskedMean } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import type { PolicyUpdate } from './algorithm.ts';

/** The clipped surrogate around the policy of the rollout, and the share of choices that are outside: `clipped`. */
export function clippedObjective({ settings, logp, advantages, mask, noted }: PolicyUpdate): Objective {
  const old = noted('logp_old');
  const ratio = (settings.ratio === 'sequence' ? sequenceRatios : choiceRatios)(logp, old, mask);
  const { clip_ratio: low, clip_ratio_high: high = low } = settings;
  const above = ops.cast(ops.greater(ratio, 1 + high), 'float32');
  const below = ops.cast(ops.greater(ops.sub(ratio.graph.scalar(1 - low), ratio), 0), 'float32');
  const clipped = maskedMean(ops.add(above, below), mask);
  const gain = choiceMean(clippedGain(ratio, advantages, low, high), mask, settings.loss);
  return { loss: ops.neg(gain), metrics: { clipped } };
}
