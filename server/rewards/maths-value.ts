import { all, create, type MathJsInstance } from 'mathjs';
import { Random } from '../random.ts';
import type { Expression } from './maths-expression.ts';

/**
 * Equality of expressions by their values, computed by mathjs: constants with 64 digits, expressions in variables at
 * random points. Not a proof; a wrong "equal" needs two different expressions that agree to 1e-8 at all points.
 *
 * mathjs is given only text printed from our own tree, with variables renamed, so no answer reaches its other functions.
 * A call can take long (a huge factorial); it belongs in a helper process with a time limit.
 */

const doubles = create(all ?? {}, {});
const digits64 = create(all ?? {}, { number: 'BigNumber', precision: 64 });

const points = 24;
const enough = 4;
const tolerance = 1e-8;

const plain: Readonly<Record<string, string>> = {
  arcsin: 'asin',
  arccos: 'acos',
  arctan: 'atan',
  ln: 'log',
  factorial: 'factorial',
  lg: 'log10',
};

/** Prints for mathjs. `log` without a base is the natural logarithm, as mathematicians write it. */
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
    if (!Number.isFinite(re) || !Number.isFinite(im)) return undefined;
    return Math.abs(im) <= 1e-12 * Math.abs(re) ? { re, im: 0 } : { re, im };
  }
  if (digits64.isBigNumber(value)) return asComplex(value.toNumber());
  return undefined;
}

function near(a: Complex, b: Complex): boolean {
  const scale = Math.max(Math.hypot(a.re, a.im), Math.hypot(b.re, b.im));
  return Math.hypot(a.re - b.re, a.im - b.im) <= tolerance * scale;
}

function compute(math: MathJsInstance, text: string, scope: Record<string, number>): unknown {
  try {
    return math.evaluate(text, { ...scope });
  } catch {
    return undefined; // outside the domain of a function
  }
}

function sameConstants(a: string, b: string): boolean {
  const [left, right] = [compute(digits64, a, {}), compute(digits64, b, {})];
  if (digits64.isBigNumber(left) && digits64.isBigNumber(right)) {
    if (!left.isFinite() || !right.isFinite()) return false;
    const scale = digits64.bignumber('1e-40').times(left.abs().plus(right.abs()));
    return left.minus(right).abs().lte(scale);
  }
  const [first, second] = [asComplex(compute(doubles, a, {})), asComplex(compute(doubles, b, {}))];
  return first !== undefined && second !== undefined && near(first, second);
}

/** Pairs of values at random points of both signs: the points where both are real if there are enough, else all. */
function samples(a: string, b: string, names: Iterable<string>): [Complex, Complex][] {
  const random = new Random(20250321);
  const both: [Complex, Complex][] = [];
  const variables = [...names];
  for (let i = 0; i < points; i += 1) {
    const scope: Record<string, number> = {};
    // The first third is positive, where roots and logarithms are real.
    for (const name of variables) {
      const size = 0.3 + 2.7 * random.uniform();
      scope[name] = i >= points / 3 && random.uniform() < 0.5 ? -size : size;
    }
    const [left, right] = [asComplex(compute(doubles, a, scope)), asComplex(compute(doubles, b, scope))];
    if (left && right) both.push([left, right]);
  }
  const real = both.filter(([left, right]) => left.im === 0 && right.im === 0);
  return real.length >= enough ? real : both;
}

/** Whether two expressions are equal for all values of their variables at which both are real. */
export function sameValue(a: Expression, b: Expression): boolean {
  const variables = new Map<string, string>();
  const [left, right] = [print(a, variables), print(b, variables)];
  if (variables.size === 0) return sameConstants(left, right);
  const pairs = samples(left, right, variables.values());
  return pairs.length >= enough && pairs.every(([x, y]) => near(x, y));
}

/** Whether `a = 0` and `b = 0` are the same equation: one side is a constant non-zero multiple of the other. */
export function sameEquation(a: Expression, b: Expression): boolean {
  const variables = new Map<string, string>();
  const [left, right] = [print(a, variables), print(b, variables)];
  const pairs = samples(left, right, variables.values()).filter(([x, y]) => x.im === 0 && y.im === 0);
  const [first] = pairs;
  if (!first || variables.size === 0 || pairs.length < enough || first[0].re === 0 || first[1].re === 0) return false;
  const ratio = first[0].re / first[1].re;
  return pairs.every(([x, y]) => near(x, { re: y.re * ratio, im: 0 }));
}
