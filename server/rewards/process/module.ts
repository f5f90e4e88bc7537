import { existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { needPlainFile } from '../../files/open.ts';
import { visibleVariables } from '../../schemas/visible-variables.ts';
import { rewardErrors } from '../errors.ts';
import type { Reward, RewardResult, RewardScore } from '../reward.ts';
import { type HelperPlan, HelperPool } from './helper.ts';

/** Options of {@link moduleReward}. */
export const moduleOptions = z.strictObject({
  /** A JavaScript file; relative paths start at the folder of the recipe. */
  path: z.string().min(1),
  /** Limit for one sample. */
  timeLimitMs: z.number().int().min(10).max(3_600_000).default(10_000).meta({ unit: 'ms' }),
  /** Number of processes that judge at the same time, each with its own copy of the module; by default up to four. */
  processes: z.number().int().min(1).max(64).optional(),
  /** Environment variables that the module may see, such as a key; others than PATH, HOME and the like are kept from it. */
  env: visibleVariables,
});

/** Parts of a score, and characters of their names: each is shown to a person, and is a figure of its own. */
const mostParts = 100;
const longestPart = 100;

const answer = z.union([
  z.object({ noScore: z.string().max(500) }),
  z.object({ value: z.number(), parts: z.record(z.string(), z.number()).default({}) }),
]);

/** What a user's function may return: a number, `{ value, parts }`, or `{ noScore: reason }`. */
function readAnswer(value: unknown): RewardResult {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? { value, parts: { module: value } } : { noScore: `the module returned ${value}` };
  }
  const parsed = answer.safeParse(value);
  if (parsed.success) return 'noScore' in parsed.data ? parsed.data : withinBounds(parsed.data);
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
  if (kind !== 'object') return { noScore: `the module returned ${kind}, not a number` };
  return {
    noScore: 'the module returned an object that is neither { value, parts } with finite numbers nor { noScore }',
  };
}

function withinBounds(score: RewardScore): RewardResult {
  const names = Object.keys(score.parts);
  if (names.length > mostParts)
    return { noScore: `the module returned ${names.length} parts, and at most ${mostParts} are taken` };
  const long = names.find((name) => name.length > longestPart);
  if (long === undefined) return score;
  return { noScore: `the module named a part with ${long.length} characters, and at most ${longestPart} are taken` };
}

/**
 * A user's own reward: `export default async function score(input)`, in processes of its own with the user's rights (it is
 * the user's code, not the model's; it is not confined). They see few variables of the environment, share nothing, and end
 * with all that they started. A sample on which it throws, ends, returns something else than a
 * score or takes too long has no score, with the reason; the process is then started anew if need be.
 *
 * @throws {@link rewardErrors} moduleMissing, moduleFailed or moduleWithoutFunction when it cannot be loaded; files.kind
 */
export async function moduleReward(options: z.infer<typeof moduleOptions>, folder: string): Promise<Reward> {
  const path = resolve(folder, options.path);
  if (!existsSync(path)) throw rewardErrors.moduleMissing(path);
  if (statSync(path).isDirectory()) throw rewardErrors.moduleFolder(path);
  needPlainFile(path);
  const size = options.processes ?? Math.max(2, Math.min(4, availableParallelism()));
  const plan: HelperPlan = {
    name: 'module',
    program: 'module-worker',
    argument: path,
    trusted: true,
    env: options.env,
    startError: ({ code, message }) =>
      code === 'shape' ? rewardErrors.moduleWithoutFunction(path, message) : rewardErrors.moduleFailed(path, message),
  };
  const helpers = new HelperPool(plan, size);
  try {
    await helpers.start();
  } catch (error) {
    await helpers.close();
    throw error;
  }
  return {
    name: 'module',
    async score({ prompt, completion, row, finished, tokens }, signal) {
      const input = { prompt, completion, row, finished, tokens };
      const outcome = await helpers.ask(input, options.timeLimitMs, signal);
      if (outcome.kind === 'answer') return readAnswer(outcome.value);
      if (outcome.kind === 'threw') return { noScore: `the module failed: ${outcome.message}` };
      if (outcome.kind === 'late') return { noScore: `the module took longer than ${options.timeLimitMs} ms` };
      return { noScore: `the module ended its process: ${outcome.message}` };
    },
    close: () => helpers.close(),
  };
}
