/** Cosmetics of written maths answers: what differs on paper only is made equal here. Pure text, no library. */

/** Longer answers are compared as plain text. */
export const maxAnswerCharacters = 2000;

const raised = '⁰¹²³⁴⁵⁶⁷⁸⁹⁻';
const lowered = '₀₁₂₃₄₅₆₇₈₉';
const digitsOf = (row: string, run: string) =>
  [...run].map((sign) => (sign === '⁻' ? '-' : row.indexOf(sign))).join('');

const signs: readonly (readonly [RegExp, string | ((...found: string[]) => string)])[] = [
  [/[−–—]/g, '-'],
  [/×/g, '\\times '],
  [/[·⋅∙]/g, '\\cdot '],
  [/÷/g, '\\div '],
  [/π/g, '\\pi '],
  [/√\s*(\d+(?:\.\d+)?)/g, '\\sqrt{$1}'],
  [/√/g, '\\sqrt '],
  [/∞/g, '\\infty '],
  [/≤|⩽|<=/g, '\\le '],
  [/≥|⩾|>=/g, '\\ge '],
  // With a space before it: 5!=120 is a factorial.
  [/≠|(?<=\s)!=/g, '\\ne '],
  [/≈/g, '\\approx '],
  [/±/g, '\\pm '],
  [/∓/g, '\\mp '],
  [/∪/g, '\\cup '],
  [/∩/g, '\\cap '],
  [/∖/g, '\\setminus '],
  [/∈/g, '\\in '],
  [/∅/g, '\\emptyset '],
  [/⌊/g, '\\lfloor '],
  [/⌋/g, '\\rfloor '],
  [/⌈/g, '\\lceil '],
  [/⌉/g, '\\rceil '],
  [/⟨/g, '\\langle '],
  [/⟩/g, '\\rangle '],
  [/½/g, '\\frac{1}{2}'],
  [/⅓/g, '\\frac{1}{3}'],
  [/⅔/g, '\\frac{2}{3}'],
  [/¼/g, '\\frac{1}{4}'],
  [/¾/g, '\\frac{3}{4}'],
  [/ℝ/g, '\\mathbb{R}'],
  [/ℤ/g, '\\mathbb{Z}'],
  [/ℕ/g, '\\mathbb{N}'],
  [/ℚ/g, '\\mathbb{Q}'],
  [/ℂ/g, '\\mathbb{C}'],
  [/…/g, '\\ldots '],
  [/\\degree(?![A-Za-z])|\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])/g, '°'],
  [/[\u00a0\u2009\u202f]/g, ' '],
  [/(?<=\d\s*)pct\b\.?/g, '%'],
  [
    /(?<=[\d{~]\s*)(?:([ap])\.\s?m\.|([AP])M\b)/gi,
    (_, dotted = '', plain = '') => `${(dotted + plain).toLowerCase()}m`,
  ],
  [/\\mu\s*\\(?:text|mathrm)\s*\{\s*~?\s*([A-Za-z])\s*\}/g, '\\text{ micro$1}'],
  [/(?<=[\d\s}~,])\\(?:Omega|ohm)(?![A-Za-z])|(?<=\d\s*)Ω/g, '\\text{ ohm}'],
];

