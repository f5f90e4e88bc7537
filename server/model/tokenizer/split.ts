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

/** @param starts whether the piece begins where the text does that was cut */
type Emit = (piece: string, starts: boolean) => void;
/** Cuts `text` into pieces. `first` is true where the text is the beginning of the whole input. */
export type Splitter = (text: string, first: boolean, emit: Emit) => void;

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
    return (text, _first, emit) =>
      parts(text, regex, (a, b, isMatch) => {
        // No piece is empty: an empty match only cuts.
        if (b > a && (behavior === 'Isolated' || isMatch === invert)) emit(text.slice(a, b), a === 0);
      });
  }
  return (text, _first, emit) => {
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
        emit(text.slice(open, a), open === 0);
        open = a;
      }
      before = delimiter;
    });
    if (open < text.length) emit(text.slice(open), open === 0);
  };
}

function prefixed(text: string, mark: string): string {
  return text.startsWith(mark) ? text : mark + text;
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
      return (text, first, emit) =>
        words(text, first, (word, starts) => signs(word, false, (sign, opens) => emit(sign, starts && opens)));
    }
    case 'CharDelimiterSplit':
      return split(compilePattern({ String: spec.delimiter }, file, 'pre_tokenizer'), 'Removed', false);
    case 'ByteLevel': {
      const inner: Splitter = spec.use_regex
        ? split(BYTE_LEVEL_SPLIT, 'Isolated', false)
        : (text, _, emit) => emit(text, true);
      return (text, first, emit) =>
        inner(spec.add_prefix_space ? prefixed(text, ' ') : text, first, (piece, starts) =>
          emit(alphabet ? inAlphabet(piece) : piece, starts),
        );
    }
    case 'Metaspace': {
      const mark = spec.replacement;
      const inner = split(new RegExp(`\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`, 'gu'), 'MergedWithNext', false);
      return (text, first, emit) => {
        let marked = text.replaceAll(' ', mark);
        if (spec.prepend_scheme === 'always' || (spec.prepend_scheme === 'first' && first))
          marked = prefixed(marked, mark);
        if (spec.split) inner(marked, first, emit);
        else emit(marked, true);
      };
    }
    case 'Sequence':
      return spec.pretokenizers.reduceRight<Splitter>(
        (next, stage) => {
          const here = splitterOf(stage, file, alphabet);
          return (text, first, emit) => {
            // What is in front of a piece may have been removed: then no piece is the first.
            here(text, first, (piece, starts) =>
              next(piece, first && starts, (part, opens) => emit(part, starts && opens)),
            );
          };
        },
        (text, _first, emit) => emit(text, true),
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
  if (spec === null || spec === undefined) return { split: (text, _first, emit) => emit(text, true), byteLevel: false };
  const kinds = stagesOf(spec).map(({ type }) => type);
  const at = kinds.indexOf('ByteLevel');
  if (at !== kinds.lastIndexOf('ByteLevel'))
    throw tokenizerErrors.unsupported(file, 'pre_tokenizer', 'ByteLevel twice');
  const byteLevel = at >= 0 && at === kinds.length - 1;
  return { split: splitterOf(spec, file, at >= 0 && !byteLevel), byteLevel };
}

/** The normaliser of a tokenizer as a function. It throws `tokenizer.grows` where the text becomes far longer. */
export function createNormalizer(spec: NormalizerSpec | null | undefined, file: string): (text: string) => string {
  if (spec === null || spec === undefined) return (text) => text;
  const normalize = normalizerOf(spec, file);
  return (text) => normalize(text, mostGrown(text.length));
}

function normalizerOf(spec: NormalizerSpec, file: string): (text: string, most: number) => string {
  switch (spec.type) {
    case 'Lowercase':
      return (text) => text.toLowerCase();
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Strip':
      return (text) => {
        const left = spec.strip_left ? text.replace(/^\p{White_Space}+/u, '') : text;
        let end = left.length;
        // No expression: one that is anchored at the end is tried at every blank.
        while (spec.strip_right && end > 0 && /\p{White_Space}/u.test(left[end - 1])) end--;
        return left.slice(0, end);
      };
    case 'Prepend':
      return (text, most) => {
        if (text === '') return '';
        if (spec.prepend.length + text.length > most) throw tokenizerErrors.grows(text.length, most);
        return spec.prepend + text;
      };
    case 'Replace': {
      const regex = compilePattern(spec.pattern, file, 'normalizer');
      return (text, most) => replaceMatches(text, regex, spec.content, most);
    }
    case 'Sequence': {
      const stages = spec.normalizers.map((stage) => normalizerOf(stage, file));
      return (text, most) => stages.reduce((t, stage) => stage(t, most), text);
    }
    default:
      return (text) => text.normalize(spec.type);
  }
}
