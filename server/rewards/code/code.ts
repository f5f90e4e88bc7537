import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { HelperPool } from '../process/helper.ts';
import { type Reward, type RewardResult, textColumn } from '../reward.ts';
import { fencedCode } from './fence.ts';
import { type CodeQuestion, codeAnswer } from './message.ts';

/** Options of {@link codeReward}. */
export const codeOptions = z.strictObject({
  /**
   * Column with the tests: JavaScript whose top-level statements call `assert`, `equal`, `notEqual`, `near`, `throws`,
   * `rejects` (or `assert.equal` and so on). Each such statement is one test.
   */
  column: z.string().min(1).default('tests'),
  /**
   * `fence`: the last fenced block, or all without one. `whole`: the completion is the code. `continued`: prompt and
   * completion together are the code, which may end unfinished; `parse` is then the share of the completion before its
   * first syntax error.
   */
  read: z.enum(['fence', 'whole', 'continued']).default('fence'),
  /** `share`: tests passed / tests. `all`: 1 only when every test passes. */
  tests: z.enum(['share', 'all']).default('share'),
  /** Weights. A weight of 0 for `types` or `test` also saves the work. */
  parse: z.number().default(0),
  types: z.number().default(0),
  test: z.number().default(1),
  /** Time for one candidate with its tests. */
  timeLimitMs: z.number().int().min(10).max(60_000).default(2000).meta({ unit: 'ms' }),
  memoryMb: z.number().int().min(4).max(1024).default(64),
  /** Number of helper processes; by default up to four. */
  processes: z.number().int().min(1).max(64).optional(),
});

/** Longer candidates are not looked at. */
const maxCharacters = 200_000;
/** Beyond the sandbox's own limit, for parsing and the start of an instance; then the process is killed. */
const graceMs = 2000;
const typeCheckMs = 20_000;

/**
 * Judges TypeScript or JavaScript: does it parse, does it pass a strict type-check, which of the row's tests pass. All in
 * helper processes, the tests in a sandbox (see `sandbox.ts` for what it stops and what not). A candidate that runs into a
 * limit keeps the tests it had passed; one whose process must be killed scores 0 with the part `killed`.
 * Parts: `parse`, `types` and `test` as far as weighted, `late`.
 */
export function codeReward(options: z.infer<typeof codeOptions>): Reward {
  const size = options.processes ?? Math.max(1, Math.min(4, availableParallelism() - 1));
  const pool = new HelperPool({ name: 'code', program: 'sandbox-worker', trusted: false }, size);
  const weighTypes = options.types !== 0;
  const weighTests = options.test !== 0;
  const limitMs = options.timeLimitMs + graceMs + (weighTypes ? typeCheckMs : 0);

  const total = (parse: number, types: number, test: number, extra: Record<string, number>): RewardResult => ({
    value: options.parse * parse + options.types * types + options.test * test,
    parts: { parse, ...(weighTypes && { types }), ...(weighTests && { test }), ...extra },
  });

  return {
    name: 'code',
    async score({ prompt, completion, row }, signal) {
      signal?.throwIfAborted();
      const column = weighTests ? textColumn(row, options.column) : undefined;
      if (column && 'noScore' in column) return column;
      const code = options.read === 'fence' ? fencedCode(completion) : completion;
      if (code.length > maxCharacters) return total(0, 0, 0, {});
      const question: CodeQuestion = {
        code,
        ...(options.read === 'continued' && { before: prompt }),
        ...(column && { tests: column.text }),
        types: weighTypes,
        timeMs: options.timeLimitMs,
        memoryMb: options.memoryMb,
      };
      const outcome = await pool.ask(question, limitMs, signal);
      if (outcome.kind === 'late' || outcome.kind === 'ended') return total(0, 0, 0, { killed: 1 });
      if (outcome.kind === 'threw') return { noScore: `the sandbox failed: ${outcome.message}` };
      const answer = codeAnswer.parse(outcome.value);
      if ('unusable' in answer) return { noScore: answer.unusable };
      const passed = answer.total === 0 ? 0 : answer.passed / answer.total;
      const test = options.tests === 'share' ? passed : Number(passed === 1);
      return total(answer.parses, Number(answer.types), test, answer.late ? { late: 1 } : {});
    },
    close: () => pool.close(),
  };
}
