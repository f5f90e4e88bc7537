/**
 * From a template to tokens, as jinja2's lexer does it with `trim_blocks` and `lstrip_blocks`, which chat templates are
 * written for: CRLF is one line break, the last line break of the file does not count.
 */
import { JinjaError } from './errors.ts';

export interface Token {
  /** `data` is text outside of tags; `op` an operator or a bracket; `begin` and `end` enclose a tag or an expression. */
  readonly type: 'data' | 'name' | 'string' | 'int' | 'float' | 'op' | 'begin' | 'end' | 'eof';
  /** The text; unescaped for a string. `{%` or `{{` for `begin` and `end`. */
  readonly value: string;
  readonly line: number;
}

const WHITE = /\s+/y;
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]+/uy;
const STRING = /'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)"/sy;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSING: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

const RAW_BEGIN = /\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})/y;
const RAW_END = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;
const COMMENT_END = /\+#\}|-#\}\s*|#\}\n?/g;
const TAG_END = { '{%': /\+%\}|-%\}\s*|%\}\n?/y, '{{': /-\}\}\s*|\}\}/y } as const;

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** A Python string literal without its quotes. An escape that Python does not know stays as it is. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|(.))/gs,
    (all, x?: string, u?: string, long?: string, octal?: string, simple?: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) {
        const code = Number.parseInt(hex, 16);
        if (code > 0x10ffff) throw new JinjaError(`${all} is no character`);
        return String.fromCodePoint(code);
      }
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      return ESCAPES[simple ?? ''] ?? all;
    },
  );
}

function matchAt(regex: RegExp, source: string, at: number): RegExpExecArray | null {
  regex.lastIndex = at;
  return regex.exec(source);
}

class Lexer {
  private readonly source: string;
  private readonly tokens: Token[] = [];
  private at = 0;
  private line = 1;
  private counted = 0;

  constructor(template: string) {
    this.source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  }

  run(): Token[] {
    const { source } = this;
    const opening = /\{[%{#]/g;
    while (this.at < source.length) {
      opening.lastIndex = this.at;
      const found = opening.exec(source);
      if (found === null) break;
      const [open] = found;
      const sign = source[found.index + 2];
      this.text(found.index, sign, open !== '{{');
      this.at = found.index;
      if (open === '{#') this.comment();
      else if (open === '{%' && matchAt(RAW_BEGIN, source, this.at) !== null) this.raw();
      else this.tag(open === '{%' ? '{%' : '{{', sign);
    }
    if (this.at < source.length) this.push('data', source.slice(this.at));
    this.push('eof', '');
    return this.tokens;
  }

  private push(type: Token['type'], value: string): void {
    for (; this.counted < this.at; this.counted++) if (this.source[this.counted] === '\n') this.line++;
    this.tokens.push({ type, value, line: this.line });
  }

  private fail(problem: string): never {
    throw new JinjaError(`${problem} (line ${this.source.slice(0, this.at).split('\n').length})`);
  }

  /** Text up to a tag, less the white space that the tag takes. */
  private text(end: number, sign: string | undefined, isBlock: boolean): void {
    let text = this.source.slice(this.at, end);
    if (sign === '-') text = text.trimEnd();
    else if (sign !== '+' && isBlock) {
      const start = text.lastIndexOf('\n') + 1;
      const startsLine = start > 0 || this.at === 0 || this.source[this.at - 1] === '\n';
      if (startsLine && text.slice(start).trim() === '') text = text.slice(0, start);
    }
    if (text !== '') this.push('data', text);
  }

  private comment(): void {
    COMMENT_END.lastIndex = this.at + 2;
    const end = COMMENT_END.exec(this.source);
    if (end === null) this.fail('a comment has no end');
    this.at = end.index + end[0].length;
  }

  private raw(): void {
    const begin = matchAt(RAW_BEGIN, this.source, this.at);
    this.at += begin?.[0].length ?? 0;
    RAW_END.lastIndex = this.at;
    const end = RAW_END.exec(this.source);
    if (end === null) this.fail('raw has no endraw');
    this.text(end.index, end[1], true);
    this.at = end.index + end[0].length;
  }

  private tag(open: '{%' | '{{', sign: string | undefined): void {
    const { source } = this;
    this.push('begin', open);
    this.at += 2;
    if (sign === '-' || (sign === '+' && open === '{%')) this.at++;
    const brackets: string[] = [];
    for (;;) {
      const end = brackets.length === 0 ? matchAt(TAG_END[open], source, this.at) : null;
      if (end !== null) {
        this.push('end', open);
        this.at += end[0].length;
        return;
      }
      if (this.at >= source.length) this.fail(`${open} has no end`);
      const white = matchAt(WHITE, source, this.at);
      if (white !== null) {
        this.at += white[0].length;
        continue;
      }
      this.at += this.token(brackets).length;
    }
  }

  private token(brackets: string[]): string {
    const { source, at } = this;
    const float = matchAt(FLOAT, source, at);
    if (float !== null) {
      this.push('float', float[0].replaceAll('_', ''));
      return float[0];
    }
    const integer = matchAt(INTEGER, source, at);
    if (integer !== null) {
      this.push('int', integer[0].replaceAll('_', '').toLowerCase());
      return integer[0];
    }
    const name = matchAt(NAME, source, at);
    if (name !== null) {
      this.push('name', name[0]);
      return name[0];
    }
    const string = matchAt(STRING, source, at);
    if (string !== null) {
      this.push('string', unescaped(string[1] ?? string[2] ?? ''));
      return string[0];
    }
    const operator = matchAt(OPERATOR, source, at)?.[0];
    if (operator === undefined) this.fail(`${JSON.stringify(source[at])} is not expected`);
    if ('([{'.includes(operator)) brackets.push(operator);
    const opening = CLOSING[operator];
    if (opening !== undefined && brackets.pop() !== opening) this.fail(`${operator} closes nothing`);
    this.push('op', operator);
    return operator;
  }
}

/** The tokens of a template, the last of them `eof`. Throws {@link JinjaError}. */
export function tokenize(template: string): Token[] {
  return new Lexer(template).run();
}
