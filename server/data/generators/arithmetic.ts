/** Sums and products to be worked out: `12 + 34 * 2 =`. Which expressions are for testing does not depend on the seed. */
import { z } from 'zod';
import { Random } from '../../random.ts';
import { dataErrors } from '../errors.ts';
import type { GeneratorState } from './countdown.ts';
import { evaluateFlat, type Operator } from './expression.ts';
import { common, countRange, integerRange, naturalRange, operatorList, parseSettings } from './settings.ts';
import { splitOf } from './split.ts';

export const arithmeticOptions = z.strictObject({
  ...common,
  /** Fewest and most numbers in an expression. */
  terms: countRange.default([2, 3]),
  /** Least and largest number. */
  numbers: naturalRange.default([0, 99]),
  /** Least and largest result. */
  results: integerRange.default([0, 9999]),
  operators: operatorList.default(['+', '-', '*']),
});
export type ArithmeticOptions = z.input<typeof arithmeticOptions>;

export interface ArithmeticRow {
  readonly prompt: string;
  readonly response: string;
  readonly answer: string;
  readonly expression: string;
}

const ATTEMPTS = 100_000;

/** Endless expressions of one side of the split, the same for the same seed. */
export class Arithmetic {
  private readonly random: Random;
  private readonly settings: z.output<typeof arithmeticOptions>;

  /** Throws `data.badSettings`. */
  constructor(options: ArithmeticOptions = {}) {
    this.settings = parseSettings(arithmeticOptions, options, 'arithmetic');
    this.random = new Random(this.settings.seed);
  }

  get state(): GeneratorState {
    return this.random.state;
  }

  restore(state: GeneratorState): void {
    this.random.restore(state);
  }

  /** The next expression with its result. Throws `data.noProblem` where the settings leave none. */
  next(): ArithmeticRow {
    const { terms, numbers, results, operators, split, testShare } = this.settings;
    const between = ([low, high]: readonly [number, number]) => low + this.random.integer(high - low + 1);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const values = Array.from({ length: between(terms) }, () => between(numbers));
      const signs = values.slice(1).map((): Operator => operators[this.random.integer(operators.length)]);
      const result = evaluateFlat(values, signs);
      if (result === undefined || result < results[0] || result > results[1]) continue;
      const expression = values.map((n, i) => (i === 0 ? `${n}` : ` ${signs[i - 1]} ${n}`)).join('');
      if (splitOf(expression, testShare) !== split) continue;
      return { prompt: `${expression} =`, response: ` ${result}\n`, answer: String(result), expression };
    }
    throw dataErrors.noProblem('arithmetic');
  }
}
