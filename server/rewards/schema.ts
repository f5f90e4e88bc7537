/** The setting `reward` as a schema that knows every key, for exact messages and completion. Its options are those of the rewards. */
import { z } from 'zod';
import { type RewardSpec, rewardOptions } from './spec.ts';

const term = z.strictObject({
  reward: z.lazy((): z.ZodType<RewardSpec> => rewardSpec),
  weight: z.number().default(1),
});

const options = Object.entries<z.ZodType>(rewardOptions);

/** Rewards that work without being told anything; others have settings they cannot do without. */
const plainNames = options.flatMap(([name, schema]) => (schema.safeParse({}).success ? [name] : []));

/** A name, a name with its settings, or a weighted sum. */
export const rewardSpec = z.union([
  z.enum(plainNames),
  ...options.map(([name, schema]) => z.strictObject({ [name]: schema })),
  z.strictObject({ sum: z.array(term).min(1).max(32) }),
]) as unknown as z.ZodType<RewardSpec>;
