/**
 * How far Q knows what an answer is worth. A search that follows a Q which does not is no search, and its figures say nothing of
 * the method: they are given only where Q agrees with the rewards of answers it has not seen.
 */
import { bestOfN } from '../search/best-of-n.ts';
import type { Judge } from '../search/judge.ts';
import type { SearchModel } from '../search/model.ts';
import { correlation } from '../train/stages/q.ts';

/** Answers a prompt, and prompts at most. */
const samples = 4;
const mostPrompts = 32;

/**
 * Pearson's correlation between Q(s, a) of the last action of sampled answers and what the answers earned; 0 where either does
 * not vary. Answers without a score are left out.
 */
export async function qCorrelation<S>(
  model: SearchModel<S>,
  asked: readonly { readonly prompt: readonly number[]; readonly judge: Judge }[],
  settings: { readonly maxNew: number; readonly temperature: number; readonly seed: number },
  signal: AbortSignal,
): Promise<number> {
  const [expected, earned]: [number[], number[]] = [[], []];
  for (const [i, { prompt, judge }] of asked.slice(0, mostPrompts).entries()) {
    const own = { ...settings, seed: settings.seed + i };
    for await (const sample of bestOfN(model, prompt, judge, own, { simulations: samples }, signal)) {
      if (sample === 'step' || sample.reward === null) continue;
      const before = sample.tokens.slice(0, -1).reduce((state, token) => model.child(state, token), model.open(prompt));
      const { q } = (await model.look([before])).outlooks[0];
      const last = sample.actions.at(-1);
      if (q === undefined || last === undefined) continue;
      expected.push(q[last]);
      earned.push(sample.reward);
    }
  }
  return correlation(expected, earned);
}