const commands: readonly (readonly [RegExp, string])[] = [
  [/\\left\s*\.|\\right\s*\./g, ''],
  [/\\(?:left|right|middle|bigl?|bigr|Bigl?|Bigr|biggl?|biggr|Biggl?|Biggr)(?![A-Za-z])/g, ''],
  [/\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|hline|boxed|fbox|therefore|phantom)(?![A-Za-z])/g, ''],
  [/\\(?:bf|it|rm|tt|sf)(?![A-Za-z])|\\(?:text)?color\s*\{[^{}]*\}|(?<!\\)\\$/g, ''],
  [/\\&/g, '\\text{ and }'],
  [/\{\s*:\s*\}/g, ':'],
  [/\\(?:[dtc]frac|nicefrac|sfrac|flatfrac)(?![A-Za-z])/g, '\\frac'],
  // A unit as a fraction: \frac{\text{m}}{\text{s}}.
  [
    /\\frac\s*\{\s*\\(?:text|mathrm)\s*\{\s*([A-Za-z]+)\s*\}\s*\}\s*\{\s*\\(?:text|mathrm)\s*\{\s*([A-Za-z]+)\s*\}\s*\}/g,
    '\\text{ $1/$2}',
  ],
  [/\\[dt]binom(?![A-Za-z])/g, '\\binom'],
  [/\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}/g, '\\frac{$1}{$2}'],
  [/\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}/g, '\\binom{$1}{$2}'],
  // Braces around the whole text have been dropped.
  [/^([^{}]*)\\over(?![A-Za-z])([^{}]*)$/, '\\frac{$1}{$2}'],
  [/^([^{}]*)\\choose(?![A-Za-z])([^{}]*)$/, '\\binom{$1}{$2}'],
  [/\\(?:leq|leqslant)(?![A-Za-z])/g, '\\le'],
  [/\\(?:geq|geqslant)(?![A-Za-z])/g, '\\ge'],
  [/\\neq(?![A-Za-z])|\\not\s*=/g, '\\ne'],
  [/\\lt(?![A-Za-z])/g, '<'],
  [/\\gt(?![A-Za-z])/g, '>'],
  [/\\colon(?![A-Za-z])/g, ':'],
  [/\\(?:lvert|rvert|vert|mid)(?![A-Za-z])/g, '|'],
  [/\\(?:lor|vee)(?![A-Za-z])/g, '\\text{ or }'],
  [/\\(?:land|wedge)(?![A-Za-z])/g, '\\text{ and }'],
  [/\\(?:varnothing|O)(?![A-Za-z])/g, '\\emptyset'],
  [/\\(?:smallsetminus|backslash)(?![A-Za-z])/g, '\\setminus'],
  [/\\(?:dots|cdots|dotsc|dotsb)(?![A-Za-z])|\.\.\.+/g, '\\ldots '],
  [/\\mathbb\s*\{\s*([A-Z])\s*\}|\\mathbb\s+([A-Z])/g, '\\$1$2 '],
  [/\\(?:euro|texteuro)(?![A-Za-z])/g, '€'],
  [/\\(?:pounds|textsterling)(?![A-Za-z])/g, '£'],
  [/\\varphi(?![A-Za-z])/g, '\\phi'],
];

const spacing: readonly (readonly [RegExp, string])[] = [
  // Separators of thousands are joined before the spacing commands among them become spaces.
  [/(?<=\d)\s?(?:\{\s*,\s*\}|\\,|,\\!|\\!,|\\ |~|\\;|\\:|\{\\,\})\s?(?=\d{3}(?!\d))/g, ''],
  [/\\!/g, ''],
  [/\\q?quad|\\(?:thinspace|enspace|medspace|thickspace)(?![A-Za-z])|(?<!\\)\\[,;:> ]|~/g, ' '],
  [/\\[hv]space\*?\s*\{[^{}]*\}/g, ' '],
  [/(\\\\)\s*\[[^\]]*\]/g, '$1'],
];

