import { lookup } from '../lookup.ts';
/** Tokens of a written maths answer: LaTeX and plain text in one form, so that signs beside words stay signs. */

export type TokenKind = 'number' | 'letter' | 'word' | 'command' | 'sign' | 'begin' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** A command with its backslash; a word in lower case; of `begin` and `end` the environment. */
  readonly text: string;
  /** White space stood before it. */
  readonly spaced: boolean;
  /** It stood inside `\text{...}` or the like. */
  readonly quoted: boolean;
}

/** Functions that are understood, by their LaTeX or plain name. */
export const functions = new Set(
  'sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh log ln lg exp sqrt abs floor ceil gcd lcm max min det'.split(
    ' ',
  ),
);

const otherNames = lookup<string>({
  asin: '\\arcsin',
  acos: '\\arccos',
  atan: '\\arctan',
  cosec: '\\csc',
  tg: '\\tan',
  ctg: '\\cot',
  pi: '\\pi',
  infinity: '\\infty',
  theta: '\\theta',
  alpha: '\\alpha',
  beta: '\\beta',
  lambda: '\\lambda',
});

const commandNames = lookup<string>({
  '\\cosec': '\\csc',
  '\\tg': '\\tan',
  '\\ctg': '\\cot',
  '\\cdot': '*',
  '\\times': '*',
  '\\ast': '*',
  '\\div': '/',
});

/** Commands whose argument is text. */
const textual = new Set(
  '\\text \\mathrm \\mbox \\textrm \\textnormal \\textbf \\textit \\textsf \\texttt \\hbox \\mathsf \\mathtt \\operatorname \\emph \\underline'.split(
    ' ',
  ),
);
/** Fonts of maths: the argument means what it meant. */
const fonts = new Set('\\mathbf \\mathit \\bm \\boldsymbol \\mathcal \\mathscr \\mathfrak '.split(' '));

const pattern =
  /(\s+)|(\\(?:begin|end)\s*\{[A-Za-z]+\*?\}(?:\s*\{[lcr| ]*\})?)|(\\[A-Za-z]+\*?|\\[\s\S])|(\d+(?:\.\d*)?(?:⟮\d+⟯)?(?:[eE][+-]?\d{1,3}(?![\d.A-Za-z]))?|\.\d+(?:⟮\d+⟯)?)|(\p{L}+)|(\*\*|[\s\S])/gu;

/** Short words that are no product of letters. */
const shortWords = new Set(
  'and or sq cu yes no not cm mm km in ft yd mi kg mg lb oz ml hr sec min mph kph day days odd even one two six ten red boy dog cat the per to of is usd eur dne mod men pm am'.split(
    ' ',
  ),
);

/** Letters in a row outside of any text command: a word, a function's name, or single letters. */
function isWord(run: string): boolean {
  if (/^[A-Z]+$/.test(run)) return run.length >= 3;
  if (run.length >= 4 || shortWords.has(run.toLowerCase())) return true;
  return run.length === 3 && /^[A-Z][a-z]+$/.test(run);
}

function letters(run: string, spaced: boolean, quoted: boolean, out: Token[]): void {
  const lower = run.toLowerCase();
  if (functions.has(run) || otherNames[run] !== undefined) {
    out.push({ kind: 'command', text: otherNames[run] ?? `\\${run}`, spaced, quoted });
    return;
  }
  const called = /^(sin|cos|tan|log|ln|sqrt|exp)([a-z])$/.exec(run);
  if (called?.[1] && called[2] && !quoted) {
    out.push({ kind: 'command', text: `\\${called[1]}`, spaced, quoted });
    out.push({ kind: 'letter', text: called[2], spaced: false, quoted });
  } else if (run.length > 1 && (quoted || isWord(run))) {
    // Names of points and sets of capitals are kept apart from words.
    out.push({ kind: 'word', text: /^[A-Z]+$/.test(run) ? run : lower, spaced, quoted });
  } else {
    for (const [i, text] of [...run].entries()) out.push({ kind: 'letter', text, spaced: spaced && i === 0, quoted });
  }
}

function argumentEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '{') depth += 1;
    else if (char === '}') {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  return -1;
}

