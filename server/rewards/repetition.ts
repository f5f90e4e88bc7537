import { z } from 'zod';
import { pureReward, type Reward, simpleScore } from './reward.ts';

/** Options of {@link repetitionReward}. */
export const repetitionOptions = z.strictObject({
  /** Length of the runs that are compared. */
  n: z.number().int().min(1).max(50).default(4),
  unit: z.enum(['words', 'characters']).default('words'),
});

/** The share of n-grams that occurred before: 0 when all are distinct, towards 1 for endless repetition. */
export function repeatedShare(items: readonly string[], n: number): number {
  const total = items.length - n + 1;
  if (total < 2) return 0;
  const seen = new Set<string>();
  for (let i = 0; i < total; i += 1) seen.add(items.slice(i, i + n).join('\u0000'));
  return 1 - seen.size / total;
}

/** Minus {@link repeatedShare}: 0 for a text without repetition, down to -1. Meant as a term of a sum. */
export function repetitionReward(options: z.infer<typeof repetitionOptions>): Reward {
  return pureReward('repetition', ({ completion }) => {
    const items = options.unit === 'words' ? (completion.toLowerCase().match(/\S+/g) ?? []) : [...completion];
    const share = repeatedShare(items, options.n);
    return simpleScore('repetition', share === 0 ? 0 : -share);
  });
}
