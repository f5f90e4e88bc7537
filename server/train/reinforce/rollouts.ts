/** From starts to judged episodes: answers with a reward, or turns in an environment. Who trains or measures need not know which. */
import type { Tokenizer } from '../../model/tokenizer/tokenizer.ts';
import type { Reward } from '../../rewards/reward.ts';
import type { Sampler } from './actor.ts';
import type { Judged } from './episode.ts';
import { judge } from './rollout.ts';
import type { SamplingSettings } from './sampler.ts';
import type { Start } from './starts.ts';

export interface Rollouts {
  /** @returns in the order of the starts, groups together; `seconds` went by while somebody judged */
  run(
    starts: readonly Start[],
    settings: SamplingSettings,
    signal: AbortSignal,
  ): Promise<{ readonly rows: Judged[]; readonly seconds: number }>;
  close(): Promise<void>;
}

/** Single answers, judged by a reward. */
export function answered(sampler: Sampler, tokenizer: Tokenizer, reward: Reward): Rollouts {
  return {
    async run(starts, settings, signal) {
      const answers = await sampler.sample(starts, settings, signal);
      const sampled = performance.now();
      const rows = await judge(answers, tokenizer, reward, signal);
      return { rows, seconds: (performance.now() - sampled) / 1000 };
    },
    close: () => reward.close(),
  };
}