function read(text: string, quoted: boolean, depth: number, out: Token[]): void {
  let spaced = false;
  const scan = new RegExp(pattern);
  for (let match = scan.exec(text); match; match = scan.exec(text)) {
    const [whole, blank, environment, command, number, run] = match;
    if (blank !== undefined) {
      spaced = true;
      continue;
    }
    const token = (kind: TokenKind, of: string) => out.push({ kind, text: of, spaced, quoted });
    if (environment !== undefined) {
      const name = /\{([A-Za-z]+)/.exec(environment)?.[1] ?? '';
      token(environment.startsWith('\\begin') ? 'begin' : 'end', name);
    } else if (command !== undefined && (textual.has(command.replace('*', '')) || fonts.has(command))) {
      const open = /^\s*\{/.exec(text.slice(scan.lastIndex));
      if (open) {
        const start = scan.lastIndex + open[0].length;
        const end = argumentEnd(text, start - 1);
        if (end >= 0 && depth < 20) {
          const inner = text.slice(start, end);
          const before = out.length;
          read(inner, textual.has(command.replace('*', '')), depth + 1, out);
          const [first] = out.slice(before, before + 1);
          if (first && spaced) out[before] = { ...first, spaced: true };
          scan.lastIndex = end + 1;
          spaced = /\s$/.test(inner);
          continue;
        }
      }
    } else if (command !== undefined) {
      const name = commandNames[command] ?? command;
      token(name.startsWith('\\') ? (name === '\\{' || name === '\\}' ? 'sign' : 'command') : 'sign', name);
    } else if (number !== undefined) token('number', number);
    else if (run !== undefined) letters(run, spaced, quoted, out);
    else if (whole === '**') token('sign', '^');
    else if (!(quoted && /["'“”‘’`$]/.test(whole)) && whole !== '$') token('sign', whole);
    spaced = false;
  }
}

/** @param text as `normaliseMaths` leaves it */
export function tokenize(text: string): Token[] {
  const out: Token[] = [];
  read(text, false, 0, out);
  return out;
}

export const is = (token: Token | undefined, ...texts: readonly string[]): boolean =>
  token !== undefined && token.kind !== 'word' && texts.includes(token.text);

export const isWordToken = (token: Token | undefined, ...texts: readonly string[]): boolean =>
  token?.kind === 'word' && texts.includes(token.text.toLowerCase());

const opening = new Set(['(', '[', '{', '\\{', '\\langle', '\\lfloor', '\\lceil']);
const closing = new Set([')', ']', '}', '\\}', '\\rangle', '\\rfloor', '\\rceil']);

/** How a token changes the depth of brackets. Mixed pairs such as `[1, 2)` are one level. */
export function depthChange({ kind, text }: Token): number {
  if (kind === 'begin') return 1;
  if (kind === 'end') return -1;
  if (kind === 'word') return 0;
  return opening.has(text) ? 1 : closing.has(text) ? -1 : 0;
}

/** Splits at the separators outside all brackets. */
export function splitTop(
  tokens: readonly Token[],
  separates: (token: Token) => boolean,
): { items: Token[][]; found: Token[] } {
  const items: Token[][] = [[]];
  const found: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    depth += depthChange(token);
    if (depth === 0 && separates(token)) {
      found.push(token);
      items.push([]);
    } else items.at(-1)?.push(token);
  }
  return { items, found };
}

/** Whether the first token opens a bracket that the last token closes. */
export function enclosed(tokens: readonly Token[]): { open: Token; close: Token; inner: Token[] } | undefined {
  const [open] = tokens;
  const close = tokens.at(-1);
  if (!open || !close || tokens.length < 2 || depthChange(open) !== 1 || depthChange(close) !== -1) return undefined;
  let depth = 0;
  for (const [i, token] of tokens.entries()) {
    depth += depthChange(token);
    if (depth === 0 && i < tokens.length - 1) return undefined;
  }
  return depth === 0 ? { open, close, inner: tokens.slice(1, -1) } : undefined;
}

/** The tokens in one spelling: a key for equality of what is not understood. */
export function keyOf(tokens: readonly Token[]): string {
  return tokens.map(({ kind, text }) => (kind === 'word' ? `"${text.toLowerCase()}"` : text)).join(' ');
}
