/** A place among the tokens of a template, which moves on as the grammar takes them. */
import { JinjaError } from './errors.ts';
import type { Token } from './lexer.ts';

export class Cursor {
  protected at = 0;

  constructor(protected readonly tokens: readonly Token[]) {}

  protected get here(): Token {
    return this.tokens[this.at];
  }

  protected fail(problem = `${JSON.stringify(this.here.value)} is not expected`): never {
    throw new JinjaError(`${problem} (line ${this.here.line})`);
  }

  protected is(type: Token['type'], value?: string): boolean {
    return this.here.type === type && (value === undefined || this.here.value === value);
  }

  protected skip(type: Token['type'], value?: string): boolean {
    if (!this.is(type, value)) return false;
    this.at++;
    return true;
  }

  protected expect(type: Token['type'], value?: string): Token {
    const token = this.here;
    if (!this.skip(type, value)) {
      this.fail(
        `${value ?? type} is expected instead of ${token.type === 'eof' ? 'the end' : JSON.stringify(token.value)}`,
      );
    }
    return token;
  }

  protected name(): string {
    return this.expect('name').value;
  }
}
