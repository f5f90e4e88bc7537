import { z } from 'zod';
import { pureReward, type Reward } from './reward.ts';

/** Options of {@link lengthReward}. */
export const lengthOptions = z
  .strictObject({
    /** The range that scores 1, both ends included. */
    min: z.number().min(0).default(0),
    max: z.number().min(0),
    unit: z.enum(['tokens', 'characters', 'words']).default('tokens'),
    /** Distance from the range at which the score has fallen to 0, linearly. 0 is a hard edge. */
    slope: z.number().min(0).default(0),
  })
  .refine(({ min, max }) => min <= max, { message: 'min is above max', path: ['min'] });

/** 1 inside the wanted range of lengths, falling to 0 over `slope` units outside it. */
export function lengthReward(options: z.infer<typeof lengthOptions>): Reward {
  return pureReward('length', ({ completion, tokens }) => {
    const size =
      options.unit === 'tokens'
        ? tokens
        : options.unit === 'characters'
          ? completion.length
          : (completion.match(/\S+/g)?.length ?? 0);
    const outside = Math.max(options.min - size, size - options.max, 0);
    const value = outside === 0 ? 1 : options.slope === 0 ? 0 : Math.max(0, 1 - outside / options.slope);
    return { value, parts: { length: value, size } };
  });
}
