/** Numbers that a measure finds, and their mean and spread over seeds or over trained models. */
import { z } from 'zod';

/** What a measure finds in one go, by name. A figure that has no meaning here is left out. */
export type Figures = Readonly<Record<string, number>>;

export const figure = z.strictObject({
  mean: z.number(),
  /** Standard deviation with divisor n - 1; null for a single value. */
  spread: z.number().min(0).nullable(),
  n: z.int().positive(),
});
/** A figure over n seeds or models. */
export type Figure = z.infer<typeof figure>;

/** Mean and standard deviation (divisor n - 1). @param values at least one */
export function summarise(values: readonly number[]): Figure {
  const n = values.length;
  if (n === 0) throw new Error('no values to summarise');
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n === 1) return { mean, spread: null, n };
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1);
  return { mean, spread: Math.sqrt(variance), n };
}

/** Nothing is drawn for these, so another seed gives the same value: they are counted once. */
const isGreedy = (name: string) => name.startsWith('greedy_');

/** The figures of several seeds, one by one. A figure that some seeds lack is taken over those that have it. */
export function summariseSeeds(seeds: readonly Figures[]): Record<string, Figure> {
  const names = new Set(seeds.flatMap((figures) => Object.keys(figures)));
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const values = seeds.flatMap((figures) => (Number.isFinite(figures[name]) ? [figures[name]] : []));
      if (values.length === 0) return [];
      return [[name, summarise(isGreedy(name) ? values.slice(0, 1) : values)] as const];
    }),
  );
}
