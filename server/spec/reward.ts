/** The setting `reward` as a schema that knows every key, for exact messages and completion. */
import { z } from 'zod';
import { codeOptions } from '../rewards/code/code.ts';
import { countdownOptions } from '../rewards/countdown.ts';
import { exactOptions } from '../rewards/exact.ts';
import { lengthOptions } from '../rewards/length.ts';
import { mathsOptions } from '../rewards/maths/maths.ts';
import { numericOptions } from '../rewards/numeric.ts';
import { moduleOptions } from '../rewards/process/module.ts';
import { repetitionOptions } from '../rewards/repetition.ts';
import { similarityOptions } from '../rewards/similarity.ts';
import type { RewardSpec } from '../rewards/spec.ts';

/** Rewards that work without being told anything. `length` and `module` have settings they cannot do without. */
const plainNames = ['exact', 'numeric', 'maths', 'countdown', 'code', 'similarity', 'repetition'] as const;

const term = z.strictObject({
  reward: z.lazy((): z.ZodType<RewardSpec> => rewardSpec),
  weight: z.number().default(1),
});

/** A name, a name with its settings, or a weighted sum. */
export const rewardSpec: z.ZodType<RewardSpec> = z.union([
  z.enum(plainNames),
  z.strictObject({ exact: exactOptions }),
  z.strictObject({ numeric: numericOptions }),
  z.strictObject({ maths: mathsOptions }),
  z.strictObject({ countdown: countdownOptions }),
  z.strictObject({ code: codeOptions }),
  z.strictObject({ similarity: similarityOptions }),
  z.strictObject({ length: lengthOptions }),
  z.strictObject({ repetition: repetitionOptions }),
  z.strictObject({ module: moduleOptions }),
  z.strictObject({ sum: z.array(term).min(1).max(32) }),
]);
