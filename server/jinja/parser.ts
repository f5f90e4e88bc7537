/** From tokens to the syntax tree: the statements of jinja2 3.1 without inheritance, includes and imports. */
import { CONSTANTS, ExpressionParser } from './expressions.ts';
import { tokenize } from './lexer.ts';
import type { Expression, Signature, Statement, Target } from './syntax.ts';

class Parser extends ExpressionParser {
  private loops = 0;

  template(): Statement[] {
    const body = this.statements([]);
    if (this.here.type !== 'eof') this.fail();
    return body;
  }

  /** Statements up to a tag of one of these names, which is left where it is. */
  private statements(ends: readonly string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      const token = this.here;
      if (token.type === 'data') {
        body.push({ kind: 'text', text: token.value });
        this.at++;
      } else if (token.type === 'begin' && token.value === '{{') {
        this.at++;
        body.push({ kind: 'print', value: this.tuple() });
        this.expect('end');
      } else if (token.type === 'begin') {
        const next = this.tokens[this.at + 1];
        if (next.type === 'name' && ends.includes(next.value)) return body;
        this.at++;
        body.push(this.statement());
        this.expect('end');
      } else {
        if (ends.length > 0) this.fail(`${ends.join(' or ')} is missing`);
        return body;
      }
    }
  }

  /** The body of a tag and its end tag, up to the end of that. */
  private body(...ends: string[]): Statement[] {
    this.expect('end');
    return this.statements(ends);
  }

  private close(end: string): void {
    this.expect('begin');
    this.expect('name', end);
  }

  private statement(): Statement {
    const tag = this.name();
    switch (tag) {
      case 'if':
        return this.conditional();
      case 'for':
        return this.loop();
      case 'set':
        return this.assignment();
      case 'macro': {
        const name = this.name();
        return { kind: 'macro', name, signature: this.signature('endmacro', true) };
      }
      case 'call':
        return this.callBlock();
      case 'filter': {
        const filters = this.filters(true);
        const body = this.body('endfilter');
        this.close('endfilter');
        return { kind: 'filterBlock', filters, body };
      }
      case 'with':
        return this.withBlock();
      case 'generation': {
        const body = this.body('endgeneration');
        this.close('endgeneration');
        return { kind: 'generation', body };
      }
      case 'break':
      case 'continue':
        if (this.loops === 0) this.fail(`${tag} stands outside of a loop`);
        return { kind: tag };
      default:
        return this.fail(`the tag ${tag} is not supported`);
    }
  }

  private conditional(): Statement {
    const branches: { test: Expression; body: Statement[] }[] = [];
    let otherwise: Statement[] = [];
    for (;;) {
      const test = this.tuple({ conditions: false });
      branches.push({ test, body: this.body('elif', 'else', 'endif') });
      this.expect('begin');
      if (this.skip('name', 'elif')) continue;
      if (this.skip('name', 'else')) {
        otherwise = this.body('endif');
        this.expect('begin');
      }
      this.expect('name', 'endif');
      return { kind: 'if', branches, otherwise };
    }
  }

  private loop(): Statement {
    const target = this.target(['in']);
    this.expect('name', 'in');
    const iterable = this.tuple({ conditions: false, ends: ['recursive', 'if'] });
    const test = this.skip('name', 'if') ? this.expression() : undefined;
    const recursive = this.skip('name', 'recursive');
    this.loops++;
    const body = this.body('endfor', 'else');
    this.loops--;
    this.expect('begin');
    let otherwise: Statement[] = [];
    if (this.skip('name', 'else')) {
      otherwise = this.body('endfor');
      this.expect('begin');
    }
    this.expect('name', 'endfor');
    return { kind: 'for', target, iterable, test, recursive, body, otherwise };
  }

  private assignment(): Statement {
    const target = this.target([], true);
    if (this.skip('op', '=')) return { kind: 'set', target, value: this.tuple() };
    const filters = this.filters(false);
    const body = this.body('endset');
    this.close('endset');
    return { kind: 'setBlock', target, filters, body };
  }

  private withBlock(): Statement {
    const values: [Target, Expression][] = [];
    while (!this.is('end')) {
      if (values.length > 0) this.expect('op', ',');
      const target: Target = { kind: 'name', name: this.name() };
      this.expect('op', '=');
      values.push([target, this.expression()]);
    }
    const body = this.body('endwith');
    this.close('endwith');
    return { kind: 'with', values, body };
  }

  private callBlock(): Statement {
    const at = this.at;
    // The parameters of `caller` come before the call, and the body behind it.
    const parameters = this.is('op', '(') ? this.parameters() : [];
    const call = this.expression();
    if (call.kind !== 'call') {
      this.at = at;
      this.fail('call needs a call');
    }
    return { kind: 'callBlock', call, signature: this.signature('endcall', false, parameters) };
  }

  private parameters(): Signature['parameters'] {
    const parameters: { name: string; default: Expression | undefined }[] = [];
    this.expect('op', '(');
    while (!this.skip('op', ')')) {
      if (parameters.length > 0) this.expect('op', ',');
      const name = this.name();
      const initial = this.skip('op', '=') ? this.expression() : undefined;
      if (initial === undefined && parameters.at(-1)?.default !== undefined)
        this.fail(`the parameter ${name} needs a default too`);
      parameters.push({ name, default: initial });
    }
    return parameters;
  }

  private signature(end: string, named: boolean, given: Signature['parameters'] = []): Signature {
    const uses = new Set<string>();
    const loops = this.loops;
    this.loops = 0;
    this.open.push(uses);
    const parameters = named ? this.parameters() : given;
    const body = this.body(end);
    this.close(end);
    this.open.pop();
    this.loops = loops;
    if (uses.has('caller') && parameters.some((each) => each.name === 'caller' && each.default === undefined))
      this.fail('the parameter caller needs a default');
    return { parameters, body, uses };
  }

  private target(ends: readonly string[], members = false): Target {
    const one = (): Target => {
      if (this.skip('op', '(')) {
        const inner = this.target([]);
        this.expect('op', ')');
        return inner;
      }
      const name = this.name();
      if (members && this.skip('op', '.')) return { kind: 'member', object: name, name: this.name() };
      if (CONSTANTS.has(name)) this.fail(`${name} cannot be assigned to`);
      return { kind: 'name', name };
    };
    const first = one();
    if (!this.is('op', ',')) return first;
    const items = [first];
    while (this.skip('op', ',')) {
      if (this.is('end') || this.is('op', ')') || this.is('op', '=')) break;
      if (ends.some((end) => this.is('name', end))) break;
      items.push(one());
    }
    return { kind: 'targets', items };
  }
}

/** The statements of a template. Throws {@link JinjaError}. */
export function parse(template: string): Statement[] {
  return new Parser(tokenize(template)).template();
}
