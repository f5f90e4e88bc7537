import { z } from 'zod';
import { evaluateExpression } from './expression.ts';
import { equal, integer } from './maths/rational.ts';
import { pureReward, type Reward, type RewardInput, type RewardScore } from './reward.ts';

/** Options of {@link countdownReward}. */
export const countdownOptions = z.strictObject({
  /**
   * `tags`: reasoning inside `<think></think>`, then the expression inside `<answer></answer>`.
   * `compact`: the completion is `02+12+14=28`.
   */
  form: z.enum(['tags', 'compact']).default('tags'),
  /** Whether the prompt ends inside an opened `<think>`; `auto` looks at the prompt. */
  thinkOpened: z.union([z.boolean(), z.literal('auto')]).default('auto'),
  /** Columns with the numbers (a list, or a text with them; also `nums`) and the target. Without them the prompt is read. */
  numbersColumn: z.string().min(1).default('numbers'),
  targetColumn: z.string().min(1).default('target'),
  /** Weights of the two parts. */
  format: z.number().default(1),
  correct: z.number().default(1),
});

type Options = z.infer<typeof countdownOptions>;

interface Task {
  numbers: bigint[];
  target: bigint;
}

/** The integers of a column: a number, a text such as `[3, 5, 07]`, or a list. */
function integers(value: unknown): bigint[] | undefined {
  if (typeof value === 'bigint') return [value];
  if (typeof value === 'number') return Number.isSafeInteger(value) ? [BigInt(value)] : undefined;
  if (typeof value === 'string') {
    if (!/^[\s[\](),;\d-]*$/.test(value)) return undefined;
    return (value.match(/-?\d{1,18}(?!\d)/g) ?? []).map(BigInt);
  }
  if (!Array.isArray(value)) return undefined;
  const all: bigint[] = [];
  for (const item of value) {
    const one = Array.isArray(item) ? undefined : integers(item);
    if (one?.[0] === undefined || one.length !== 1) return undefined;
    all.push(one[0]);
  }
  return all;
}

function readTask({ row, prompt }: RewardInput, options: Options): Task | { noScore: string } {
  // The last task in the prompt is the one to solve; those before it are examples.
  const printed = [...prompt.matchAll(/Numbers:([\s\d,]+?)\s*Target:\s*(-?\d{1,18})(?!\d)/gi)].at(-1);
  const numbers = integers(
    row[options.numbersColumn] ?? (options.numbersColumn === 'numbers' ? row.nums : undefined) ?? printed?.[1],
  );
  if (!numbers || numbers.length === 0) return { noScore: `no numbers in the column "${options.numbersColumn}"` };
  const [target, second] = integers(row[options.targetColumn] ?? printed?.[2]) ?? [];
  if (target === undefined || second !== undefined)
    return { noScore: `no target in the column "${options.targetColumn}"` };
  return { numbers, target };
}

function sameNumbers(used: readonly bigint[], given: readonly bigint[]): boolean {
  const order = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);
  const sortedUsed = [...used].sort(order);
  const sortedGiven = [...given].sort(order);
  return sortedUsed.length === sortedGiven.length && sortedUsed.every((value, i) => value === sortedGiven[i]);
}

interface Verdict {
  /** The answer is an expression, with at most one `= integer` behind it. */
  readable: boolean;
  printedTarget: boolean;
  numbers: boolean;
  value: boolean;
  correct: boolean;
}

function judge(answer: string, task: Task): Verdict {
  const wrong: Verdict = { readable: false, printedTarget: false, numbers: false, value: false, correct: false };
  const [left = '', right, extra] = answer.split('=');
  if (extra !== undefined) return wrong;
  const printedTarget = right !== undefined;
  if (printedTarget && !/^\s*[-−]?\d{1,18}\s*$/.test(right)) return wrong;
  const evaluated = evaluateExpression(left);
  if ('problem' in evaluated) return { ...wrong, printedTarget };
  const numbers = sameNumbers(evaluated.numbers, task.numbers);
  const value = equal(evaluated.value, integer(task.target));
  const printedRight = !printedTarget || BigInt(right.trim().replace('−', '-')) === task.target;
  return { readable: true, printedTarget, numbers, value, correct: numbers && value && printedRight };
}

const answerTag = /<answer>([^<]*)<\/answer>/g;

/** Reasoning in think tags, answer in answer tags, each once, nothing else but white space. */
function wellFormed(text: string): boolean {
  const match = /^\s*<think>([\s\S]*?)<\/think>\s*<answer>([\s\S]*?)<\/answer>\s*$/.exec(text);
  return match !== null && !/<\/?(?:think|answer)>/.test(`${match[1]} ${match[2]}`) && match[2]?.trim() !== '';
}

/**
 * The countdown task (CoLA, section 4.4 of the paper): format 1/0 plus correctness 1/0, each with its weight.
 *
 * Correct means: each given number used exactly once, the value is the target, and a printed `= target` is right. In the
 * `tags` form correctness looks at the last answer tag, whatever the format; in the `compact` form the printed target
 * is required. Parts: `format`, `correct`, and as hints `numbers` and `value`.
 */
export function countdownReward(options: Options): Reward {
  return pureReward('countdown', (input) => {
    const task = readTask(input, options);
    if ('noScore' in task) return task;
    if (options.form === 'compact') {
      const verdict = judge(input.completion, task);
      const line = !input.completion.trim().includes('\n');
      const format = verdict.readable && verdict.printedTarget && line;
      return total(options, format, { ...verdict, correct: verdict.correct && format });
    }
    const opened = options.thinkOpened === 'auto' ? /<think>\s*$/.test(input.prompt) : options.thinkOpened;
    const text = opened ? `<think>${input.completion}` : input.completion;
    const answer = [...text.matchAll(answerTag)].at(-1)?.[1] ?? '';
    return total(options, wellFormed(text), judge(answer, task));
  });
}

function total(options: Options, format: boolean, verdict: Verdict): RewardScore {
  const parts = {
    format: Number(format),
    correct: Number(verdict.correct),
    numbers: Number(verdict.numbers),
    value: Number(verdict.value),
  };
  return { value: options.format * parts.format + options.correct * parts.correct, parts };
}
