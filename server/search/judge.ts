/** Asking a reward what an answer is worth. */
import { setMaxListeners } from 'node:events';
import type { Reward, RewardInput, RewardResult, RewardScore } from '../rewards/reward.ts';
import { searchErrors } from './errors.ts';

/** A complete answer. */
export interface Answer {
  readonly actions: readonly number[];
  /** Since the prompt, the end token included. */
  readonly tokens: readonly number[];
  /** Whether the model ended it itself, not the length limit. */
  readonly finished: boolean;
}

export type Judge = (answer: Answer, signal: AbortSignal) => Promise<RewardResult> | RewardResult;

/** A reward as a judge of answers to one prompt. */
export function rewardJudge(
  reward: Reward,
  text: (tokens: readonly number[]) => string,
  sample: Pick<RewardInput, 'prompt' | 'row' | 'messages'>,
): Judge {
  return ({ tokens, finished }, signal) =>
    reward.score({ ...sample, completion: text(tokens), finished, tokens: tokens.length }, signal);
}

/**
 * Asks the judge, but not for longer than `seconds`, and not beyond `signal`.
 *
 * @param order of the simulation, for messages
 * @throws search.rewardFailed, search.rewardTimeout, search.rewardNotFinite; the signal's reason when it is aborted
 */
export async function askJudge(
  judge: Judge,
  answer: Answer,
  order: number,
  seconds: number,
  signal: AbortSignal,
): Promise<RewardResult> {
  signal.throwIfAborted();
  // A batch waits for as many rewards as it has simulations, all on one signal.
  setMaxListeners(0, signal);
  const stop = new AbortController();
  let result: RewardResult;
  let cancel = () => {};
  let timer: NodeJS.Timeout | undefined;
  const ends = new Promise<never>((_, reject) => {
    cancel = () => reject(signal.reason);
    signal.addEventListener('abort', cancel, { once: true });
    timer = setTimeout(() => reject(searchErrors.rewardTimeout(order, seconds)), seconds * 1000);
  });
  // A judge that throws before its first await rejects like one that throws after it.
  const asked = (async () => judge(answer, stop.signal))().catch((cause: unknown) => {
    throw searchErrors.rewardFailed(order, cause);
  });
  try {
    result = await Promise.race([asked, ends]);
  } catch (error) {
    asked.catch(() => {});
    stop.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancel);
  }
  if (isScore(result) && !Number.isFinite(result.value)) throw searchErrors.rewardNotFinite(order, result.value);
  return result;
}

export function isScore(result: RewardResult): result is RewardScore {
  return 'value' in result;
}
