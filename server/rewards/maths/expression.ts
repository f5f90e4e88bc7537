import { lookup } from '../lookup.ts';
import { add, divide, equal, integer, multiply, negate, parseDecimal, power, type Rational, root } from './rational.ts';
import { functions, type Token } from './tokens.ts';

/** A maths expression read from LaTeX or plain text. */
export type Expression =
  | { kind: 'number'; value: Rational }
  | { kind: 'symbol'; name: string }
  | { kind: 'constant'; name: 'pi' | 'e' | 'i' }
  | { kind: 'negative'; of: Expression }
  | { kind: 'operation'; sign: '+' | '-' | '*' | '/' | '^'; left: Expression; right: Expression }
  | { kind: 'call'; name: string; of: Expression; second?: Expression };

const maxDepth = 60;

class Unreadable extends Error {}

/**
 * Reads an expression: arithmetic, `\frac` `\sqrt` `\binom`, powers, functions, absolute value, floor and ceiling, factorial,
 * subscripts, mixed numbers, repeating decimals, degrees, implied multiplication. Words are names of quantities.
 *
 * @returns undefined when the tokens are not such an expression
 */
export function parseExpression(tokens: readonly Token[]): Expression | undefined {
  if (tokens.length === 0) return undefined;
  const pieces: string[] = [];
  for (const { kind, text } of tokens) {
    if (kind === 'begin' || kind === 'end') return undefined;
    pieces.push(kind === 'word' ? `"${text}` : text);
  }
  try {
    return new Parser(pieces).whole();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** The value of a number's text, repeating decimals such as `0.1⟮6⟯` included. */
function numberValue(piece: string): Rational | undefined {
  const match = /^(\d*)\.(\d*)⟮(\d+)⟯$/.exec(piece);
  if (!match) return parseDecimal(piece);
  const [, whole = '', fixed = '', repeated = ''] = match;
  if (piece.length > 200) return undefined;
  const all = BigInt(`${whole}${fixed}${repeated}`) - BigInt(`0${whole}${fixed}`);
  const nines = (10n ** BigInt(repeated.length) - 1n) * 10n ** BigInt(fixed.length);
  return divide(integer(all), integer(nines));
}

const isNumber = (piece: string | undefined): piece is string => piece !== undefined && /^[\d.]/.test(piece);

class Parser {
  private next = 0;
  private depth = 0;
  private bars = 0;

  constructor(private readonly tokens: string[]) {}

  whole(): Expression {
    const value = this.sum();
    if (this.next < this.tokens.length) throw new Unreadable();
    return value;
  }

  private peek(ahead = 0): string | undefined {
    return this.tokens[this.next + ahead];
  }

  private take(): string {
    const piece = this.tokens[this.next];
    if (piece === undefined) throw new Unreadable();
    this.next += 1;
    return piece;
  }

  private expect(piece: string): void {
    if (this.take() !== piece) throw new Unreadable();
  }

  private nested<T>(read: () => T): T {
    this.depth += 1;
    if (this.depth > maxDepth) throw new Unreadable();
    const value = read();
    this.depth -= 1;
    return value;
  }

  private sum(): Expression {
    return this.nested(() => {
      let left = this.product();
      for (let sign = this.peek(); sign === '+' || sign === '-'; sign = this.peek()) {
        this.next += 1;
        left = { kind: 'operation', sign, left, right: this.product() };
      }
      return left;
    });
  }

  private product(): Expression {
    let left = this.signed();
    for (;;) {
      const sign = this.peek();
      if (sign === '*' || sign === '/') {
        this.next += 1;
        left = { kind: 'operation', sign, left, right: this.signed() };
      } else if (this.startsFactor()) left = { kind: 'operation', sign: '*', left, right: this.raised() };
      else return left;
    }
  }

  private startsFactor(): boolean {
    const piece = this.peek();
    if (piece === undefined || /^[\d.]/.test(piece)) return false; // two numbers side by side have no agreed meaning
    if (piece === '|') return this.bars === 0;
    if (piece.startsWith('"')) return true;
    return /^[A-Za-z([{\\]/.test(piece) && !ends.has(piece);
  }

  private signed(): Expression {
    const piece = this.peek();
    if (piece !== '-' && piece !== '+') return this.raised();
    return this.nested(() => {
      this.next += 1;
      const of = this.signed();
      return piece === '-' ? { kind: 'negative', of } : of;
    });
  }

  /** An atom with its powers, factorials and degree signs. */
  private raised(): Expression {
    let base = this.atom();
    for (;;) {
      if (this.peek() === '!') {
        this.next += 1;
        base = { kind: 'call', name: 'factorial', of: base };
      } else if (this.peek() === '^') {
        this.next += 1;
        base = { kind: 'operation', sign: '^', left: base, right: this.exponent() };
      } else if (this.peek() === '°') {
        this.next += 1;
        base = { kind: 'operation', sign: '*', left: base, right: degree };
      } else return base;
    }
  }

  private exponent(): Expression {
    return this.nested(() => {
      if (this.peek() === '-') {
        this.next += 1;
        return { kind: 'negative', of: this.exponent() };
      }
      const base = this.atom();
      if (this.peek() !== '^') return base;
      this.next += 1;
      return { kind: 'operation', sign: '^', left: base, right: this.exponent() };
    });
  }

  private group(close: string): Expression {
    const bars = this.bars;
    this.bars = 0;
    const value = this.sum();
    this.expect(close);
    this.bars = bars;
    return value;
  }

  /** The argument of a command: a group, or as in TeX the next single digit, letter or command. */
  private argument(): Expression {
    const piece = this.peek();
    if (isNumber(piece) && piece.length > 1 && /^\d+$/.test(piece)) {
      this.tokens[this.next] = piece.slice(1);
      return { kind: 'number', value: integer(BigInt(piece.charAt(0))) };
    }
    return this.atom();
  }

  private atom(): Expression {
    return this.nested(() => {
      const piece = this.take();
      if (/^[\d.]/.test(piece)) return this.number(piece);
      if (piece === '(') return this.group(')');
      if (piece === '[') return this.group(']');
      if (piece === '{') return this.group('}');
      if (piece === '\\lfloor') return { kind: 'call', name: 'floor', of: this.group('\\rfloor') };
      if (piece === '\\lceil') return { kind: 'call', name: 'ceil', of: this.group('\\rceil') };
      if (piece.startsWith('"')) return this.symbol(piece);
      if (piece === '|') {
        this.bars += 1;
        const of = this.sum();
        this.bars -= 1;
        this.expect('|');
        return { kind: 'call', name: 'abs', of };
      }
      if (piece === '\\pi') return { kind: 'constant', name: 'pi' };
      if (/^[A-Za-z]$/.test(piece)) return this.symbol(piece);
      if (piece.startsWith('\\')) return this.command(piece.slice(1));
      throw new Unreadable();
    });
  }

  private number(piece: string): Expression {
    const value = numberValue(piece);
    if (!value) throw new Unreadable();
    const whole: Expression = { kind: 'number', value };
    if (!/^\d+$/.test(piece)) return whole;
    const start = this.next;
    const fraction = this.properFraction();
    if (fraction) return { kind: 'number', value: add(value, fraction) };
    this.next = start;
    return whole;
  }

  /** What makes a mixed number of an integer before it: `\frac{1}{2}`, `\frac12` or `1/2`. */
  private properFraction(): Rational | undefined {
    const first = this.peek();
    const tail = this.tokens.slice(this.next, this.next + 7).join(' ');
    const match =
      /^\\frac \{ (\d+) \} \{ (\d+) \}/.exec(tail) ??
      /^\\frac (\d)(?: )?(\d)(?![\d.])/.exec(tail) ??
      (isNumber(first) ? /^(\d+) \/ (\d+)(?![\d.])/.exec(tail) : null);
    if (!match?.[1] || !match[2]) return undefined;
    this.next += match[0].split(' ').length;
    return divide(integer(BigInt(match[1])), integer(BigInt(match[2])));
  }

  private symbol(name: string): Expression {
    let letter = name;
    if (this.peek() === '_') {
      this.next += 1;
      let index = this.take();
      if (index === '{') {
        index = '';
        for (let piece = this.take(); piece !== '}'; piece = this.take()) index += piece;
      }
      return { kind: 'symbol', name: `${letter}_${index}` };
    }
    while (this.peek() === "'") {
      letter += "'";
      this.next += 1;
    }
    if (/^[fghFGH]'*$/.test(letter) && this.peek() === '(') return { kind: 'symbol', name: letter + this.bracketed() };
    if (letter === 'e' || letter === 'i') return { kind: 'constant', name: letter };
    return { kind: 'symbol', name: letter };
  }

  /** The pieces of a bracket, as they stand: the argument of a function that only has a name. */
  private bracketed(): string {
    let text = '';
    let depth = 0;
    do {
      const piece = this.take();
      text += piece;
      if (piece === '(') depth += 1;
      if (piece === ')') depth -= 1;
    } while (depth > 0);
    return text;
  }

  private command(name: string): Expression {
    if (name === 'frac') {
      const left = this.argument();
      return { kind: 'operation', sign: '/', left, right: this.argument() };
    }
    if (name === 'binom') {
      const of = this.argument();
      return { kind: 'call', name: 'binom', of, second: this.argument() };
    }
    if (name === 'sqrt') return this.radical();
    if (evaluated.has(name)) return this.call(name);
    if (greek.has(name)) return this.symbol(name);
    throw new Unreadable();
  }

  private radical(): Expression {
    if (this.peek() !== '[') return { kind: 'call', name: 'sqrt', of: this.argument() };
    this.next += 1;
    const second = this.group(']');
    return { kind: 'call', name: 'root', of: this.argument(), second };
  }

  private call(name: string): Expression {
    let base: Expression | undefined;
    let raisedTo: Expression | undefined;
    if (this.peek() === '_' && name === 'log') {
      this.next += 1;
      base = this.argument();
    }
    if (this.peek() === '^') {
      this.next += 1;
      raisedTo = this.exponent();
    }
    const inverse = raisedTo?.kind === 'negative' && isOne(raisedTo.of) && inverses[name];
    let of: Expression;
    const piece = this.peek();
    if (piece === '(' || piece === '{' || piece === '[') of = this.atom();
    else {
      of = this.signed();
      while (this.startsFactor() && !functions.has((this.peek() ?? '').slice(1))) {
        of = { kind: 'operation', sign: '*', left: of, right: this.raised() };
      }
    }
    const call: Expression = { kind: 'call', name: inverse || name, of, ...(base && { second: base }) };
    return raisedTo && !inverse ? { kind: 'operation', sign: '^', left: call, right: raisedTo } : call;
  }
}

/** Commands that begin no factor. */
const ends = new Set(['\\}', '\\rfloor', '\\rceil', '\\rangle']);
const inverses = lookup<string>({ sin: 'arcsin', cos: 'arccos', tan: 'arctan' });
/** Functions of one argument; those of several are names, and compared as they are written. */
const evaluated = new Set([...functions].filter((name) => !['gcd', 'lcm', 'max', 'min', 'det'].includes(name)));
const greek = new Set(
  'alpha beta gamma delta epsilon theta lambda mu nu rho sigma tau phi varphi psi omega Delta Omega'.split(' '),
);
const degree: Expression = {
  kind: 'operation',
  sign: '/',
  left: { kind: 'constant', name: 'pi' },
  right: { kind: 'number', value: integer(180n) },
};

function isOne(expression: Expression): boolean {
  return expression.kind === 'number' && equal(expression.value, integer(1n));
}

/** The exact value; undefined when the expression is not (seen to be) rational. */
export function exactValue(expression: Expression): Rational | undefined {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'symbol':
    case 'constant':
      return undefined;
    case 'negative': {
      const of = exactValue(expression.of);
      return of && negate(of);
    }
    case 'operation': {
      const left = exactValue(expression.left);
      const right = left && exactValue(expression.right);
      if (!left || !right) return undefined;
      if (expression.sign === '+') return add(left, right);
      if (expression.sign === '-') return add(left, negate(right));
      if (expression.sign === '*') return multiply(left, right);
      if (expression.sign === '/') return divide(left, right);
      if (right.bottom === 1n) return power(left, right.top);
      const base = root(left, right.bottom);
      return base && power(base, right.top);
    }
    case 'call': {
      const of = exactValue(expression.of);
      if (!of) return undefined;
      if (expression.name === 'sqrt') return root(of, 2n);
      if (expression.name === 'abs') return of.top < 0n ? negate(of) : of;
      if (expression.name === 'floor') return floor(of);
      if (expression.name === 'ceil') return negate(floor(negate(of)));
      if (expression.name === 'factorial') return factorial(of);
      const second = expression.second && exactValue(expression.second);
      if (expression.name === 'root' && second?.bottom === 1n) return root(of, second.top);
      return undefined;
    }
  }
}

function floor({ top, bottom }: Rational): Rational {
  const down = top / bottom;
  return integer(top < 0n && down * bottom !== top ? down - 1n : down);
}

function factorial(of: Rational): Rational | undefined {
  if (of.bottom !== 1n || of.top < 0n || of.top > 300n) return undefined;
  let value = 1n;
  for (let factor = 2n; factor <= of.top; factor += 1n) value *= factor;
  return integer(value);
}
