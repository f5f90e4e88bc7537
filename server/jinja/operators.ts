/** Arithmetic with Python's meaning. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { formatPercent } from './format.ts';
import type { Operator } from './syntax.ts';
import { count, defined, isNumber, List, Tuple, typeName, type Value } from './values.ts';

/** Whole numbers may not have more digits: nothing in a prompt has, and `9 ** 9 ** 9` has. */
const BITS = 4096;

function bounded(value: bigint): bigint {
  if (BigInt.asIntN(BITS, value) !== value) throw new JinjaError('a number is too large');
  return value;
}

const integer = (value: bigint | boolean): bigint => BigInt(value);

function power(a: bigint, b: bigint): Value {
  if (b < 0n) return float(Number(a), Number(b), '**');
  // The result has about as many bits as the base, times the exponent.
  if (a > 1n || a < -1n) {
    const bits = a.toString(2).length;
    if (b * BigInt(bits - 1) > BigInt(BITS)) throw new JinjaError('a number is too large');
  }
  return bounded(a === 1n || a === 0n ? (b === 0n ? 1n : a) : a === -1n ? (b % 2n === 0n ? 1n : -1n) : a ** b);
}

function whole(a: bigint, b: bigint, operator: Operator): Value {
  switch (operator) {
    case '+':
      return bounded(a + b);
    case '-':
      return bounded(a - b);
    case '*':
      return bounded(a * b);
    case '**':
      return power(a, b);
    case '/':
      return float(Number(a), Number(b), '/');
  }
  if (b === 0n) throw new JinjaError('division by zero');
  const rest = a % b;
  // Python rounds down and gives the rest the sign of the divisor.
  const down = rest !== 0n && rest < 0n !== b < 0n;
  return operator === '//' ? a / b - (down ? 1n : 0n) : rest + (down ? b : 0n);
}

function float(a: number, b: number, operator: Operator): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '**': {
      const result = a ** b;
      if (Number.isNaN(result) && !Number.isNaN(a) && !Number.isNaN(b))
        throw new JinjaError('a power is no real number');
      return result;
    }
  }
  if (b === 0) throw new JinjaError('division by zero');
  if (operator === '/') return a / b;
  const rest = a % b;
  const modulo = rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  return operator === '//' ? Math.round((a - modulo) / b) : modulo;
}

function repeat(value: string | List | Tuple, times: number): Value {
  const n = Math.max(0, times);
  if (typeof value === 'string') {
    spendText(value.length * n);
    return value.repeat(n);
  }
  spendSteps(value.items.length * n);
  const items = Array.from({ length: n }, () => value.items).flat();
  return value instanceof List ? new List(items) : new Tuple(items);
}

export function arithmetic(left: Value, right: Value, operator: Operator): Value {
  const [a, b] = [defined(left), operator === '%' && typeof left === 'string' ? right : defined(right)];
  if (isNumber(a) && isNumber(b)) {
    return typeof a === 'number' || typeof b === 'number'
      ? float(Number(a), Number(b), operator)
      : whole(integer(a), integer(b), operator);
  }
  if (operator === '%' && typeof a === 'string') return formatPercent(a, b);
  if (operator === '*') {
    const isCount = (value: Value) => typeof value === 'bigint' || typeof value === 'boolean';
    if (isCount(b) && (typeof a === 'string' || a instanceof List || a instanceof Tuple))
      return repeat(a, count(b, 'times'));
    if (isCount(a) && (typeof b === 'string' || b instanceof List || b instanceof Tuple))
      return repeat(b, count(a, 'times'));
  }
  if (operator === '+') {
    if (typeof a === 'string' && typeof b === 'string') {
      spendText(a.length + b.length);
      return a + b;
    }
    if (a instanceof List && b instanceof List) {
      spendSteps(a.items.length + b.items.length);
      return new List([...a.items, ...b.items]);
    }
    if (a instanceof Tuple && b instanceof Tuple) {
      spendSteps(a.items.length + b.items.length);
      return new Tuple([...a.items, ...b.items]);
    }
  }
  throw new JinjaError(`${operator} does not work for a ${typeName(a)} and a ${typeName(b)}`);
}

export function signed(value: Value, operator: '-' | '+'): Value {
  const number = defined(value);
  if (!isNumber(number)) throw new JinjaError(`${operator} does not work for a ${typeName(number)}`);
  const plain = typeof number === 'boolean' ? BigInt(number) : number;
  return operator === '-' ? -plain : plain;
}
