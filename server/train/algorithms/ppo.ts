/** PPO (arXiv 1707.06347): a value of each state is learned along, and is the baseline. */
import { valueLoss } from '../../cola/losses.ts';
import * as ops from '../../graph/ops.ts';
import type { Algorithm } from './algorithm.ts';
import { clippedObjective } from './clipped.ts';

export const ppo: Algorithm = {
  modules: ['value'],
  greedy: false,
  outcomes: ({ rewards }) => Float64Array.from(rewards, (r) => r ?? 0),
  objective(update) {
    const { settings, mask, values, noted } = update;
    if (values === undefined) throw new Error('PPO needs values');
    const policy = clippedObjective(update);
    const [old, returns] = [noted('values_old'), noted('returns')];
    const value = valueLoss(ops.mul(values, mask), old, returns, mask, settings.value_clip);
    return {
      loss: ops.add(policy.loss, ops.mul(value, settings.value_weight)),
      metrics: { ...policy.metrics, value_loss: value },
    };
  },
};
