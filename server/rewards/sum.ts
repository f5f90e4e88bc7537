import type { Reward, RewardInput, RewardResult } from './reward.ts';

/** One term of a weighted sum. */
export interface Term {
  reward: Reward;
  weight: number;
}

/**
 * The weighted sum of rewards. Its parts are the terms' unweighted values under their names (a second term of the same
 * name gets `name 2`) and the terms' own parts under `name.part`. A term without a score leaves the whole sample without
 * one: sums with different terms could not be compared.
 */
export function sumReward(terms: readonly Term[]): Reward {
  const counts = new Map<string, number>();
  const labelled = terms.map(({ reward, weight }) => {
    const count = (counts.get(reward.name) ?? 0) + 1;
    counts.set(reward.name, count);
    return { reward, weight, label: count === 1 ? reward.name : `${reward.name} ${count}` };
  });
  return {
    name: 'sum',
    async score(input: RewardInput, signal?: AbortSignal): Promise<RewardResult> {
      const results = await Promise.all(labelled.map(({ reward }) => reward.score(input, signal)));
      const parts: Record<string, number> = {};
      let value = 0;
      for (const [i, { label, weight }] of labelled.entries()) {
        const result = results[i];
        if (result === undefined) continue;
        if ('noScore' in result) return { noScore: `${label}: ${result.noScore}` };
        value += weight * result.value;
        parts[label] = result.value;
        for (const [part, partValue] of Object.entries(result.parts)) {
          if (part !== label) parts[`${label}.${part}`] = partValue;
        }
      }
      return Number.isFinite(value) ? { value, parts } : { noScore: 'the weighted sum is not a finite number' };
    },
    async close() {
      await Promise.all(labelled.map(({ reward }) => reward.close()));
    },
  };
}
