/**
 * Normalisation and pre-tokenisation: from text to the pieces inside which BPE merges.
 *
 * The pre-tokenisers of @huggingface/tokenizers are not used: ByteLevel splits with JavaScript's `\s` (without U+0085, with
 * U+FEFF), Digits knows ASCII digits only, Split ignores its `behavior` and matches between characters, and all of them build
 * an array of strings for each stage, which takes half a minute for 1 MB of digits.
 */
import { tokenizerErrors } from './errors.ts';
import type { NormalizerSpec, PreTokenizerSpec, SplitBehavior } from './file.ts';
import { BYTE_CHARACTERS } from './merge.ts';
import { compilePattern, eachMatch, mostGrown, replaceMatches } from './pattern.ts';

/**
 * `head`, here and below: how many characters at the front of a text come from the first one of the whole input. A stage may
 * make several of it; where it was removed there are none.
 */
type Emit = (piece: string, head: number) => void;
/** Cuts `text` into pieces. */
export type Splitter = (text: string, head: number, emit: Emit) => void;
/** A text as it is cut, with its `head`. */
interface Normalized {
  readonly text: string;
  readonly head: number;
}

/** GPT-2's split, as the ByteLevel stage applies it, with Unicode white space. */
const BYTE_LEVEL_SPLIT =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Words as the stage Whitespace keeps them: letters, digits and what joins them, or all that is neither these nor white. */
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;
const WHITE = /\p{White_Space}/gu;
/** Punctuation of Unicode, and the signs of ASCII that are symbols there. */
const PUNCTUATION = /[!-/:-@[-`{-~]|\p{P}/gu;

/**
 * Calls `visit(start, end, isMatch)` for the matches of `regex`, empty ones too, and the gaps between them, in order.
 */
function parts(text: string, regex: RegExp, visit: (start: number, end: number, isMatch: boolean) => void): void {
  let end = 0;
  eachMatch(text, regex, (start, stop) => {
    if (start > end) visit(end, start, false);
    visit(start, stop, true);
    end = stop;
  });
  if (end < text.length) visit(end, text.length, false);
}

function split(regex: RegExp, behavior: SplitBehavior, invert: boolean): Splitter {
  if (behavior === 'Isolated' || behavior === 'Removed') {
    return (text, head, emit) =>
      parts(text, regex, (a, b, isMatch) => {
        // No piece is empty: an empty match only cuts.
        if (b > a && (behavior === 'Isolated' || isMatch === invert)) emit(text.slice(a, b), head - a);
      });
  }
  return (text, head, emit) => {
    let open = 0;
    let before: boolean | undefined;
    parts(text, regex, (a, _b, isMatch) => {
      const delimiter = isMatch !== invert;
      const joins =
        behavior === 'Contiguous'
          ? before === delimiter
          : behavior === 'MergedWithPrevious'
            ? delimiter && before === false
            : !delimiter && before === true;
      if (!joins && a > open) {
        emit(text.slice(open, a), head - open);
        open = a;
      }
      before = delimiter;
    });
    if (open < text.length) emit(text.slice(open), head - open);
  };
}

/** Gives `text` with `mark` in front, which then comes from where the first character of the text does. */
function prefixed(text: string, head: number, mark: string, use: Emit): void {
  if (text.startsWith(mark)) use(text, head);
  else use(mark + text, head > 0 ? mark.length + head : 0);
}

/** A text as the characters that stand for its bytes. */
const inAlphabet = (text: string): string =>
  Array.from(Buffer.from(text, 'utf8'), (byte) => BYTE_CHARACTERS[byte]).join('');

/** @param alphabet whether a ByteLevel stage gives what follows its alphabet to split, as the reference does */
function splitterOf(spec: PreTokenizerSpec, file: string, alphabet: boolean): Splitter {
  switch (spec.type) {
    case 'Split':
      return split(compilePattern(spec.pattern, file, 'pre_tokenizer'), spec.behavior, spec.invert);
    case 'Digits':
      return split(spec.individual_digits ? /\p{N}/gu : /\p{N}+/gu, 'Isolated', false);
    case 'Whitespace':
      return split(WORDS, 'Removed', true);
    case 'WhitespaceSplit':
      return split(WHITE, 'Removed', false);
    case 'Punctuation':
      return split(PUNCTUATION, spec.behavior, false);
    case 'BertPreTokenizer': {
      const words = split(WHITE, 'Removed', false);
      const signs = split(PUNCTUATION, 'Isolated', false);
      return (text, head, emit) => words(text, head, (word, start) => signs(word, start, emit));
    }
    case 'CharDelimiterSplit':
      return split(compilePattern({ String: spec.delimiter }, file, 'pre_tokenizer'), 'Removed', false);
    case 'ByteLevel': {
      const inner: Splitter = spec.use_regex
        ? split(BYTE_LEVEL_SPLIT, 'Isolated', false)
        : (text, head, emit) => emit(text, head);
      const bytes: Splitter = alphabet
        ? (piece, head, emit) => emit(inAlphabet(piece), Buffer.byteLength(piece.slice(0, Math.max(0, head))))
        : (piece, head, emit) => emit(piece, head);
      return (text, head, emit) =>
        prefixed(text, head, spec.add_prefix_space ? ' ' : '', (marked, start) =>
          inner(marked, start, (piece, at) => bytes(piece, at, emit)),
        );
    }
    case 'Metaspace': {
      const mark = spec.replacement;
      const inner: Splitter = spec.split
        ? split(new RegExp(`\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`, 'gu'), 'MergedWithNext', false)
        : (text, head, emit) => emit(text, head);
      return (text, head, emit) => {
        const marks = spec.prepend_scheme === 'always' || (spec.prepend_scheme === 'first' && head > 0);
        prefixed(text.replaceAll(' ', mark), head, marks ? mark : '', (marked, start) => inner(marked, start, emit));
      };
    }
    case 'Sequence':
      return spec.pretokenizers.reduceRight<Splitter>(
        (next, stage) => {
          const here = splitterOf(stage, file, alphabet);
          return (text, head, emit) => here(text, head, (piece, start) => next(piece, start, emit));
        },
        (text, head, emit) => emit(text, head),
      );
  }
}

const stagesOf = (spec: PreTokenizerSpec): PreTokenizerSpec[] =>
  spec.type === 'Sequence' ? spec.pretokenizers.flatMap(stagesOf) : [spec];

/**
 * How a normalised text is cut, and whether the pieces are merged as bytes (else as characters).
 *
 * A ByteLevel stage that is not the last (Falcon) gives its alphabet to those behind it, so the pieces are in it already.
 */
export function createSplitter(
  spec: PreTokenizerSpec | null | undefined,
  file: string,
): { readonly split: Splitter; readonly byteLevel: boolean } {
  if (spec === null || spec === undefined) return { split: (text, head, emit) => emit(text, head), byteLevel: false };
  const kinds = stagesOf(spec).map(({ type }) => type);
  const at = kinds.indexOf('ByteLevel');
  if (at !== kinds.lastIndexOf('ByteLevel'))
    throw tokenizerErrors.unsupported(file, 'pre_tokenizer', 'ByteLevel twice');
  const byteLevel = at >= 0 && at === kinds.length - 1;
  return { split: splitterOf(spec, file, at >= 0 && !byteLevel), byteLevel };
}

/**
 * The normaliser of a tokenizer as a function, and the `head` of what it makes of a beginning. It throws `tokenizer.grows`
 * where the text becomes far longer.
 */
export function createNormalizer(spec: NormalizerSpec | null | undefined, file: string): (text: string) => Normalized {
  const normalize: Stage = spec === null || spec === undefined ? (input) => input : normalizerOf(spec, file);
  return (text) => normalize({ text, head: firstOf(text).length }, mostGrown(text.length));
}

const firstOf = (text: string): string => text.match(/^./su)?.[0] ?? '';

type Stage = (input: Normalized, most: number) => Normalized;

/** A stage whose output for the front of a text does not depend on what follows. */
const byParts =
  (change: (text: string) => string): Stage =>
  ({ text, head }) => ({ text: change(text), head: change(text.slice(0, head)).length });

function normalizerOf(spec: NormalizerSpec, file: string): Stage {
  switch (spec.type) {
    case 'Lowercase':
      // Letter by letter: a sigma at the end of a word is no other one.
      return byParts((text) => text.replaceAll('\u03a3', '\u03c3').toLowerCase());
    case 'StripAccents':
      return byParts((text) => text.replace(/\p{M}/gu, ''));
    case 'Strip':
      return ({ text, head }) => {
        const left = spec.strip_left ? text.replace(/^\p{White_Space}+/u, '') : text;
        let end = left.length;
        // No expression: one that is anchored at the end is tried at every blank.
        while (spec.strip_right && end > 0 && /\p{White_Space}/u.test(left[end - 1])) end--;
        return { text: left.slice(0, end), head: Math.max(0, head - (text.length - left.length)) };
      };
    case 'Prepend':
      return ({ text, head }, most) => {
        if (text === '') return { text, head };
        if (spec.prepend.length + text.length > most) throw tokenizerErrors.grows(text.length, most);
        return { text: spec.prepend + text, head: head > 0 ? spec.prepend.length + head : 0 };
      };
    case 'Replace': {
      const regex = compilePattern(spec.pattern, file, 'normalizer');
      return ({ text, head }, most) => {
        let front = head;
        // What is put in comes from the last character that it stands for; in front of all, from the first.
        const made = replaceMatches(text, regex, spec.content, most, (start, stop) => {
          if (stop <= head) front += spec.content.length - (stop - start);
          else if (start < head) front -= head - start;
        });
        return { text: made, head: front };
      };
    }
    case 'Sequence': {
      const stages = spec.normalizers.map((stage) => normalizerOf(stage, file));
      return (input, most) => stages.reduce((made, stage) => stage(made, most), input);
    }
    default:
      return byParts((text) => text.normalize(spec.type));
  }
}
