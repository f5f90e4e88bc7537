/** The expressions of jinja2 3.1, from tokens to the syntax tree: operators by how tightly they bind, filters, tests and calls. */
import { Cursor } from './cursor.ts';
import type { Arguments, Comparison, Expression, Filter, Operator, Slice } from './syntax.ts';

const NO_ARGUMENTS: Arguments = { positional: [], named: [], spread: undefined, spreadNamed: undefined };
export const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);
const COMPARISONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];
/** The longest whole number that is read. */
const DIGITS = 300;

export class ExpressionParser extends Cursor {
  /** Names seen inside of the macros that are open. */
  protected readonly open: Set<string>[] = [];

  /** An expression, or several with commas between. */
  protected tuple({
    conditions = true,
    ends = [],
    inParentheses = false,
  }: {
    readonly conditions?: boolean;
    readonly ends?: readonly string[];
    readonly inParentheses?: boolean;
  } = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    const atEnd = () => this.is('end') || this.is('op', ')') || ends.some((end) => this.is('name', end));
    for (;;) {
      if (atEnd()) break;
      items.push(conditions ? this.expression() : this.or());
      if (!this.skip('op', ',')) break;
      isTuple = true;
    }
    if (!isTuple && items.length === 1) return items[0];
    if (items.length === 0 && !inParentheses) this.fail('an expression is missing');
    return { kind: 'tuple', items };
  }

  protected expression(): Expression {
    let value = this.or();
    while (this.skip('name', 'if')) {
      const test = this.or();
      const otherwise = this.skip('name', 'else') ? this.expression() : undefined;
      value = { kind: 'condition', test, consequent: value, otherwise };
    }
    return value;
  }

  private or(): Expression {
    let left = this.and();
    while (this.skip('name', 'or')) left = { kind: 'or', left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.skip('name', 'and')) left = { kind: 'and', left, right: this.not() };
    return left;
  }

  private not(): Expression {
    return this.skip('name', 'not') ? { kind: 'not', operand: this.not() } : this.compare();
  }

  private compare(): Expression {
    const first = this.sum();
    const rest: [Comparison, Expression][] = [];
    for (;;) {
      const next = this.tokens[this.at + 1];
      if (this.here.type === 'op' && COMPARISONS.includes(this.here.value)) {
        const operator = this.here.value as Comparison;
        this.at++;
        rest.push([operator, this.sum()]);
      } else if (this.skip('name', 'in')) rest.push(['in', this.sum()]);
      else if (this.is('name', 'not') && next.type === 'name' && next.value === 'in') {
        this.at += 2;
        rest.push(['not in', this.sum()]);
      } else break;
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest };
  }

