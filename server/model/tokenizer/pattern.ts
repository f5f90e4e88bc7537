/**
 * The expressions of tokenizer.json. They are written for Oniguruma, whose white space, digits, anchors, flags and
 * possessive quantifiers are not JavaScript's; oniguruma-to-es translates them, in its strict mode: what it cannot translate
 * with the same matches is refused by name.
 */
import { toRegExpDetails } from 'oniguruma-to-es';
import { ColaError } from '../../errors.ts';
import { within } from '../time-limit.ts';
import { tokenizerErrors } from './errors.ts';
import type { DecoderSpec, NormalizerSpec, Pattern, PreTokenizerSpec } from './file.ts';

/** The longest expression that is read; those in use are a tenth of it. */
const LONGEST = 10_000;

/** Complaints of the parser about an expression that no reader would take. */
const MALFORMED =
  /^(Unclosed|Unmatched|Invalid reversed|Invalid character class range|Character class range|Quantifier requires)/;

/** Split expressions of published models that take time in proportion to the text, whatever the text. */
const LINEAR: ReadonlySet<string> = new Set([
  // The model in the box. What backs up, `[ \t]+(?= )`, has no more than two goes at a run of blanks.
  '(?:\\r?\\n)+[ \\t]*|\\p{N}|[^\\r\\n\\p{L}\\p{N}]?\\p{Lu}?\\p{Ll}+|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+| ?[^ \\t\\r\\n\\p{L}\\p{N}]+|[ \\t]+(?= )|[ \\t]+|\\r',
  // Llama 3
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  // Qwen 2 and 3
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

/**
 * What JavaScript's case folding lacks: Oniguruma's `(?i)` also takes a character for several, `ß` for `ss`. The characters
 * that fold to several, and what they fold to.
 */
const FOLDS = (() => {
  const folded = new Map<string, string>();
  for (let code = 0x80; code < 0x1_0000; code++) {
    const character = String.fromCharCode(code);
    const upper = character.toUpperCase();
    if ([...upper].length > 1) folded.set(character, upper.toLowerCase());
  }
  return folded;
})();

/** Whether ignoring case could make one character of the expression match several, or several one. */
function foldsToSeveral(source: string): boolean {
  if (!/\(\?[a-zA-Z]*i/.test(source)) return false;
  const literal = source.replace(/\\[pP]\{[^}]*\}|\[:\^?\w+:\]/g, ' ').toLowerCase();
  const ranges = [...literal.matchAll(/(.)-(.)/gsu)].map(([, from, to]) => [from, to]);
  for (const [character, several] of FOLDS) {
    if (literal.includes(character) || literal.includes(several)) return true;
    if (ranges.some(([from, to]) => from <= character && character <= to)) return true;
  }
  return false;
}

/**
 * Spells out `\w`, `\W`, `\b` and `\B`: oniguruma-to-es 4.3 takes all of `\p{L}\p{N}` for words, where Oniguruma takes
 * alphabetic characters and decimal digits and, outside of classes, the six numbers of Latin-1.
 */
function withWords(source: string): string {
  const word = '[[:word:]\u00b2\u00b3\u00b9\u00bc\u00bd\u00be]';
  const other = word.replace('[', '[^');
  let depth = 0;
  return source.replace(/\\(?:[cC]-?.|.)|\[:\^?\w+:\]|[[\]]/gsu, (part) => {
    if (part === '[') depth++;
    else if (part === ']') depth = Math.max(0, depth - 1);
    else if (part === '\\w') return depth > 0 ? '[[:word:]]' : word;
    else if (part === '\\W') return depth > 0 ? '[^[:word:]]' : other;
    else if (part === '\\b' && depth === 0) return `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`;
    else if (part === '\\B' && depth === 0) return `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`;
    return part;
  });
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/**
 * @param where the place in the file, for errors
 * @returns a global expression that matches what Oniguruma would. Throws `tokenizer.broken`, `tokenizer.unsupported`.
 */
export function compilePattern(pattern: Pattern, file: string, where: string): RegExp {
  if ('String' in pattern) return new RegExp(escaped(pattern.String), 'gu');
  const { Regex: source } = pattern;
  if (source.length > LONGEST) {
    throw tokenizerErrors.unsupported(file, where, `an expression of ${source.length} characters`);
  }
  const unsupported = (problem: string) =>
    tokenizerErrors.unsupported(file, where, `the expression ${JSON.stringify(source.slice(0, 200))} (${problem})`);
  if (foldsToSeveral(source)) throw unsupported('letters that are several when case is ignored');
  try {
    const options = { accuracy: 'strict', global: true, target: 'ES2024' } as const;
    const { pattern: translated, flags, options: emulation } = toRegExpDetails(withWords(source), options);
    // A search that needs more than the expression, for `\G`, is left to nobody.
    if (emulation?.strategy != null) throw unsupported('a search that starts where the last one ended');
    // V8 forgets the quantifier of `[^]` in this mode: /[^]+/v matches one character.
    const regex = new RegExp(translated.replaceAll('[^]', '[\\s\\S]'), flags);
    // V8 compiles at the first match, and some only fail then.
    regex.exec('');
    return regex;
  } catch (cause) {
    if (cause instanceof ColaError) throw cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    if (MALFORMED.test(problem)) throw tokenizerErrors.broken(file, where, problem, cause);
    throw tokenizerErrors.unsupported(
      file,
      where,
      `the expression ${JSON.stringify(source.slice(0, 200))} (${problem})`,
    );
  }
}

/** Calls `visit(start, end)` for the matches in `text`, empty ones too, as the reference finds them. */
export function eachMatch(text: string, regex: RegExp, visit: (start: number, end: number) => void): void {
  // The reference does not look into an empty text.
  if (text === '') return;
  let last = -1;
  // Where to go on is kept here: `visit` may use the same expression, of two equal stages behind each other.
  let at = 0;
  for (;;) {
    regex.lastIndex = at;
    const match = regex.exec(text);
    if (match === null) return;
    const { index } = match;
    const stop = index + match[0].length;
    at = stop;
    if (stop === index) {
      // It would be found forever; and right behind another match an empty one does not count.
      at += (text.codePointAt(stop) ?? 0) > 0xffff ? 2 : 1;
      if (stop === last) continue;
    }
    visit(index, stop);
    last = stop;
  }
}

/** Characters that the stages of a tokenizer may make of a text; those of published models make three of one. */
export const mostGrown = (length: number): number => 1000 + 32 * length;

/**
 * `text` with every match replaced by `content`, taken as it is; `visit` hears where each was.
 * @throws tokenizer.grows beyond `most` characters
 */
export function replaceMatches(
  text: string,
  regex: RegExp,
  content: string,
  most: number,
  visit?: (start: number, stop: number) => void,
): string {
  const parts: string[] = [];
  let end = 0;
  let size = text.length;
  eachMatch(text, regex, (start, stop) => {
    size += content.length - (stop - start);
    if (size > most) throw tokenizerErrors.grows(text.length, most);
    parts.push(text.slice(end, start), content);
    visit?.(start, stop);
    end = stop;
  });
  return parts.length === 0 ? text : parts.join('') + text.slice(end);
}

function patternsOf(spec: NormalizerSpec | PreTokenizerSpec | DecoderSpec): Pattern[] {
  if ('pattern' in spec) return [spec.pattern];
  if ('normalizers' in spec) return spec.normalizers.flatMap(patternsOf);
  if ('pretokenizers' in spec) return spec.pretokenizers.flatMap(patternsOf);
  if ('decoders' in spec) return spec.decoders.flatMap(patternsOf);
  return [];
}

/** More stages than any published tokenizer has: each goes through the whole text. */
const manyStages = 16;

function stagesOf(spec: NormalizerSpec | PreTokenizerSpec | DecoderSpec): number {
  const inner =
    'normalizers' in spec
      ? spec.normalizers
      : 'pretokenizers' in spec
        ? spec.pretokenizers
        : 'decoders' in spec
          ? spec.decoders
          : [];
  return inner.reduce((count, stage) => count + stagesOf(stage), 1);
}

/** Whether the stages are many, or one has an expression of which nobody knows how long it takes. */
export function mayTakeLong(spec: NormalizerSpec | PreTokenizerSpec | DecoderSpec | null | undefined): boolean {
  if (spec === null || spec === undefined) return false;
  if (stagesOf(spec) > manyStages) return true;
  return patternsOf(spec).some((pattern) => 'Regex' in pattern && !LINEAR.has(pattern.Regex));
}

/** Time for one text, in seconds: many hundred times what the expressions of published models need. A short one has ended in two. */
const secondsFor = (length: number): number => 1.5 + length / 50_000;

/** What `run` returns for a text of `length` characters. Throws `tokenizer.refused` when it takes too long. */
export function boundedInTime<T>(length: number, run: () => T): T {
  const seconds = secondsFor(length);
  const result = within(Math.ceil(1000 * seconds), run);
  if (result === undefined) throw tokenizerErrors.refused(length, Math.ceil(seconds));
  return result.value;
}
