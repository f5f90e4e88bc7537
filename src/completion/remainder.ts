/** Alternatives while a person types along them: what of each is still to come. */
import type { ActionToken, Alternative } from '../../server/protocol/index.ts';
import { closersIn, nestingOf } from './brackets.ts';

/** Line breaks as the model writes them, whatever the document has. */
export const plainBreaks = (text: string) => text.replaceAll('\r\n', '\n');

/** What is left of an alternative behind its first `length` characters; a token that is cut keeps its action. */
export function remainder(alternative: Alternative, length: number): Alternative {
  const tokens: ActionToken[] = [];
  let at = 0;
  for (const token of alternative.tokens) {
    const from = Math.max(0, length - at);
    at += token.text.length;
    if (from < token.text.length) tokens.push(from === 0 ? token : { ...token, text: token.text.slice(from) });
  }
  return { ...alternative, text: alternative.text.slice(length), tokens };
}

/** Indices of the alternatives that begin with `typed` and go on behind it. */
export function following(alternatives: readonly Alternative[], typed: string): number[] {
  return [...alternatives.keys()].filter((i) => {
    const { text } = alternatives[i];
    return text.length > typed.length && text.startsWith(typed);
  });
}

/** A list that begins with what is on the screen: the others by their order, without those of the same text. */
export function withFirst(first: Alternative | undefined, others: readonly Alternative[]): Alternative[] {
  if (first === undefined) return [...others];
  return [first, ...others.filter(({ text }) => text !== first.text)];
}

/** Characters behind the cursor that are looked at: a line may be as long as a file, and somebody may have made it to take long. */
const longestRest = 2000;

/**
 * Whether a place is fit for completion unasked: the rest of its line is blank, or closes what is open.
 *
 * @param rest of the line, behind the cursor
 */
export function atEnd(rest: string): boolean {
  const text = rest.trim();
  return text.length <= longestRest && /^[)\]}>"'`]*\s*[,;:{]?$/.test(text);
}

/**
 * Characters behind the cursor that the text writes once more and that are replaced: what closes a bracket or a string that is
 * open at the cursor, mostly put there by the editor, and a sign behind it. What the text opens and closes itself is its own.
 * But for blanks they are characters of the text in its order: nothing that a person wrote is lost.
 *
 * @param rest of the line, behind the cursor
 */
export function overlap(text: string, rest: string): number {
  const outer = closersIn(rest.slice(0, longestRest));
  const { closed, open } = nestingOf(
    text,
    outer.map(({ character }) => character),
  );
  // What the text leaves open is closed by what is there, if it fits: x", "y before "].
  const kept = outer.slice(0, closed.length).map(({ character }) => character);
  const spared = open.length > 0 && open.join() === kept.slice(-open.length).join() ? open.length : 0;
  const count = closed.length - spared;
  if (count <= 0) return 0;
  const end = outer[count - 1].at + 1;
  if (!isWithin(rest.slice(0, end), text)) return 0;
  return spared > 0 ? end : end + signsAgain(text.slice(closed[count - 1].at + 1), rest.slice(end));
}

/** Characters at the start of the rest, blanks and the signs that end a statement or begin a block, that the text has too. */
function signsAgain(text: string, rest: string): number {
  const wanted = /^\s*[,;:{]+/.exec(rest)?.[0] ?? '';
  let length = 0;
  while (length < wanted.length && text[length] === wanted[length]) length++;
  return wanted.slice(0, length).trimEnd().length;
}

/** Whether all characters but blanks come again in the text, in their order. */
function isWithin(characters: string, text: string): boolean {
  let from = 0;
  for (const character of characters.replaceAll(/\s/g, '')) {
    from = text.indexOf(character, from) + 1;
    if (from === 0) return false;
  }
  return true;
}
