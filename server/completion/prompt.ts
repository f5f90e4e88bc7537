/** A place in a document as tokens: what of it the model reads, and in which order. */
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { Tail, Vocabulary } from './healing.ts';

/** Ids of the marks of a model that fills in; undefined for one that does not. */
export interface FillMarks {
  readonly prefix: number;
  readonly suffix: number;
  readonly middle: number;
}

export function fillMarks(tokenizer: Tokenizer): FillMarks | undefined {
  const [prefix, suffix, middle] = ['prefix', 'suffix', 'middle'].map((part) => tokenizer.idOf(`<|fim_${part}|>`));
  return prefix === undefined || suffix === undefined || middle === undefined ? undefined : { prefix, suffix, middle };
}

/** What is cut off a long document goes in pieces of so many characters or tokens, so that the rest begins alike for many keystrokes. */
const characterPiece = 4096;
const tokenPiece = 256;
/** No token of a text is longer on average. */
const charactersPerToken = 8;
/**
 * Tokens of the suffix that are read, two lines or three. They stand behind the text that grows, and so are read again with
 * every keystroke: with the marks and what was typed they fit one short run.
 */
const suffixRoom = 26;

/** Drops pieces from the start until at most `limit` are left. */
function cutStart(length: number, limit: number, piece: number): number {
  const fitting = Math.min(piece, Math.ceil(limit / 2));
  return length <= limit ? 0 : Math.ceil((length - limit) / fitting) * fitting;
}

/** A place as tokens. */
export interface Prompt {
  /** At least one. */
  readonly tokens: number[];
  /** The prompt before the last word, if that may go on. */
  readonly healed: { readonly tokens: number[]; readonly tail: Tail } | undefined;
}

/**
 * @param room tokens there is room for; at least 1
 * @param vocabulary says which words may go on; none does without
 */
export function promptTokens(
  tokenizer: Tokenizer,
  marks: FillMarks | undefined,
  place: { readonly prefix: string; readonly suffix: string; readonly fill: boolean },
  room: number,
  vocabulary?: Vocabulary,
): Prompt {
  const { prefix } = place;
  const fill = place.fill && marks !== undefined && place.suffix.trim() !== '' && room > 8;
  const after = fill ? documentTokens(tokenizer, place.suffix.slice(0, suffixRoom * charactersPerToken)) : [];
  const suffix = after.slice(0, Math.min(suffixRoom, Math.floor(room / 4)));
  const from = cutStart(prefix.length, room * charactersPerToken, characterPiece);
  // Never between the halves of a character.
  const whole = from > 0 && /[\udc00-\udfff]/.test(prefix[from]) ? from + 1 : from;
  const start = [...tokenizer.encode('')];
  const before = documentTokens(tokenizer, prefix.slice(whole));
  const limit = room - start.length - (fill ? suffix.length + 3 : 0);
  const kept = before.slice(cutStart(before.length, Math.max(1, limit), tokenPiece));
  const around = (before: readonly number[]) =>
    fill ? [...start, marks.prefix, ...before, marks.suffix, ...suffix, marks.middle] : [...start, ...before];
  const tokens = around(kept);
  const tail = vocabulary?.tailOf(kept);
  const healed = tail === undefined ? undefined : { tokens: around(kept.slice(0, -tail.count)), tail };
  if (tokens.length > 0) return { tokens, healed };
  // An empty document without a token to begin with: a line break says as little as there is to say.
  const end = tokenizer.eosId === undefined ? [] : [tokenizer.eosId];
  return { tokens: [...documentTokens(tokenizer, '\n'), ...end].slice(0, 1), healed };
}

/** Tokens that feedback keeps: of the text before the place, and of the text behind it where the model fills in. */
const keptBefore = 40;
const keptAfter = 12;

/** The part of a prompt that is nearest to the place, itself a prompt. */
export function promptEnd(tokens: readonly number[], marks: FillMarks | undefined): number[] {
  const [begin, middle] =
    marks === undefined ? [-1, -1] : [tokens.lastIndexOf(marks.suffix), tokens.lastIndexOf(marks.middle)];
  if (marks === undefined || begin < 0 || middle !== tokens.length - 1) return tokens.slice(-keptBefore);
  const first = tokens.indexOf(marks.prefix) + 1;
  const before = tokens.slice(Math.max(first, begin - keptBefore), begin);
  return [marks.prefix, ...before, marks.suffix, ...tokens.slice(begin + 1, middle).slice(0, keptAfter), marks.middle];
}

/**
 * Tokens in the order of the document up to where it goes on: what stands behind the place, which is no continuation of it, first;
 * then what stands before it and what has been written there.
 *
 * @param between stands between the two: no token
 */
export function inOrder(tokens: readonly number[], marks: FillMarks | undefined, between: number): readonly number[] {
  const middle = marks === undefined ? -1 : tokens.lastIndexOf(marks.middle);
  if (marks === undefined || middle < 0) return tokens;
  const suffix = tokens.lastIndexOf(marks.suffix, middle);
  const first = tokens.indexOf(marks.prefix) + 1;
  const behind = tokens.slice(suffix + 1, middle);
  return [...behind, between, ...tokens.slice(first, suffix), ...tokens.slice(middle + 1)];
}

/** Tokens of a piece of a document: a mark that it mentions is text and no mark. */
export function documentTokens(tokenizer: Tokenizer, text: string): number[] {
  return [...tokenizer.encode(text, { addSpecialTokens: false, controlTokens: false })];
}
