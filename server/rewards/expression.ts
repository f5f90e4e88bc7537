import { add, divide, integer, multiply, negate, type Rational } from './maths/rational.ts';

/** What an arithmetic expression comes to, and the numbers written in it in order. */
export interface Evaluated {
  value: Rational;
  numbers: bigint[];
}

const maxCharacters = 1000;
const maxDigits = 18;
const maxDepth = 100;

class Problem extends Error {}

const aliases: Readonly<Record<string, string>> = { '×': '*', '·': '*', '∗': '*', '÷': '/', '−': '-', '–': '-' };

/**
 * Evaluates `+ - * / ( )` over non-negative integers exactly, by recursive descent. Also reads the signs × · ÷ −.
 * A minus before a number or bracket is allowed; everything else (powers, decimals, names) is not.
 *
 * @returns the value, or the problem in words: bad characters, unbalanced brackets, division by zero,
 *   more than 1000 characters, numbers of more than 18 digits, more than 100 nested brackets
 */
export function evaluateExpression(text: string): Evaluated | { problem: string } {
  if (text.length > maxCharacters) return { problem: `the expression is longer than ${maxCharacters} characters` };
  const tokens: string[] = [];
  const pattern = /\s*(?:(\d+)|([-+*/()×·∗÷−–]))/y;
  const trimmed = text.trim();
  while (pattern.lastIndex < trimmed.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(trimmed);
    if (!match) return { problem: `"${trimmed.slice(at, at + 10).trim()}" is not part of an arithmetic expression` };
    const [, digits, sign = ''] = match;
    tokens.push(digits ?? aliases[sign] ?? sign);
  }
  const numbers: bigint[] = [];
  let next = 0;

  function sum(depth: number): Rational {
    let value = product(depth);
    for (;;) {
      const sign = tokens[next];
      if (sign !== '+' && sign !== '-') return value;
      next += 1;
      const term = product(depth);
      value = add(value, sign === '+' ? term : negate(term));
    }
  }

  function product(depth: number): Rational {
    let value = factor(depth);
    for (;;) {
      const sign = tokens[next];
      if (sign !== '*' && sign !== '/') return value;
      next += 1;
      const operand = factor(depth);
      if (sign === '*') value = multiply(value, operand);
      else {
        const quotient = divide(value, operand);
        if (!quotient) throw new Problem('the expression divides by zero');
        value = quotient;
      }
    }
  }

  function factor(depth: number): Rational {
    if (depth > maxDepth) throw new Problem(`more than ${maxDepth} brackets are nested`);
    const token = tokens[next];
    next += 1;
    if (token === undefined) throw new Problem('the expression ends too early');
    if (token === '-') return negate(factor(depth + 1));
    if (token === '(') {
      const value = sum(depth + 1);
      if (tokens[next] !== ')') throw new Problem('a bracket is not closed');
      next += 1;
      return value;
    }
    if (!/^\d/.test(token)) throw new Problem(`"${token}" stands where a number is expected`);
    if (token.length > maxDigits) throw new Problem(`a number has more than ${maxDigits} digits`);
    const number = BigInt(token);
    numbers.push(number);
    return integer(number);
  }

  try {
    const value = sum(0);
    const rest = tokens[next];
    return rest === undefined ? { value, numbers } : { problem: `"${rest}" is left over` };
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message };
    throw error;
  }
}
