import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { HelperPool } from '../process/helper.ts';
import { type Reward, type RewardScore, textsColumn } from '../reward.ts';
import { joinedBoxes, lastBoxed } from './boxed.ts';
import { resultOf } from './source.ts';
import { compactMaths, normaliseMaths } from './text.ts';

/** Options of {@link mathsReward}. */
export const mathsOptions = z.strictObject({
  /**
   * Column with the right answer, bare or as the result of a solution: in its last `\boxed{}`, behind its last `####`, or behind
   * "the answer is"; a list holds alternatives.
   */
  column: z.string().min(1).default('answer'),
  /** `boxed`: only a boxed answer counts. `lastLine`: without a box, `####` or "the answer is", the last line that is not empty. */
  read: z.enum(['boxed', 'lastLine']).default('boxed'),
  /** Limit for one comparison; an answer that takes longer is wrong. */
  timeLimitMs: z.number().int().min(50).max(60_000).default(5000).meta({ unit: 'ms' }),
});

function score(boxed: boolean, correct: boolean, late = false): RewardScore {
  const value = Number(correct);
  return { value, parts: { correct: value, boxed: Number(boxed), ...(late && { late: 1 }) } };
}

/**
 * 1 when the completion's last boxed answer (or the boxes that are joined at its end, together) means the same as the row's answer, else 0. Comparison happens in a helper
 * process that is killed at the time limit. Parts: `correct`, `boxed`, and `late` after a kill.
 */
export function mathsReward(options: z.infer<typeof mathsOptions>): Reward {
  const size = Math.max(2, Math.min(4, availableParallelism()));
  const pool = new HelperPool({ name: 'maths', program: 'maths-worker', trusted: false }, size);
  return {
    name: 'maths',
    async score({ completion, row }, signal) {
      signal?.throwIfAborted();
      const column = textsColumn(row, options.column);
      if ('noScore' in column) return column;
      const boxed = lastBoxed(completion);
      const said = () => resultOf(completion) ?? completion.trim().split('\n').at(-1);
      const last = boxed ?? (options.read === 'lastLine' ? said() : undefined);
      if (last === undefined) return score(false, false);
      const together = joinedBoxes(completion);
      const given = together === undefined ? [last] : [last, together];
      const wanted = column.texts.map((text) => resultOf(text) ?? text);
      const key = (text: string) => compactMaths(normaliseMaths(text));
      const keys = new Set(given.map(key).filter((one) => one !== ''));
      if (wanted.some((text) => keys.has(key(text)))) return score(boxed !== undefined, true);
      let late = false;
      for (const [one, text] of given.flatMap((each) => wanted.map((text) => [each, text] as const))) {
        const outcome = await pool.ask([one, text], options.timeLimitMs, signal);
        if (outcome.kind === 'answer' && outcome.value === true) return score(boxed !== undefined, true);
        if (outcome.kind !== 'answer') late = true;
      }
      return score(boxed !== undefined, false, late);
    },
    close: () => pool.close(),
  };
}
