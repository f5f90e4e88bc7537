/** Cosmetics of written maths answers: what differs on paper only is made equal here. Pure text, no library. */

/** Longer answers are compared as plain text. */
export const maxAnswerCharacters = 2000;

const signs: readonly (readonly [RegExp, string])[] = [
  [/[−–—]/g, '-'],
  [/×/g, '\\times '],
  [/[·⋅∙]/g, '\\cdot '],
  [/÷/g, '\\div '],
  [/π/g, '\\pi '],
  [/√/g, '\\sqrt '],
  [/∞/g, '\\infty '],
  [/≤/g, '\\le '],
  [/≥/g, '\\ge '],
  [/≠/g, '\\ne '],
  [/±/g, '\\pm '],
  [/∪/g, '\\cup '],
  [/∈/g, '\\in '],
  [/∅/g, '\\emptyset '],
  [/²/g, '^2'],
  [/³/g, '^3'],
  [/½/g, '\\frac{1}{2}'],
  [/¼/g, '\\frac{1}{4}'],
  [/¾/g, '\\frac{3}{4}'],
  [/°|\\degree(?![A-Za-z])|\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])/g, '^\\circ '],
  [/\u00a0|\u2009|\u202f/g, ' '],
];

const commands: readonly (readonly [RegExp, string])[] = [
  [/\\left\s*\.|\\right\s*\./g, ''],
  [/\\(?:left|right|bigl?|bigr|Bigl?|Bigr|biggl?|biggr|Biggl?|Biggr)(?![A-Za-z])/g, ''],
  [/\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits)(?![A-Za-z])/g, ''],
  [/\\[dtc]frac(?![A-Za-z])/g, '\\frac'],
  [/\\(?:leq|leqslant)(?![A-Za-z])/g, '\\le'],
  [/\\(?:geq|geqslant)(?![A-Za-z])/g, '\\ge'],
  [/\\neq(?![A-Za-z])/g, '\\ne'],
  [/\\lt(?![A-Za-z])/g, '<'],
  [/\\gt(?![A-Za-z])/g, '>'],
  [/\\lbrace(?![A-Za-z])/g, '\\{'],
  [/\\rbrace(?![A-Za-z])/g, '\\}'],
  [/\\(?:lvert|rvert|vert|mid)(?![A-Za-z])/g, '|'],
  [/\\(?:varnothing|O)(?![A-Za-z])/g, '\\emptyset'],
  [/\\(?:mathrm|mbox|textrm|textbf|textit|mathbf|mathit|textnormal|hbox|operatorname)\s*\{/g, '\\text{'],
  [/\\(?:boxed|fbox)\s*(?=\{)/g, ''],
  [/\\text\s+\{/g, '\\text{'],
];

const spacing: readonly (readonly [RegExp, string])[] = [
  // Separators of thousands are joined before the spacing commands among them become spaces.
  [/(?<=\d)(?:\{,\}|\\,|,\\!|\\!,|\\ |~|\\;|\\:|\{\\,\})(?=\d{3}(?!\d))/g, ''],
  [/\\!/g, ''],
  [/\\(?:quad|qquad|thinspace|enspace|medspace|thickspace)(?![A-Za-z])|(?<!\\)\\[,;:> ]|~/g, ' '],
  [/\\[hv]space\*?\s*\{[^{}]*\}/g, ' '],
];

/** Drops an outer `{...}`, `$...$`, `\(...\)` or `\[...\]` that holds the whole text. */
function unwrap(text: string): string {
  let out = text.trim();
  for (let previous = ''; previous !== out; ) {
    previous = out;
    out = out.replace(/^\$\$?([\s\S]*?)\$\$?$/, '$1').trim();
    out = out.replace(/^\\\(([\s\S]*)\\\)$/, '$1').trim();
    if (/^\\\[[\s\S]*\\\]$/.test(out)) out = out.slice(2, -2).trim();
    if (out.startsWith('{') && matchingBrace(out) === out.length - 1) out = out.slice(1, -1).trim();
  }
  return out;
}

function matchingBrace(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
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

/**
 * One spelling for answers that differ in typesetting only: spacing commands, `\left`, `\dfrac`, dollar signs, currency,
 * Unicode signs, separators of thousands that cannot be a list, a final full stop. Keeps the meaning.
 */
export function normaliseMaths(text: string): string {
  let out = text.trim();
  if (out.length > maxAnswerCharacters) return out;
  for (const [pattern, replacement] of signs) out = out.replace(pattern, replacement);
  for (const [pattern, replacement] of commands) out = out.replace(pattern, replacement);
  out = unwrap(out);
  for (const [pattern, replacement] of spacing) out = out.replace(pattern, replacement);
  out = out
    .replace(/\\?[$€£]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  if (!/\d\.$/.test(out) || !/\.\d*\.$/.test(out)) out = out.replace(/(?<!\.)\.$/, '').trim();
  return unwrap(out);
}

/** The text without any white space that is not needed to end a command: a key for plain equality. */
export function compactMaths(text: string): string {
  return text.replace(/(\\[A-Za-z]+) (?=[A-Za-z])/g, '$1\u0001').replace(/ /g, '');
}

/** The pieces in which structure is looked for: a command, an escaped character, or one character. */
export function pieces(text: string): string[] {
  return text.match(/\\[A-Za-z]+|\\[\s\S]|[\s\S]/g) ?? [];
}

/** How a piece changes the depth of brackets. Mixed pairs such as `[1, 2)` are one level. */
export function depthChange(piece: string): number {
  if (piece === '(' || piece === '[' || piece === '{' || piece === '\\{' || piece === '\\langle') return 1;
  if (piece === ')' || piece === ']' || piece === '}' || piece === '\\}' || piece === '\\rangle') return -1;
  return 0;
}

/** Splits at the separators outside all brackets. `found` lists the separators met. */
export function splitTop(text: string, separators: readonly string[]): { items: string[]; found: string[] } {
  const items: string[] = [];
  const found: string[] = [];
  let depth = 0;
  let current = '';
  for (const piece of pieces(text)) {
    depth += depthChange(piece);
    if (depth === 0 && separators.includes(piece)) {
      items.push(current.trim());
      found.push(piece);
      current = '';
    } else current += piece;
  }
  items.push(current.trim());
  return { items, found };
}
