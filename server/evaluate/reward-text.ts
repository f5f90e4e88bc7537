/** A reward as it is written on the command line. */
import { parse } from 'yaml';
import { z } from 'zod';
import { ColaError } from '../errors.ts';
import { rewardSpec } from '../rewards/schema.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import { explain } from '../schemas/issues.ts';
import { guess } from '../schemas/right-form.ts';
import { excess } from '../spec/limits.ts';
import { evaluateErrors } from './errors.ts';

const named = z.object({ reward: rewardSpec });
const isReward = (reward: unknown): boolean => named.safeParse({ reward }).success;

/**
 * Reads a name, or what a run spec would say: `{exact: {column: answer}}`.
 *
 * @throws evaluate.badReward
 */
export function readReward(text: string): RewardSpec {
  const value = readYaml(text);
  const parsed = named.safeParse({ reward: value });
  if (parsed.success) return parsed.data.reward;
  const [problem] = explain(named, { reward: value });
  throw evaluateErrors.badReward(text, `${problem.message}${guess(problem.suggestion)}`);
}

/**
 * {@link readReward}, for those who make the reward at once: what is wrong with it is said then.
 *
 * @throws evaluate.badReward for what is no YAML
 */
export function readUncheckedReward(text: string): RewardSpec {
  return readYaml(text) as RewardSpec;
}

function readYaml(text: string): unknown {
  const tooMuch = excess(text);
  if (tooMuch !== undefined) throw evaluateErrors.badReward(`${text.slice(0, 20)}…`, tooMuch.message);
  const spaced = text.replace(/([A-Za-z_]\w*):(?=[^\s:/\\])/g, '$1: ');
  try {
    const value: unknown = parse(text);
    if (spaced !== text && !isReward(value) && isReward(parse(spaced)))
      throw evaluateErrors.badReward(text, `a colon has a blank behind it: write ${JSON.stringify(spaced)}`);
    return value;
  } catch (error) {
    if (error instanceof ColaError) throw error;
    throw evaluateErrors.badReward(text, error instanceof Error ? error.message.split('\n')[0] : String(error));
  }
}
