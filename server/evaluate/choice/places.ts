/** Places of held-out text at which somebody might ask for a completion, with what the author wrote there. */
import type { Tokenizer } from '../../model/tokenizer/tokenizer.ts';
import type { Random } from '../../random.ts';
import type { Sequences } from '../../train/measures/states.ts';

export const placeKinds = ['line', 'word', 'bracket'] as const;
/** Behind the indentation of a line, before a word within it, or behind an opening bracket. */
export type PlaceKind = (typeof placeKinds)[number];

export interface ChoicePlace {
  readonly kind: PlaceKind;
  readonly prefix: string;
  /** What the author wrote up to the end of the line. */
  readonly rest: string;
  /** Places of one piece of text are not independent: statistics take them together. */
  readonly piece: number;
}

/** Text before a place, at least. */
const shortestPrefix = 120;
/** What is to be written has so many visible characters, at least. */
const shortestRest = 3;

/** Offsets of a kind in a line. */
const starts: Readonly<Record<PlaceKind, (line: string) => number[]>> = {
  line: (line) => [line.search(/\S/)],
  word: (line) =>
    [...line.matchAll(/(?<![\p{L}\p{N}_$])(?=[\p{L}\p{N}_$])/gu)]
      .map(({ index }) => index)
      .filter((at) => line.slice(0, at).trim() !== ''),
  bracket: (line) => [...line.matchAll(/[([{]/g)].map(({ index }) => index + 1),
};

/** All places of a kind in a text, up to its last whole line. */
export function placesIn(text: string, kind: PlaceKind): { prefix: string; rest: string }[] {
  const places: { prefix: string; rest: string }[] = [];
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
    const line = text.slice(start, end);
    for (const at of starts[kind](line)) {
      const rest = line.slice(at).trimEnd();
      if (at >= 0 && start + at >= shortestPrefix && rest.trim().length >= shortestRest)
        places.push({ prefix: text.slice(0, start + at), rest });
    }
  }
  return places;
}

/** The longest part of a sequence that has no end of a document in it, as text. */
function longestPart(ids: Int32Array, ends: ReadonlySet<number>, tokenizer: Tokenizer): string {
  let [best, from] = [ids.subarray(0, 0), 0];
  for (let i = 0; i <= ids.length; i++) {
    if (i < ids.length && !ends.has(ids[i])) continue;
    if (i - from > best.length) best = ids.subarray(from, i);
    from = i + 1;
  }
  return tokenizer.decode(best, { skipSpecialTokens: true, continuation: true });
}

/** One place of each kind a piece of text, at random among all there are, until there are `count`. */
export function choicePlaces(
  { ids, count: pieces, length }: Sequences,
  ends: ReadonlySet<number>,
  tokenizer: Tokenizer,
  count: number,
  random: Random,
): ChoicePlace[] {
  const places: ChoicePlace[] = [];
  for (let piece = 0; piece < pieces && places.length < count; piece++) {
    const text = longestPart(ids.subarray(piece * length, (piece + 1) * length), ends, tokenizer);
    for (const kind of placeKinds) {
      const all = placesIn(text, kind);
      if (all.length > 0 && places.length < count) places.push({ kind, piece, ...all[random.integer(all.length)] });
    }
  }
  return places;
}
