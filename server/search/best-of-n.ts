/** Best of N: independent samples, the control that every search is shown beside. Same model, rewards and budgets. */
import { Random } from '../random.ts';
import { type Answer, askJudge, isScore, type Judge } from './judge.ts';
import type { Look, SearchModel } from './model.ts';
import { checkBudget, type SearchBudget } from './options.ts';
import { rollOut } from './rollout.ts';
import { checkPrompt } from './search.ts';

export interface BestOfNSettings {
  /** Longest answer in tokens. */
  readonly maxNew: number;
  /** Of the actions; 1 samples the policy as it is. */
  readonly temperature?: number;
  /** Samples in lockstep. */
  readonly batch?: number;
  readonly seed?: number;
  readonly rewardSeconds?: number;
}

export interface Sample extends Answer {
  /** Counts from 0. */
  readonly order: number;
  /** null if the reward had no score. */
  readonly reward: number | null;
  readonly parts: Readonly<Record<string, number>>;
  readonly noScore: string | null;
  /** Tokens the model generated up to here: states it was run for, as in a search. */
  readonly generated: number;
}

/**
 * Samples until the budget (`simulations` are samples) is spent; it is checked between batches.
 *
 * @returns the sample with the largest reward, the first among equals; undefined if none had one
 * @throws search.budget, search.emptyPrompt, search.promptTooLong, search.rewardFailed, search.rewardTimeout,
 *   search.rewardNotFinite; the signal's reason when it is aborted
 */
export async function* bestOfN<S>(
  model: SearchModel<S>,
  prompt: readonly number[],
  judge: Judge,
  settings: BestOfNSettings,
  budget: SearchBudget,
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<Sample | 'step', Sample | undefined> {
  checkBudget(budget);
  checkPrompt(model, prompt, settings.maxNew);
  const { maxNew, temperature = 1, batch = 1, seed = 0, rewardSeconds = 60 } = settings;
  const random = new Random(seed);
  const root = model.open(prompt);
  const start = performance.now();
  let best: Sample | undefined;
  let [order, generated] = [0, 0];
  const look: Look<S> = async (states) => {
    signal.throwIfAborted();
    const looked = await model.look(states);
    generated += looked.generated;
    return looked.outlooks;
  };
  const left = () => {
    if (generated >= (budget.tokens ?? Number.POSITIVE_INFINITY)) return 0;
    if ((performance.now() - start) / 1000 >= (budget.seconds ?? Number.POSITIVE_INFINITY)) return 0;
    return Math.max(0, Math.ceil((budget.simulations ?? Number.POSITIVE_INFINITY) - order));
  };
  for (let size = Math.min(batch, left()); size > 0; size = Math.min(batch, left())) {
    const starts = Array.from({ length: size }, () => ({ state: root, length: 0, random: random.fork() }));
    const work = rollOut(model, look, starts, maxNew, temperature);
    let next = await work.next();
    while (next.done !== true) {
      yield 'step';
      next = await work.next();
    }
    const answers = next.value.map(({ actions, tokens }): Answer => {
      return { actions, tokens, finished: model.endIds.has(tokens[tokens.length - 1]) };
    });
    const results = await Promise.all(answers.map((a, i) => askJudge(judge, a, order + i, rewardSeconds, signal)));
    for (const [i, answer] of answers.entries()) {
      const result = results[i];
      const score = isScore(result) ? result : { value: null, parts: {} };
      const noScore = isScore(result) ? null : result.noScore;
      const sample = { ...answer, order: order++, reward: score.value, parts: score.parts, noScore, generated };
      if (sample.reward !== null && sample.reward > (best?.reward ?? Number.NEGATIVE_INFINITY)) best = sample;
      yield sample;
    }
  }
  return best;
}