/** As programs write thousands: 12_345. */
const underscored = /(?<![\w.])\d{1,3}(?:_\d{3})+(?![\w.])/g;
/** As people type thousands: 12 345 678. */
const spacedThousands = /(?<![\d.,])(?<!\d )\d{1,3}(?: \d{3})+(?!\d| \d|,\d)/g;
const times = /(?<=\d)\s*[xX]\s*(?=10\s*\^)/g;
const repeating = /(\d*\.\d*)\s*\\(?:overline|bar|overbar)\s*\{?\s*(\d+)\s*\}?/g;
const dotted = /(\d*\.\d*)\\dot\s*\{?\s*(\d)\s*\}?(?:(\d*)\\dot\s*\{?\s*(\d)\s*\}?)?/g;
const bracketed = /(\d*\.\d*)\((\d+)\)(?!\s*[\d(])/g;
/** A digit three times or a group of digits twice, and so on: 0.333…, 0.1212… */
const goingOn = /(\d{0,40}\.\d{0,20}?)(?:(\d)\2\2+|(\d{2,12}?)\3+)\s*\\ldots(?![A-Za-z])/g;

/** Repeating decimals in one form: `0.1⟮6⟯`. */
function repeatingDecimals(text: string): string {
  return text
    .replace(repeating, '$1⟮$2⟯')
    .replace(dotted, (_, fixed: string, first: string, middle = '', last = '') => `${fixed}⟮${first}${middle}${last}⟯`)
    .replace(bracketed, '$1⟮$2⟯')
    .replace(goingOn, '$1⟮$2$3⟯');
}

/** Open intervals as much of Europe writes them: `]1,2[` is `(1,2)`. */
const turnedBrackets = (text: string): string =>
  text
    .split(/(\\c[ua]p(?![A-Za-z]))/)
    .map((part) =>
      part.replace(/^(\s*)([[\]])([^[\],;]+[,;][^[\],;]+)([[\]])(\s*)$/, (_, before, open, inner, close, after) => {
        return `${before}${open === ']' ? '(' : open}${inner}${close === '[' ? ')' : close}${after}`;
      }),
    )
    .join('');

/** Drops an outer `{...}`, `$...$`, `\(...\)`, `\[...\]`, `**...**` or back ticks that hold the whole text. */
function unwrap(text: string): string {
  let out = text.trim();
  for (let previous = ''; previous !== out; ) {
    previous = out;
    out = out.replace(/^\$\$?((?:[^$\\]|\\[\s\S])*)\$\$?$/, '$1').trim();
    out = out.replace(/^(\*\*|__|`)((?:(?!\1)[\s\S])+)\1$/, '$2').trim();
    if (/^\\\((?:(?!\\\()[\s\S])*\\\)$/.test(out) || /^\\\[(?:(?!\\\[)[\s\S])*\\\]$/.test(out))
      out = out.slice(2, -2).trim();
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

const codes: Readonly<Record<string, string>> = { USD: '＄', EUR: '€', GBP: '£' };

/** Dollar signs as marks of formulas are dropped; a single one, or one with a backslash, is the currency. */
function dollars(text: string): string {
  const bare = text.match(/(?<!\\)\$/g)?.length ?? 0;
  const marked = bare === 1 ? text.replace(/(?<!\\)\$(?=\s*[\d.])/, '＄') : text;
  return marked
    .replace(/\\\$/g, '＄')
    .replace(/\$/g, ' ')
    .replace(/\b(USD|EUR|GBP)\s*(?=\d)/g, (_, code: string) => codes[code]);
}

/**
 * One spelling for answers that differ in typesetting only: spacing commands, `\left`, `\dfrac`, dollar signs, Markdown
 * bold, Unicode signs, separators of thousands that cannot be a list, repeating decimals, a final full stop. Keeps the meaning.
 */
export function normaliseMaths(text: string): string {
  if (text.length > maxAnswerCharacters) return text.trim();
  if (/^\s*\{\s*\}\s*$/.test(text)) return '\\emptyset';
  let out = unwrap(text);
  out = out
    .replace(new RegExp(`[${raised}]+`, 'g'), (run) => `^{${digitsOf(raised, run)}}`)
    .replace(new RegExp(`[${lowered}]+`, 'g'), (run) => `_{${digitsOf(lowered, run)}}`)
    .replace(/\\lbrace(?![A-Za-z])/g, '\\{')
    .replace(/\\rbrace(?![A-Za-z])/g, '\\}');
  for (const [pattern, replacement] of signs) {
    out = typeof replacement === 'string' ? out.replace(pattern, replacement) : out.replace(pattern, replacement);
  }
  for (const [pattern, replacement] of commands) out = out.replace(pattern, replacement);
  out = unwrap(dollars(unwrap(out)));
  for (const [pattern, replacement] of spacing) out = out.replace(pattern, replacement);
  out = repeatingDecimals(
    out
      .replace(underscored, (number) => number.replaceAll('_', ''))
      .replace(spacedThousands, (number) => number.replaceAll(' ', '')),
  )
    .replace(times, '\\times ')
    .replace(/\\%/g, '%')
    .replace(/\s+/g, ' ')
    .trim();
  out = turnedBrackets(out);
  if (!/\d\.$/.test(out) || !/\.\d*\.$/.test(out)) out = out.replace(/(?<!\.)\.$/, '').trim();
  return unwrap(out);
}

/** The text without any white space that is not needed to end a command: a key for plain equality. */
export function compactMaths(text: string): string {
  return text
    .replace(/(\\[A-Za-z]+) (?=[A-Za-z])/g, '$1\u0001')
    .replace(/(?<=[\p{L}\d]) (?=[\p{L}\d])/gu, '\u0001')
    .replace(/ /g, '');
}
