/** Settings that the task generators share, and their check. */
import { z } from 'zod';
import { dataErrors } from '../errors.ts';

const ordered = ([low, high]: [number, number]) => low <= high;
const order = 'the first number must not be above the second';

/** Least and largest of something. */
export const naturalRange = z
  .tuple([z.int().min(0).max(1_000_000), z.int().min(0).max(1_000_000)])
  .refine(ordered, order);
export const integerRange = z.tuple([z.int(), z.int()]).refine(ordered, order);
export const countRange = z.tuple([z.int().min(2).max(6), z.int().min(2).max(6)]).refine(ordered, order);

export const operatorList = z.array(z.enum(['+', '-', '*', '/'])).min(1);

/** What every generator has. */
export const common = {
  seed: z.int().default(0),
  split: z.enum(['train', 'test']).default('train'),
  /** Fraction of all problems that are for testing. */
  testShare: z.number().min(0).max(1).default(0.1),
};

/** Checks settings and fills in defaults. Throws `data.badSettings`. */
export function parseSettings<T>(schema: z.ZodType<T>, settings: unknown, task: string): T {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw dataErrors.badSettings(task, issue.path.map(String).join('.'), issue.message);
}
