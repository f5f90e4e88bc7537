import { all, type BigNumber, create, type EvalFunction, type MathJsInstance } from 'mathjs';
import { Random } from '../../random.ts';
import { lookup } from '../lookup.ts';
import { type Expression, exactValue } from './expression.ts';
import { equal } from './rational.ts';

/**
 * Equality of expressions by their values, computed by mathjs with 64 digits, expressions in variables at random points;
 * complex values with doubles. Not a proof; a wrong "equal" needs two different expressions that agree to 50 digits (complex
 * ones to 10) at all points.
 *
 * mathjs is given only text printed from our own tree, with variables renamed, so no answer reaches its other functions.
 * A call can take long (a huge factorial); it belongs in a helper process with a time limit.
 */

const doubles = create(all ?? {}, {});
const digits64 = create(all ?? {}, { number: 'BigNumber', precision: 64 });

const points = 24;
const enough = 4;
/** Points at which both are real that are enough. */
const plenty = 12;
const tolerance = 1e-10;
const constantTolerance = 1e-13;
/** Of values with 64 digits: relative, and absolute for what cancels to nothing. */
const relative = digits64.bignumber('1e-52');
const absolute = digits64.bignumber('1e-50');
/** Larger values have too few digits behind the point to be told apart. */
const largest = digits64.bignumber('1e45');

const plain = lookup<string>({
  arcsin: 'asin',
  arccos: 'acos',
  arctan: 'atan',
  ln: 'log',
  arccot: 'acot',
  arcsec: 'asec',
  arccsc: 'acsc',
  factorial: 'factorial',
  lg: 'log10',
});

/**
 * 1 / ln of the base of a `log` without one. Some mean e, some 10, some 2: with a number that nothing else has, only what is
 * true for every base is equal.
 */
const someBase = '0.83170452961938447120365537';

/** Prints for mathjs. */
function print(expression: Expression, variables: Map<string, string>): string {
  switch (expression.kind) {
    case 'number':
      return `(${expression.value.top}/${expression.value.bottom})`;
    case 'constant':
      return expression.name;
    case 'symbol': {
      const name = variables.get(expression.name) ?? `v${variables.size}q`;
      variables.set(expression.name, name);
      return name;
    }
    case 'negative':
      return `(-${print(expression.of, variables)})`;
    case 'operation':
      return `(${print(expression.left, variables)}${expression.sign}${print(expression.right, variables)})`;
    case 'call': {
      const of = print(expression.of, variables);
      const second = expression.second && print(expression.second, variables);
      if (expression.name === 'root') return `nthRoot(${of},${second})`;
      if (expression.name === 'binom') return `combinations(${of},${second})`;
      if (expression.name === 'log' && second !== undefined) return `(log(${of})/log(${second}))`;
      if (expression.name === 'log') return `(log(${of})*${someBase})`;
      return `${plain[expression.name] ?? expression.name}(${of})`;
    }
  }
}

interface Complex {
  re: number;
  im: number;
}

function asComplex(value: unknown): Complex | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? { re: value, im: 0 } : undefined;
  if (doubles.isComplex(value)) {
    const { re, im } = value;
    return Number.isFinite(re) && Number.isFinite(im) ? { re, im } : undefined;
  }
  return undefined;
}

function near(a: Complex, b: Complex, allowed: number): boolean {
  const scale = Math.max(Math.hypot(a.re, a.im), Math.hypot(b.re, b.im));
  return Math.hypot(a.re - b.re, a.im - b.im) <= allowed * scale;
}

function close(a: BigNumber, b: BigNumber): boolean {
  const size = a.abs().plus(b.abs());
  return size.lt(largest) && a.minus(b).abs().lte(relative.times(size).plus(absolute));
}

/** Computes a text at points; it is parsed once, which takes longer than to compute most. */
function computing(math: MathJsInstance, text: string): (scope: Record<string, unknown>) => unknown {
  let code: EvalFunction | undefined;
  return (scope) => {
    try {
      code ??= math.compile(text);
      return code.evaluate({ ...scope });
    } catch {
      return undefined; // outside the domain of a function
    }
  };
}

/** The real value of a text at points, undefined where it has none. */
function computingReals(text: string): (scope?: Record<string, unknown>) => BigNumber | undefined {
  const compute = computing(digits64, text);
  return (scope = {}) => {
    const value = compute(scope);
    return digits64.isBigNumber(value) && value.isFinite() ? value : undefined;
  };
}

