import { z } from 'zod';
import {
  absolute,
  add,
  atMost,
  divide,
  fromNumber,
  integer,
  multiply,
  negate,
  parseDecimal,
  type Rational,
} from './maths/rational.ts';
import { pureReward, type Reward, simpleScore, textsColumn } from './reward.ts';

/** Options of {@link numericReward}. */
export const numericOptions = z.strictObject({
  /** Column with the right number, as a number or as text; of a longer text its last number counts. */
  column: z.string().min(1).default('answer'),
  /** `last`: the last number in the completion. `whole`: the completion must be one number and nothing else. */
  read: z.enum(['last', 'whole']).default('last'),
  /** Largest accepted |given - right|. */
  tolerance: z.number().min(0).default(0),
  /** Largest accepted |given - right| / |right|. */
  relativeTolerance: z.number().min(0).default(0),
});

/** A number read from a text, and whether a percent sign followed it. */
export interface PrintedNumber {
  value: Rational;
  percent: boolean;
}

const unsigned = String.raw`(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4}(?!\d))?`;
// A sign after a digit, a letter or a bracket is an operation, not part of the number.
const printed = new RegExp(
  String.raw`(?:(?<![\w.)\]}])([+\-−])[ ]?)?[$€£]?(?:(\d{1,9})[ ]+(?=\d+/))?(${unsigned})(?:[ ]?/[ ]?(${unsigned}))?[ ]?(\\?%)?`,
  'g',
);

function readMatch(match: RegExpMatchArray): PrintedNumber | undefined {
  const [, sign, mixed, top = '', bottom, percent] = match;
  const clean = (text: string) => parseDecimal(text.replaceAll(',', ''));
  let value = clean(top);
  if (bottom !== undefined && value) {
    const divisor = clean(bottom);
    value = divisor && divide(value, divisor);
  }
  const whole = mixed === undefined ? undefined : clean(mixed);
  if (whole && value) value = add(whole, value);
  if (!value) return undefined;
  if (sign === '-' || sign === '−') value = negate(value);
  return { value, percent: percent !== undefined };
}

/** All numbers of a text in order: `1,000`, `-2.5e3`, `3/4`, `1 1/2`, `50%`, `$5`. */
export function printedNumbers(text: string): PrintedNumber[] {
  const found: PrintedNumber[] = [];
  for (const match of text.matchAll(printed)) {
    const number = readMatch(match);
    if (number) found.push(number);
  }
  return found;
}

/** The number that is the whole text, white space and a final full stop aside. */
export function wholeNumber(text: string): PrintedNumber | undefined {
  const trimmed = text.trim();
  const [match, second] = [...trimmed.matchAll(printed)];
  if (!match || second || match.index !== 0) return undefined;
  const rest = trimmed.slice(match[0].length).trim();
  return rest === '' || rest === '.' ? readMatch(match) : undefined;
}

const hundred = integer(100n);

/** The values a printed number may stand for beside another: with a sign on one side only, 50% is 50 or 0.5. */
export function percentReadings(given: PrintedNumber, wanted: PrintedNumber): [Rational, Rational][] {
  const pairs: [Rational, Rational][] = [[given.value, wanted.value]];
  if (given.percent && !wanted.percent) pairs.push([given.value, multiply(wanted.value, hundred)]);
  if (wanted.percent && !given.percent) pairs.push([multiply(given.value, hundred), wanted.value]);
  return pairs;
}

/** 1 when the completion's number is the column's number (or one of its numbers) within the tolerances, compared as exact fractions. */
export function numericReward(options: z.infer<typeof numericOptions>): Reward {
  const zero = integer(0n);
  const near = fromNumber(options.tolerance) ?? zero;
  const relative = fromNumber(options.relativeTolerance) ?? zero;
  const close = (given: Rational, wanted: Rational): boolean => {
    const distance = absolute(add(given, negate(wanted)));
    return atMost(distance, near) || atMost(distance, multiply(relative, absolute(wanted)));
  };
  return pureReward('numeric', ({ completion, row }) => {
    const column = textsColumn(row, options.column);
    if ('noScore' in column) return column;
    const wanted = column.texts.flatMap((text) => printedNumbers(text).at(-1) ?? []);
    if (wanted.length === 0) return { noScore: `the column "${options.column}" holds no number` };
    const given = options.read === 'whole' ? wholeNumber(completion) : printedNumbers(completion).at(-1);
    const right =
      given !== undefined && wanted.some((one) => percentReadings(given, one).some(([a, b]) => close(a, b)));
    return simpleScore('numeric', right ? 1 : 0);
  });
}
