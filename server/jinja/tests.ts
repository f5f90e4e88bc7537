/** jinja2's tests: what stands behind `is`. */
import { JinjaError } from './errors.ts';
import {
  Callable,
  compare,
  contains,
  count,
  Dict,
  equal,
  isNumber,
  List,
  Tuple,
  text,
  Undefined,
  type Value,
} from './values.ts';

type Test = (value: Value, argument: Value) => boolean;

const isSequence = (value: Value) =>
  typeof value === 'string' ||
  value instanceof List ||
  value instanceof Tuple ||
  value instanceof Dict ||
  value instanceof Undefined;

const TESTS: Readonly<Record<string, Test>> = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) => value instanceof Callable,
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
  iterable: isSequence,
  sequence: isSequence,
  escaped: () => false,
  odd: (value) => count(value, 'what is odd') % 2 !== 0,
  even: (value) => count(value, 'what is even') % 2 === 0,
  divisibleby: (value, by) => {
    const divisor = count(by, 'a divisor');
    if (divisor === 0) throw new JinjaError('division by zero');
    return count(value, 'what is divided') % divisor === 0;
  },
  lower: (value) => text(value) !== text(value).toUpperCase() && text(value) === text(value).toLowerCase(),
  upper: (value) => text(value) !== text(value).toLowerCase() && text(value) === text(value).toUpperCase(),
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

export function applyTest(name: string, value: Value, args: readonly Value[]): boolean {
  const test = testOf(name);
  if (test === undefined) throw new JinjaError(`there is no test named ${name}`);
  return test(value, args[0] ?? null);
}
