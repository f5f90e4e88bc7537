/** A reward model as a reward, and every reward with it: those above make rewards here. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Row } from '../data/rows.ts';
import type { ModelReward, ModelRewardOptions } from '../rewards/model.ts';
import { createReward } from '../rewards/registry.ts';
import type { Reward, RewardInput, RewardResult } from '../rewards/reward.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import { rewardModelErrors } from './errors.ts';
import { type Moments, momentsIn } from './moments.ts';
import { Scorer } from './scorer.ts';

/** {@link createReward}, with models. @throws reward.*, rewardModel.*, config.*, weights.* */
export const openReward = (spec: RewardSpec, folder?: string): Promise<Reward> =>
  createReward(spec, folder, learnedReward);

/** A score as the options want it. */
export function normalised(score: number, how: ModelRewardOptions['normalise'], { mean, std }: Moments): number {
  const standard = (score - mean) / std;
  return how === 'none' ? score : how === 'standard' ? standard : 1 / (1 + Math.exp(-standard));
}

const learnedReward: ModelReward = async (options, folder) => {
  const { device, batch, normalise, remember } = options;
  const path = resolve(folder, options.path);
  const { scorer, release } = await Scorer.take(path, device);
  let moments: Moments;
  try {
    moments = momentsOf(options, scorer.model.folder);
  } catch (error) {
    await release();
    throw error;
  }
  const known = new Map<string, number>();
  const scored = async (ids: Int32Array, key: string, signal: AbortSignal | undefined): Promise<number> => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const score = await scorer.score(ids, batch, signal);
    known.set(key, score);
    // The one that was learned first goes first.
    for (const [oldest] of known) {
      if (known.size <= remember) break;
      known.delete(oldest);
    }
    return score;
  };
  return {
    name: 'model',
    async score(input, signal): Promise<RewardResult> {
      signal?.throwIfAborted();
      const ids = scorer.encode(rowOf(input), options.chat);
      if (ids.length > scorer.longest) {
        return {
          noScore: `prompt and answer have ${ids.length} tokens, and the reward model reads ${scorer.longest}`,
        };
      }
      const key = createHash('sha256').update(ids).digest('base64');
      const score = await scored(ids, key, signal);
      if (!Number.isFinite(score)) return { noScore: `the reward model gave ${score}` };
      const value = normalised(score, normalise, moments);
      return { value, parts: normalise === 'none' ? { model: score } : { model: value, score } };
    },
    close: release,
  };
};

/** @throws rewardModel.noMoments where they are needed and nobody says them */
function momentsOf({ normalise, mean, std }: ModelRewardOptions, folder: string): Moments {
  if (normalise === 'none') return { mean: 0, std: 1 };
  if (mean !== undefined && std !== undefined) return { mean, std };
  const own = momentsIn(folder);
  if (own === undefined) throw rewardModelErrors.noMoments(folder);
  return { mean: mean ?? own.mean, std: std ?? own.std };
}

/** What the model is to read: the conversation where there was one, and the answer. */
function rowOf({ prompt, completion, messages }: RewardInput): Row {
  if (messages === undefined) return { kind: 'prompt', prompt, response: completion, columns: {} };
  return { kind: 'chat', messages: [...messages, { role: 'assistant', content: completion }], columns: {} };
}
