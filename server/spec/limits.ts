/**
 * How much a spec may hold. A parser of YAML descends as deep as its text, takes a while for each mark in it and follows every
 * alias: what is too much is found out before, by a lexer that neither descends nor looks back.
 */
import { Lexer } from 'yaml';

export const specLimits = {
  /** UTF-16 units; bytes of a file. */
  characters: 131_072,
  /** Words and marks, as the lexer tells them apart. */
  tokens: 4_000,
  /** Mappings and lists inside each other; a little more is counted than there is. */
  depth: 64,
  aliases: 50,
  /** Characters of a tag, such as `!!str`: the parser goes over them again and again. */
  tag: 100,
  /** Values, those behind aliases counted each time. */
  values: 3_000,
  problems: 100,
} as const;

/** What is too much, and where it becomes so. */
export interface Excess {
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

/** What a comment, a line end or blanks cost beside a word. */
const blankWeight = 1 / 4;
// What the lexer puts before the text of a scalar.
const scalarFollows = '\u001f';

/** What of a text is too much for a spec; undefined where it can be parsed without a worry. Never looks further than that. */
export function excess(text: string): Excess | undefined {
  const { characters, tokens, depth, aliases, tag } = specLimits;
  if (text.length > characters) {
    const message = `A run spec should have at most ${characters} characters and has ${text.length}`;
    return { ...firstLine(text), message };
  }
  const nesting = new Nesting();
  const counted = { tokens: 0, aliases: 0, offset: 0 };
  let scalar = false;
  for (const token of new Lexer().lex(text)) {
    const at = { start: counted.offset, end: Math.min(counted.offset + 1, text.length) };
    const isScalar = scalar;
    scalar = token === scalarFollows;
    // Marks of the lexer itself are not in the text.
    if (!scalar && token !== '\u0002' && token !== '\u0018') counted.offset += token.length;
    counted.tokens += scalar || /^[\s#]/.test(token) ? blankWeight : 1;
    if (counted.tokens > tokens) return { ...at, message: `A run spec should have at most ${tokens} words and marks` };
    if (isScalar) nesting.pass(token);
    else if (nesting.enter(token) > depth) {
      return { ...at, message: `A run spec should be nested at most ${depth} deep` };
    } else if (token.startsWith('*') && ++counted.aliases > aliases) {
      return { ...at, message: `A run spec should have at most ${aliases} aliases` };
    } else if (token.startsWith('!') && token.length > tag) {
      return { ...at, message: `A tag should have at most ${tag} characters` };
    }
  }
  return undefined;
}

function firstLine(text: string): { start: number; end: number } {
  const end = text.slice(0, 100).search(/[\r\n]/);
  return { start: 0, end: Math.max(end < 0 ? Math.min(text.length, 100) : end, 1) };
}

/** How deep a text is at most, token by token. */
class Nesting {
  /** Columns at which something has begun that the next lines may belong to. */
  private columns: number[] = [];
  /** For each open bracket the marks since its last comma: each may hold what is behind it. */
  private brackets: number[] = [];
  private inBrackets = 0;
  private column = 0;
  private lineBegins = true;

  /** What is not a mark. */
  pass(text: string): void {
    const end = text.lastIndexOf('\n');
    if (end >= 0) {
      this.column = text.length - end - 1;
      this.lineBegins = this.column === 0;
      return;
    }
    if (text !== '' && this.lineBegins && text.trim() !== '') this.begin();
    this.column += text.length;
  }

  /** @returns the depth behind the token */
  enter(token: string): number {
    const top = this.brackets.length - 1;
    if (token === '[' || token === '{') {
      this.brackets.push(0);
      this.inBrackets++;
    } else if (top >= 0) {
      if (token === ']' || token === '}') this.inBrackets -= 1 + (this.brackets.pop() ?? 0);
      else if (token === ',') {
        this.inBrackets -= this.brackets[top];
        this.brackets[top] = 0;
      } else if (token === ':' || token === '?' || token === '-') {
        this.brackets[top]++;
        this.inBrackets++;
      }
    } else if (token === ':' || token === '?' || token === '-') {
      if (this.lineBegins) this.begin();
      if (this.columns.at(-1) !== this.column) this.columns.push(this.column);
    }
    this.pass(token);
    return this.columns.length + this.inBrackets;
  }

  /** The first word of a line: what stands further to the right has ended. */
  private begin(): void {
    this.lineBegins = false;
    while ((this.columns.at(-1) ?? -1) > this.column) this.columns.pop();
    if (this.brackets.length === 0 && this.columns.at(-1) !== this.column) this.columns.push(this.column);
  }
}
