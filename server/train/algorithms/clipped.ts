import { clippedLoss } from '../../cola/losses.ts';
import { maskedMean } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import type { PolicyUpdate } from './algorithm.ts';

/** The clipped surrogate around the policy of the rollout, and the share of choices that are outside: `clipped`. */
export function clippedObjective({ settings, logp, advantages, mask, noted }: PolicyUpdate): Objective {
  const old = noted('logp_old');
  const ratio = ops.exp(ops.mul(ops.sub(logp, old), mask));
  const outside = ops.greater(ops.abs(ops.sub(ratio, 1)), settings.clip_ratio);
  const clipped = maskedMean(ops.cast(outside, 'float32'), mask);
  return { loss: clippedLoss(logp, old, advantages, mask, settings.clip_ratio), metrics: { clipped } };
}