  private arithmetic(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.here.type === 'op' && operators.includes(this.here.value)) {
      const operator = this.here.value as Operator;
      this.at++;
      left = { kind: 'arithmetic', operator, left, right: operand() };
    }
    return left;
  }

  private sum(): Expression {
    return this.arithmetic(['+', '-'], () => this.concat());
  }

  private concat(): Expression {
    const first = this.product();
    if (!this.is('op', '~')) return first;
    const parts = [first];
    while (this.skip('op', '~')) parts.push(this.product());
    return { kind: 'concat', parts };
  }

  private product(): Expression {
    return this.arithmetic(['*', '/', '//', '%'], () => this.arithmetic(['**'], () => this.unary()));
  }

  private unary(withFilters = true): Expression {
    let value: Expression;
    if (this.is('op', '-') || this.is('op', '+')) {
      const operator = this.here.value === '-' ? '-' : '+';
      this.at++;
      value = { kind: 'sign', operator, operand: this.unary(false) };
    } else value = this.primary();
    value = this.postfix(value);
    return withFilters ? this.filtered(value) : value;
  }

  private primary(): Expression {
    const token = this.here;
    this.at++;
    switch (token.type) {
      case 'name': {
        const constant = CONSTANTS.get(token.value);
        if (constant !== undefined) return { kind: 'constant', value: constant };
        for (const uses of this.open) uses.add(token.value);
        return { kind: 'name', name: token.value };
      }
      case 'string': {
        let { value } = token;
        while (this.is('string')) value += this.expect('string').value;
        return { kind: 'constant', value };
      }
      case 'int':
        if (token.value.length > DIGITS) this.fail('a number is too long');
        return { kind: 'constant', value: BigInt(token.value) };
      case 'float':
        return { kind: 'constant', value: Number(token.value) };
      case 'op':
        if (token.value === '(') {
          const value = this.tuple({ inParentheses: true });
          this.expect('op', ')');
          return value;
        }
        if (token.value === '[') return { kind: 'list', items: this.items(']', () => this.expression()) };
        if (token.value === '{') {
          const pairs = this.items('}', (): [Expression, Expression] => {
            const key = this.expression();
            this.expect('op', ':');
            return [key, this.expression()];
          });
          return { kind: 'dict', pairs };
        }
    }
    this.at--;
    return this.fail();
  }

  private items<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.skip('op', end)) {
      if (items.length > 0) this.expect('op', ',');
      if (this.skip('op', end)) break;
      items.push(item());
    }
    return items;
  }

  private postfix(start: Expression): Expression {
    let object = start;
    for (;;) {
      if (this.skip('op', '.')) {
        const token = this.here;
        if (this.skip('int')) object = { kind: 'item', object, key: { kind: 'constant', value: BigInt(token.value) } };
        else object = { kind: 'attribute', object, name: this.name() };
      } else if (this.skip('op', '[')) {
        const keys = this.items(']', () => this.subscript());
        if (keys.length === 0) this.fail('an index is missing');
        const plain = keys.filter((key) => key.kind !== 'slice');
        if (keys.length > 1 && plain.length < keys.length) this.fail('a slice stands alone');
        object = { kind: 'item', object, key: keys.length === 1 ? keys[0] : { kind: 'tuple', items: plain } };
      } else if (this.is('op', '(')) object = { kind: 'call', callee: object, args: this.args() };
      else return object;
    }
  }

  private subscript(): Expression | Slice {
    const start = this.is('op', ':') ? undefined : this.expression();
    if (!this.skip('op', ':')) return start ?? this.fail();
    const missing = () => this.is('op', ':') || this.is('op', ']') || this.is('op', ',');
    const stop = missing() ? undefined : this.expression();
    const step = this.skip('op', ':') && !missing() ? this.expression() : undefined;
    return { kind: 'slice', start, stop, step };
  }

  private filtered(start: Expression): Expression {
    let operand = start;
    for (;;) {
      if (this.skip('op', '|')) operand = { kind: 'filter', operand, ...this.filter() };
      else if (this.skip('name', 'is')) operand = this.test(operand);
      else if (this.is('op', '(')) operand = { kind: 'call', callee: operand, args: this.args() };
      else return operand;
    }
  }

  /** Filters with `|` between; `first` says that there must be one, without `|` before it. */
  protected filters(first: boolean): Filter[] {
    const filters: Filter[] = first ? [this.filter()] : [];
    while (this.skip('op', '|')) filters.push(this.filter());
    return filters;
  }

  private filter(): Filter {
    const name = this.name();
    return { name, args: this.is('op', '(') ? this.args() : NO_ARGUMENTS };
  }

  private test(operand: Expression): Expression {
    const negated = this.skip('name', 'not');
    const name = this.name();
    let args = NO_ARGUMENTS;
    const { type, value } = this.here;
    if (type === 'op' && value === '(') args = this.args();
    else if (
      (type === 'name' && !['else', 'or', 'and', 'if', 'is', 'in', 'not', 'recursive'].includes(value)) ||
      ['string', 'int', 'float'].includes(type) ||
      (type === 'op' && (value === '[' || value === '{'))
    ) {
      args = { ...NO_ARGUMENTS, positional: [this.postfix(this.primary())] };
    }
    const test: Expression = { kind: 'test', operand, name, args };
    return negated ? { kind: 'not', operand: test } : test;
  }

  private args(): Arguments {
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let spread: Expression | undefined;
    let spreadNamed: Expression | undefined;
    this.expect('op', '(');
    this.items(')', () => {
      const next = this.tokens[this.at + 1];
      if (this.skip('op', '*')) {
        if (spread !== undefined || spreadNamed !== undefined) this.fail('there is more than one *');
        spread = this.expression();
      } else if (this.skip('op', '**')) {
        if (spreadNamed !== undefined) this.fail('there is more than one **');
        spreadNamed = this.expression();
      } else if (this.here.type === 'name' && next.type === 'op' && next.value === '=') {
        const name = this.name();
        this.at++;
        if (spreadNamed !== undefined) this.fail('** comes last');
        named.push([name, this.expression()]);
      } else {
        if (named.length > 0 || spread !== undefined || spreadNamed !== undefined)
          this.fail('an argument without a name comes before those with one');
        positional.push(this.expression());
      }
    });
    return { positional, named, spread, spreadNamed };
  }
}
