/** jinja2's tests: what stands behind `is`. */
import { JinjaError } from './errors.ts';
import { isLower, isUpper } from './letters.ts';
import {
  Bytes,
  Callable,
  compare,
  contains,
  count,
  Dict,
  equal,
  Generator,
  isNumber,
  isSequence,
  text,
  Undefined,
  type Value,
  View,
} from './values.ts';

const numberOf = (value: Value): number => (typeof value === 'number' ? value : count(value, 'what is odd or even'));

type Test = (value: Value, argument: Value) => boolean;

const hasPlaces = (value: Value) =>
  typeof value === 'string' ||
  isSequence(value) ||
  value instanceof Dict ||
  value instanceof Bytes ||
  value instanceof Undefined;

const TESTS: Readonly<Record<string, Test>> = {
  boolean: (value) => typeof value === 'boolean',
  // What is not there can be called too, and then fails.
  callable: (value) => value instanceof Callable || value instanceof Undefined,
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  true: (value) => value === true,
  false: (value) => value === false,
  string: (value) => typeof value === 'string',
  number: isNumber,
  integer: (value) => typeof value === 'bigint',
  float: (value) => typeof value === 'number',
  mapping: (value) => value instanceof Dict,
  iterable: (value) => hasPlaces(value) || value instanceof View || value instanceof Generator,
  sequence: hasPlaces,
  escaped: () => false,
  odd: (value) => Math.abs(numberOf(value) % 2) === 1,
  even: (value) => numberOf(value) % 2 === 0,
  divisibleby: (value, by) => {
    const divisor = count(by, 'a divisor');
    if (divisor === 0) throw new JinjaError('division by zero');
    return count(value, 'what is divided') % divisor === 0;
  },
  lower: (value) => isLower(text(value)),
  upper: (value) => isUpper(text(value)),
  test: (value) => value === 'filter' || (typeof value === 'string' && testOf(value) !== undefined),
  in: (value, container) => contains(container, value),
  sameas: (value, other) => value === other,
  eq: equal,
  ne: (value, other) => !equal(value, other),
  lt: (value, other) => compare(value, other) < 0,
  le: (value, other) => compare(value, other) <= 0,
  gt: (value, other) => compare(value, other) > 0,
  ge: (value, other) => compare(value, other) >= 0,
};

const ALIASES: Readonly<Record<string, string>> = {
  '==': 'eq',
  equalto: 'eq',
  '!=': 'ne',
  '<': 'lt',
  lessthan: 'lt',
  '<=': 'le',
  '>': 'gt',
  greaterthan: 'gt',
  '>=': 'ge',
};

function testOf(name: string): Test | undefined {
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  return Object.hasOwn(TESTS, known) ? TESTS[known] : undefined;
}

export function applyTest(name: string, value: Value, argument: Value): boolean {
  const test = testOf(name);
  if (test === undefined) throw new JinjaError(`there is no test named ${name}`);
  return test(value, argument);
}
