/** What a sampler is asked for: prompts, and for each of its samples the seed that it is drawn with. */
import { seedFrom } from '../../random.ts';
import type { Prompt } from './episode.ts';

export interface Start {
  readonly prompt: Prompt;
  /** One for each sample. */
  readonly seeds: readonly number[];
}

/** A prompt with its number in its data set. */
export interface Numbered {
  readonly prompt: Prompt;
  readonly number: number;
}

export const numbered = (prompts: readonly Prompt[]): Numbered[] =>
  prompts.map((prompt, number) => ({ prompt, number }));

/**
 * Some prompts with `group` samples each. The seed of a sample follows from `seed`, `step`, the number of its prompt and its
 * own number alone, so that it does not matter what is sampled beside it. A prompt that comes twice goes on counting.
 */
export function startsOf(prompts: readonly Numbered[], group: number, seed: number, step: number): Start[] {
  const counts = new Map<number, number>();
  return prompts.map(({ prompt, number }) => {
    const first = counts.get(number) ?? 0;
    counts.set(number, first + group);
    return { prompt, seeds: Array.from({ length: group }, (_, i) => seedFrom(seed, step, number, first + i)) };
  });
}
