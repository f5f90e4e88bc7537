/** Runs the syntax tree, with jinja2's scopes: what is set inside of a loop, a macro or a block ends with it. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { applyFilter, holdsTest } from './filters.ts';
import { attributeOf, itemOf, sliceOf } from './members.ts';
import { arithmetic, signed } from './operators.ts';
import type { Arguments, Comparison, Expression, Filter, Signature, Statement, Target } from './syntax.ts';
import {
  Callable,
  compare,
  contains,
  Dict,
  defined,
  equal,
  iterate,
  List,
  type Named,
  Namespace,
  Tuple,
  text,
  truth,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** Macros and recursive loops inside of each other. */
const DEEPEST = 100;

export class Scope {
  private readonly variables = new Map<string, Value>();

  constructor(private readonly outer?: Scope) {}

  get(name: string): Value {
    const value = this.variables.get(name);
    if (value !== undefined) return value;
    return this.outer === undefined ? new Undefined(name) : this.outer.get(name);
  }

  set(name: string, value: Value): void {
    this.variables.set(name, value);
  }
}

/** What ends the body of a loop before its end. */
type Jump = 'break' | 'continue' | undefined;

type Loop = Extract<Statement, { kind: 'for' }>;

export class Interpreter {
  private depth = 0;

  /** The text that statements print. */
  print(body: readonly Statement[], scope: Scope): string {
    const out: string[] = [];
    this.run(body, scope, out);
    return out.join('');
  }

  private write(value: string, out: string[]): void {
    spendText(value.length);
    out.push(value);
  }

