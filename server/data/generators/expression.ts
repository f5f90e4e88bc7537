/** Arithmetic on whole numbers, never negative and never a fraction, with its spelling and its steps. */
export type Operator = '+' | '-' | '*' | '/';

export interface Term {
  readonly value: number;
  readonly text: string;
  /** What binds the text together: a number, a product or a sum. */
  readonly kind: 'number' | 'product' | 'sum';
  /** The calculations in order, such as `3 * 4 = 12`. */
  readonly steps: readonly string[];
}

export function numberTerm(value: number): Term {
  return { value, text: String(value), kind: 'number', steps: [] };
}

/** `left operator right`, or `undefined` where the result would be negative or no whole number. */
export function combine(left: Term, operator: Operator, right: Term): Term | undefined {
  const value = apply(left.value, operator, right.value);
  if (value === undefined) return undefined;
  const sum = operator === '+' || operator === '-';
  const wrap = (term: Term, needed: boolean) => (needed ? `(${term.text})` : term.text);
  const leftText = wrap(left, !sum && left.kind === 'sum');
  const rightText = wrap(
    right,
    operator === '-'
      ? right.kind === 'sum'
      : operator === '*'
        ? right.kind === 'sum'
        : operator === '/' && right.kind !== 'number',
  );
  return {
    value,
    text: `${leftText} ${operator} ${rightText}`,
    kind: sum ? 'sum' : 'product',
    steps: [...left.steps, ...right.steps, `${left.value} ${operator} ${right.value} = ${value}`],
  };
}

function apply(a: number, operator: Operator, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a >= b ? a - b : undefined;
    case '*':
      return a * b;
    case '/':
      return b !== 0 && a % b === 0 ? a / b : undefined;
  }
}

/**
 * The value of `numbers[0] operators[0] numbers[1] ...` without parentheses, products before sums; `undefined` where a
 * product is no whole number. Sums may be negative on the way and at the end.
 */
export function evaluateFlat(numbers: readonly number[], operators: readonly Operator[]): number | undefined {
  let sum = 0;
  let sign = 1;
  let product = numbers[0];
  for (let i = 0; i < operators.length; i++) {
    const operator = operators[i];
    const next = numbers[i + 1];
    if (operator === '+' || operator === '-') {
      sum += sign * product;
      sign = operator === '+' ? 1 : -1;
      product = next;
    } else {
      const value = apply(product, operator, next);
      if (value === undefined) return undefined;
      product = value;
    }
  }
  return sum + sign * product;
}
