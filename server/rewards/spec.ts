import { z } from 'zod';
import { explain } from '../schemas/issues.ts';
import { guess } from '../schemas/right-form.ts';
import { codeOptions } from './code/code.ts';
import { countdownOptions } from './countdown.ts';
import { rewardErrors } from './errors.ts';
import { exactOptions } from './exact.ts';
import { lengthOptions } from './length.ts';
import { mathsOptions } from './maths/maths.ts';
import { modelOptions } from './model.ts';
import { numericOptions } from './numeric.ts';
import { moduleOptions } from './process/module.ts';
import { repetitionOptions } from './repetition.ts';
import { similarityOptions } from './similarity.ts';

/** The options of every reward except the sum, whose terms are rewards themselves. */
export const rewardOptions = {
  exact: exactOptions,
  numeric: numericOptions,
  maths: mathsOptions,
  countdown: countdownOptions,
  code: codeOptions,
  similarity: similarityOptions,
  length: lengthOptions,
  repetition: repetitionOptions,
  module: moduleOptions,
  model: modelOptions,
} as const;

type Schemas = typeof rewardOptions;
type SimpleName = keyof Schemas;

/** A reward as a recipe names it: `'countdown'`, `{ exact: { column: 'answer' } }`, or `{ sum: [{ reward, weight }] }`. */
export type RewardSpec =
  | SimpleName
  | { [K in SimpleName]: { [P in K]: z.input<Schemas[K]> } }[SimpleName]
  | { sum: readonly { reward: RewardSpec; weight?: number }[] };

/** A specification that has been read: every option has its value. */
export type ParsedReward =
  | { [K in SimpleName]: { name: K; options: z.output<Schemas[K]> } }[SimpleName]
  | { name: 'sum'; terms: { reward: ParsedReward; weight: number }[] };

/** The names of all rewards. */
export const rewardNames: readonly string[] = [...Object.keys(rewardOptions), 'sum'];

const maxDepth = 8;
const sumSchema = z
  .array(z.strictObject({ reward: z.unknown(), weight: z.number().default(1) }))
  .min(1)
  .max(32);

function parseOptions<T extends z.ZodType>(schema: T, value: unknown, path: string): z.output<T> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const [problem] = explain(schema, value ?? {}, path.split('.'));
  throw rewardErrors.badSpec(`${path}: ${problem.message}${guess(problem.suggestion)}`);
}

function isSimple(name: string): name is SimpleName {
  return Object.hasOwn(rewardOptions, name);
}

/**
 * Reads a reward's specification from a recipe.
 *
 * @throws {@link rewardErrors} unknown for a name that is no reward, badSpec for options that are unknown or not valid
 */
export function parseRewardSpec(spec: unknown, path = 'reward', depth = 0): ParsedReward {
  if (depth > maxDepth) throw rewardErrors.badSpec(`sums are nested more than ${maxDepth} deep`);
  if (typeof spec !== 'string' && (typeof spec !== 'object' || spec === null || Array.isArray(spec))) {
    throw rewardErrors.badSpec(`${path} is neither a name nor an object`);
  }
  const entries: [string, unknown][] = typeof spec === 'string' ? [[spec, {}]] : Object.entries(spec);
  const [entry, second] = entries;
  if (!entry || second) throw rewardErrors.badSpec(`${path} must have exactly one name, it has ${entries.length}`);
  const [name, options] = entry;
  if (name === 'sum') {
    const terms = parseOptions(sumSchema, options, `${path}.sum`);
    return {
      name,
      terms: terms.map(({ reward, weight }, i) => ({
        reward: parseRewardSpec(reward, `${path}.sum.${i}.reward`, depth + 1),
        weight,
      })),
    };
  }
  if (!isSimple(name)) throw rewardErrors.unknown(name, rewardNames);
  return { name, options: parseOptions(rewardOptions[name], options, `${path}.${name}`) } as ParsedReward;
}