/** Random points of both signs; the first third is positive, where roots and logarithms are real. */
function* randomPoints(names: readonly string[]): Generator<Record<string, number>> {
  const random = new Random(20250321);
  for (let i = 0; i < points; i += 1) {
    const scope: Record<string, number> = {};
    for (const name of names) {
      const size = 0.3 + 2.7 * random.uniform();
      scope[name] = i >= points / 3 && random.uniform() < 0.5 ? -size : size;
    }
    yield scope;
  }
}

const precise = (scope: Record<string, number>) =>
  Object.fromEntries(Object.entries(scope).map(([name, value]) => [name, digits64.bignumber(value)]));

/** Whether two texts have the same complex value at points; undefined where one has none. */
function comparing(a: string, b: string): (scope: Record<string, number>) => boolean | undefined {
  const [left, right] = [computing(doubles, a), computing(doubles, b)];
  return (scope) => {
    const [first, second] = [asComplex(left(scope)), asComplex(right(scope))];
    const constant = Object.keys(scope).length === 0;
    return first && second && near(first, second, constant ? constantTolerance : tolerance);
  };
}

/**
 * Pairs of values at the points where both are real; no more once there are enough of them and one of them shows what was asked for.
 *
 * @param shows what ends it
 */
function realPairs(
  a: string,
  b: string,
  names: readonly string[],
  shows: (pair: readonly [BigNumber, BigNumber], first: readonly [BigNumber, BigNumber]) => boolean,
): [BigNumber, BigNumber][] {
  const [realA, realB] = [computingReals(a), computingReals(b)];
  const pairs: [BigNumber, BigNumber][] = [];
  let shown = false;
  for (const scope of randomPoints(names)) {
    const at = precise(scope);
    const [left, right] = [realA(at), realB(at)];
    if (left && right) {
      const pair: [BigNumber, BigNumber] = [left, right];
      pairs.push(pair);
      shown ||= shows(pair, pairs[0] ?? pair);
    }
    if (shown && pairs.length >= enough) break;
    // Points of one sign alone do not tell a root of a square from the number.
    if (pairs.length >= plenty && pairs.length > points / 3) break;
  }
  return pairs;
}

/** Whether two expressions are equal for all values of their variables at which both are real. */
export function sameValue(a: Expression, b: Expression): boolean {
  const variables = new Map<string, string>();
  const [left, right] = [print(a, variables), print(b, variables)];
  const names = [...variables.values()];
  if (names.length === 0) {
    const [first, second] = [computingReals(left)(), computingReals(right)()];
    return first && second ? close(first, second) : comparing(left, right)({}) === true;
  }
  const pairs = realPairs(left, right, names, ([x, y]) => !close(x, y));
  if (pairs.length >= enough) return pairs.every(([x, y]) => close(x, y));
  const sameAt = comparing(left, right);
  const found = [...randomPoints(names)].flatMap((scope) => sameAt(scope) ?? []);
  return found.length >= enough && found.every((same) => same);
}

/** Whether two expressions have the same value: as exact fractions where both are, else as {@link sameValue}. */
export function sameExpression(a: Expression, b: Expression): boolean {
  const [left, right] = [exactValue(a), exactValue(b)];
  return left && right ? equal(left, right) : sameValue(a, b);
}

/** The real value in double precision; undefined for what has variables or is not real. */
export function numberOf(expression: Expression): number | undefined {
  const variables = new Map<string, string>();
  const text = print(expression, variables);
  return variables.size > 0 ? undefined : computingReals(text)()?.toNumber();
}

/**
 * Whether `a` and `b` are the same but for a constant factor that is not 0, so that `a = 0` and `b = 0` are the same equation.
 *
 * @returns the sign of the factor; 0 when they are not
 */
export function proportion(a: Expression, b: Expression): -1 | 0 | 1 {
  const variables = new Map<string, string>();
  const [left, right] = [print(a, variables), print(b, variables)];
  if (variables.size === 0) return 0;
  const apart = ([x, y]: readonly [BigNumber, BigNumber], [first, second]: readonly [BigNumber, BigNumber]) =>
    first.isZero() || second.isZero() || !close(x, y.times(first.div(second)));
  const pairs = realPairs(left, right, [...variables.values()], apart);
  const [first] = pairs;
  if (!first || pairs.length < enough || pairs.some((pair) => apart(pair, first))) return 0;
  const ratio = first[0].div(first[1]);
  return ratio.isNegative() ? -1 : 1;
}
