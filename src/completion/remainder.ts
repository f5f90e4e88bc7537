/** Alternatives while a person types along them: what of each is still to come. */
import type { ActionToken, Alternative } from '../../server/protocol/index.ts';

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

/**
 * Whether a place is fit for completion unasked: the rest of its line is blank, or closes what is open.
 *
 * @param rest of the line, behind the cursor
 */
export function atEnd(rest: string): boolean {
  return /^\s*[)\]}>"'`]*\s*[,;:{]?\s*$/.test(rest);
}

/**
 * Characters behind the cursor that the text writes once more, brackets that the editor closed by itself say: they are
 * replaced. 0 where not all of the rest comes again in its order.
 */
export function overlap(text: string, rest: string): number {
  const wanted = rest.trimEnd();
  if (wanted.trim() === '' || text.includes('\n')) return 0;
  let found = 0;
  for (const character of text) {
    if (character === wanted[found]) found++;
  }
  return found === wanted.length ? wanted.length : 0;
}
