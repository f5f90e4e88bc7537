/**
 * Countdown: reach a target with given numbers, each used once. Two formats:
 *
 * - `paper`: instruction, thoughts and answer in tags, any parentheses;
 * - `compact`: one short line for very small models, without parentheses, numbers padded to equal width.
 *
 * Every problem has a solution. A problem is its numbers (in any order) and its target; which ones are for testing does not
 * depend on the seed.
 */
import { z } from 'zod';
import { Random } from '../../random.ts';
import { dataErrors } from '../errors.ts';
import { combine, evaluateFlat, numberTerm, type Operator, type Term } from './expression.ts';
import { common, countRange, naturalRange, operatorList, parseSettings } from './settings.ts';
import { splitOf } from './split.ts';

/** Settings of the task; what is left out depends on the format. */
export const countdownOptions = z.strictObject({
  ...common,
  format: z.enum(['paper', 'compact']).default('paper'),
  /** Fewest and most numbers. Default 3 to 4, compact 3. */
  count: countRange.optional(),
  /** Least and largest number. Default 1 to 99, compact 1 to 20. */
  numbers: naturalRange.optional(),
  /** Least and largest target. Default 10 to 99. */
  targets: naturalRange.default([10, 99]),
  /** Default all four, compact + - *. */
  operators: operatorList.optional(),
  /** Whether the thoughts of the `paper` format show the calculation. */
  worked: z.boolean().default(true),
});
export type CountdownOptions = z.input<typeof countdownOptions>;

export interface CountdownRow {
  readonly prompt: string;
  readonly response: string;
  readonly numbers: readonly number[];
  readonly target: number;
}

/** The seed's numbers: all that the rest of the sequence depends on, beside the settings. */
export type GeneratorState = Random['state'];

const ATTEMPTS = 100_000;

/** The same key for the same problem, whatever the order of its numbers. */
export function countdownKey(numbers: readonly number[], target: number): string {
  return `${[...numbers].sort((a, b) => a - b).join(',')}>${target}`;
}

/** A problem in the words of the format `paper`. */
export function countdownPrompt(
  numbers: readonly number[],
  target: number,
  operators: readonly Operator[] = ['+', '-', '*', '/'],
): string {
  const given = `${numbers.slice(0, -1).join(', ')} and ${numbers.at(-1)}`;
  return (
    `Reach ${target} with the numbers ${given}. Use each of them once, with ${operators.join(' ')} and parentheses. ` +
    'Put your thoughts between <think> and </think>, and after them the expression alone between <answer> and </answer>.\n'
  );
}

/** Endless problems of one side of the split, the same for the same seed. */
export class Countdown {
  private readonly random: Random;
  private readonly settings: z.output<typeof countdownOptions> & {
    readonly count: readonly [number, number];
    readonly numbers: readonly [number, number];
    readonly operators: readonly Operator[];
  };

  /** Throws `data.badSettings`. */
  constructor(options: CountdownOptions = {}) {
    const settings = parseSettings(countdownOptions, options, 'countdown');
    const compact = settings.format === 'compact';
    this.settings = {
      ...settings,
      count: settings.count ?? (compact ? [3, 3] : [3, 4]),
      numbers: settings.numbers ?? (compact ? [1, 20] : [1, 99]),
      operators: settings.operators ?? (compact ? ['+', '-', '*'] : ['+', '-', '*', '/']),
    };
    this.random = new Random(settings.seed);
  }

  get state(): GeneratorState {
    return this.random.state;
  }

  restore(state: GeneratorState): void {
    this.random.restore(state);
  }

  /** The next problem with a solution. Throws `data.noProblem` where the settings leave none. */
  next(): CountdownRow {
    const { settings, random } = this;
    const between = ([low, high]: readonly [number, number]) => low + random.integer(high - low + 1);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const numbers = Array.from({ length: between(settings.count) }, () => between(settings.numbers));
      const found = settings.format === 'compact' ? this.flat(numbers) : this.tree(numbers);
      if (found === undefined) continue;
      const { target } = found;
      if (target < settings.targets[0] || target > settings.targets[1]) continue;
      if (splitOf(countdownKey(numbers, target), settings.testShare) !== settings.split) continue;
      return { prompt: this.prompt(numbers, target), response: found.response, numbers, target };
    }
    throw dataErrors.noProblem('countdown');
  }

  private operator(): Operator {
    const { operators } = this.settings;
    return operators[this.random.integer(operators.length)];
  }

  private flat(numbers: readonly number[]): { target: number; response: string } | undefined {
    // Mixed, since the order in the prompt must not give the solution away.
    const order = [...this.random.permutation(numbers.length)].map((i) => numbers[i]);
    const signs = order.slice(1).map(() => this.operator());
    const target = evaluateFlat(order, signs);
    if (target === undefined) return undefined;
    const text = order.map((n, i) => (i === 0 ? '' : signs[i - 1]) + this.padded(n)).join('');
    return { target, response: `${text}=${target}\n` };
  }

  private tree(numbers: readonly number[]): { target: number; response: string } | undefined {
    const terms = numbers.map(numberTerm);
    while (terms.length > 1) {
      const [left] = terms.splice(this.random.integer(terms.length), 1);
      const [right] = terms.splice(this.random.integer(terms.length), 1);
      const joined = combine(left, this.operator(), right);
      if (joined === undefined) return undefined;
      terms.push(joined);
    }
    const [{ value, text, steps }] = terms;
    const thoughts = this.settings.worked ? ` ${steps.join(', ')} ` : ' ';
    return { target: value, response: `<think>${thoughts}</think> <answer> ${text} </answer>` };
  }

  private prompt(numbers: readonly number[], target: number): string {
    if (this.settings.format === 'compact') {
      return `Numbers: ${numbers.map((n) => this.padded(n)).join(' ')} Target: ${target} Answer:`;
    }
    return countdownPrompt(numbers, target, this.settings.operators);
  }

  private padded(n: number): string {
    return String(n).padStart(String(this.settings.numbers[1]).length, '0');
  }
}

/**
 * An expression that uses each number once and equals the target, with parentheses where needed; `undefined` if there is
 * none without negative or broken numbers on the way. Tries everything: meant for up to six numbers.
 */
export function solveCountdown(
  numbers: readonly number[],
  target: number,
  operators: readonly Operator[] = ['+', '-', '*', '/'],
): string | undefined {
  const search = (terms: readonly Term[]): string | undefined => {
    if (terms.length === 1) return terms[0].value === target ? terms[0].text : undefined;
    for (let i = 0; i < terms.length; i++) {
      for (let j = 0; j < terms.length; j++) {
        if (i === j) continue;
        const rest = terms.filter((_, k) => k !== i && k !== j);
        for (const operator of operators) {
          // a + b and b + a are one.
          if (i > j && (operator === '+' || operator === '*')) continue;
          const joined = combine(terms[i], operator, terms[j]);
          const found = joined === undefined ? undefined : search([...rest, joined]);
          if (found !== undefined) return found;
        }
      }
    }
    return undefined;
  };
  return search(numbers.map(numberTerm));
}