  private run(body: readonly Statement[], scope: Scope, out: string[]): Jump {
    for (const statement of body) {
      const jump = this.statement(statement, scope, out);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  private statement(statement: Statement, scope: Scope, out: string[]): Jump {
    spendSteps();
    switch (statement.kind) {
      case 'text':
        this.write(statement.text, out);
        return undefined;
      case 'print':
        this.write(text(this.value(statement.value, scope)), out);
        return undefined;
      case 'if': {
        const chosen = statement.branches.find(({ test }) => truth(this.value(test, scope)));
        return this.run(chosen?.body ?? statement.otherwise, scope, out);
      }
      case 'for':
        this.loop(statement, this.value(statement.iterable, scope), scope, out, 0);
        return undefined;
      case 'set':
        this.assign(statement.target, this.value(statement.value, scope), scope);
        return undefined;
      case 'setBlock': {
        const inner = new Scope(scope);
        this.assign(
          statement.target,
          this.filtered(this.print(statement.body, inner), statement.filters, inner),
          scope,
        );
        return undefined;
      }
      case 'filterBlock': {
        const inner = new Scope(scope);
        this.write(text(this.filtered(this.print(statement.body, inner), statement.filters, inner)), out);
        return undefined;
      }
      case 'with': {
        const inner = new Scope(scope);
        for (const [target, value] of statement.values) this.assign(target, this.value(value, scope), inner);
        return this.run(statement.body, inner, out);
      }
      case 'macro':
        scope.set(statement.name, this.macro(statement.name, statement.signature, scope));
        return undefined;
      case 'callBlock': {
        const [args, named] = this.args(statement.call.args, scope);
        const caller = this.macro('caller', statement.signature, scope, true);
        const callee = this.value(statement.call.callee, scope);
        this.write(text(this.call(callee, args, new Map([...named, ['caller', caller]]))), out);
        return undefined;
      }
      case 'generation':
        return this.run(statement.body, new Scope(scope), out);
      case 'break':
      case 'continue':
        return statement.kind;
    }
  }

  private filtered(value: Value, filters: readonly Filter[], scope: Scope): Value {
    return filters.reduce((current, { name, args }) => applyFilter(name, current, ...this.args(args, scope)), value);
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value);
    else if (target.kind === 'member') {
      const object = scope.get(target.object);
      if (!(object instanceof Namespace)) throw new JinjaError(`${target.object} is no namespace`);
      object.members.set(target.name, value);
    } else {
      const values = iterate(defined(value));
      if (values.length !== target.items.length) {
        throw new JinjaError(`there are ${values.length} values for ${target.items.length} names`);
      }
      for (const [i, item] of target.items.entries()) this.assign(item, values[i], scope);
    }
  }

  private loop(statement: Loop, iterable: Value, outer: Scope, out: string[], depth: number): void {
    const { target, test, body } = statement;
    let items = iterate(iterable);
    if (test !== undefined) {
      items = items.filter((item) => {
        const scope = new Scope(outer);
        this.assign(target, item, scope);
        return truth(this.value(test, scope));
      });
    }
    let changed: readonly Value[] | undefined;
    for (const [i, item] of items.entries()) {
      const scope = new Scope(outer);
      const member = (name: string): Value | undefined => {
        switch (name) {
          case 'index':
            return BigInt(i + 1);
          case 'index0':
            return BigInt(i);
          case 'revindex':
            return BigInt(items.length - i);
          case 'revindex0':
            return BigInt(items.length - i - 1);
          case 'first':
            return i === 0;
          case 'last':
            return i === items.length - 1;
          case 'length':
            return BigInt(items.length);
          case 'depth':
            return BigInt(depth + 1);
          case 'depth0':
            return BigInt(depth);
          case 'previtem':
            return i > 0 ? items[i - 1] : new Undefined('the item before the first');
          case 'nextitem':
            return i + 1 < items.length ? items[i + 1] : new Undefined('the item behind the last');
          case 'cycle':
            return new Callable('cycle', (values) => {
              if (values.length === 0) throw new JinjaError('there is nothing to cycle through');
              return values[i % values.length];
            });
          case 'changed':
            return new Callable('changed', (values) => {
              const same = changed !== undefined && equal(new Tuple(changed), new Tuple(values));
              changed = values;
              return !same;
            });
        }
        return undefined;
      };
      const again = ([children = null]: readonly Value[]): Value => {
        if (!statement.recursive) throw new JinjaError('a loop calls itself without being recursive');
        return this.deeper(() => {
          const inner: string[] = [];
          this.loop(statement, children, outer, inner, depth + 1);
          return inner.join('');
        });
      };
      scope.set('loop', new Callable('loop', again, member));
      this.assign(target, item, scope);
      spendSteps();
      if (this.run(body, scope, out) === 'break') break;
    }
    if (items.length === 0) this.run(statement.otherwise, new Scope(outer), out);
  }

  private deeper<T>(run: () => T): T {
    if (this.depth >= DEEPEST) throw new JinjaError(`it calls itself more than ${DEEPEST} times`);
    this.depth++;
    try {
      return run();
    } finally {
      this.depth--;
    }
  }

  private macro(name: string, { parameters, body, uses }: Signature, outer: Scope, ofCall = false): Callable {
    const given = new Set(parameters.map((parameter) => parameter.name));
    const collects = (what: string) => uses.has(what) && !given.has(what);
    const call = (args: readonly Value[], named: Named): Value =>
      this.deeper(() => {
        const scope = new Scope(outer);
        const rest = new Map(named);
        const caller = rest.get('caller');
        const isParameter = parameters.some((parameter) => parameter.name === 'caller');
        if (!isParameter) rest.delete('caller');
        if (!isParameter && uses.has('caller')) scope.set('caller', caller ?? new Undefined('caller'));
        // All names first: a default must not see a name of outside that a later parameter hides.
        for (const parameter of parameters) scope.set(parameter.name, new Undefined(`the parameter ${parameter.name}`));
        for (const [i, parameter] of parameters.entries()) {
          const value = i < args.length ? args[i] : rest.get(parameter.name);
          if (i >= args.length) rest.delete(parameter.name);
          if (value !== undefined) scope.set(parameter.name, value);
          else if (parameter.default !== undefined) scope.set(parameter.name, this.value(parameter.default, scope));
        }
        if (collects('varargs')) scope.set('varargs', new Tuple(args.slice(parameters.length)));
        else if (args.length > parameters.length) throw new JinjaError(`the macro ${name} has too many arguments`);
        if (collects('kwargs')) scope.set('kwargs', new Dict(rest));
        else if (rest.size > 0) throw new JinjaError(`the macro ${name} has no parameter ${[...rest.keys()][0]}`);
        return this.print(body, scope);
      });
    const about = (part: string): Value | undefined => {
      switch (part) {
        case 'name':
          return ofCall ? null : name;
        case 'arguments':
          return new Tuple([...given]);
        case 'caller':
          return uses.has(part);
        case 'catch_kwargs':
        case 'catch_varargs':
          return collects(part.slice('catch_'.length));
      }
      return undefined;
    };
    return new Callable(name, call, about);
  }

  private args({ positional, named, spread, spreadNamed }: Arguments, scope: Scope): [Value[], Named] {
    const args = positional.map((arg) => this.value(arg, scope));
    if (spread !== undefined) args.push(...iterate(this.value(spread, scope)));
    const all = new Map(named.map(([name, value]) => [name, this.value(value, scope)]));
    if (spreadNamed !== undefined) {
      const more = this.value(spreadNamed, scope);
      if (!(more instanceof Dict)) throw new JinjaError(`** needs a dict, not a ${typeName(more)}`);
      for (const [key, value] of more.entries.values()) all.set(text(key), value);
    }
    return [args, all];
  }

  private call(callee: Value, args: readonly Value[], named: Named): Value {
    if (!(callee instanceof Callable)) throw new JinjaError(`a ${typeName(defined(callee))} cannot be called`);
    return callee.call(args, named);
  }

  private value(expression: Expression, scope: Scope): Value {
    spendSteps();
    switch (expression.kind) {
      case 'constant':
        return expression.value;
      case 'name':
        return scope.get(expression.name);
      case 'list':
        return new List(expression.items.map((item) => this.value(item, scope)));
      case 'tuple':
        return new Tuple(expression.items.map((item) => this.value(item, scope)));
      case 'dict':
        return new Dict(
          expression.pairs.map(([key, value]) => [this.value(key, scope), this.value(value, scope)] as const),
        );
      case 'attribute':
        return attributeOf(this.value(expression.object, scope), expression.name);
      case 'item': {
        const { key } = expression;
        const object = this.value(expression.object, scope);
        if (key.kind !== 'slice') return itemOf(object, this.value(key, scope));
        const end = (bound: Expression | undefined) => (bound === undefined ? null : this.value(bound, scope));
        return sliceOf(object, end(key.start), end(key.stop), end(key.step));
      }
      case 'call':
        return this.call(this.value(expression.callee, scope), ...this.args(expression.args, scope));
      case 'filter':
        return applyFilter(
          expression.name,
          this.value(expression.operand, scope),
          ...this.args(expression.args, scope),
        );
      case 'test':
        return holdsTest(expression.name, this.value(expression.operand, scope), this.args(expression.args, scope)[0]);
      case 'not':
        return !truth(this.value(expression.operand, scope));
      case 'sign':
        return signed(this.value(expression.operand, scope), expression.operator);
      case 'arithmetic':
        return arithmetic(this.value(expression.left, scope), this.value(expression.right, scope), expression.operator);
      case 'concat': {
        const parts = expression.parts.map((part) => text(this.value(part, scope)));
        spendText(parts.reduce((n, part) => n + part.length, 0));
        return parts.join('');
      }
      case 'and':
      case 'or': {
        const left = this.value(expression.left, scope);
        return truth(left) === (expression.kind === 'and') ? this.value(expression.right, scope) : left;
      }
      case 'compare': {
        let left = this.value(expression.first, scope);
        for (const [operator, operand] of expression.rest) {
          const right = this.value(operand, scope);
          if (!holds(operator, left, right)) return false;
          left = right;
        }
        return true;
      }
      case 'condition':
        if (truth(this.value(expression.test, scope))) return this.value(expression.consequent, scope);
        return expression.otherwise === undefined
          ? new Undefined('the else of an if')
          : this.value(expression.otherwise, scope);
    }
  }
}

function holds(operator: Comparison, left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>':
      return compare(left, right) > 0;
    case '>=':
      return compare(left, right) >= 0;
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
  }
}
