/** Tokens that came from latent actions and stand in a document as they were inserted, wherever edits have moved them. */
import type { ActionToken } from '../../server/protocol/index.ts';

/** Characters start..end of a document. */
export interface PlacedToken {
  readonly start: number;
  readonly end: number;
  readonly token: ActionToken;
}

/** `length` characters from `offset` were replaced by `inserted` characters; as in an event of the editor. */
export interface Edit {
  readonly offset: number;
  readonly length: number;
  readonly inserted: number;
}

/**
 * Where tokens are after an edit. One that the edit touches from inside is no longer what was inserted, and goes; text
 * between two tokens harms neither.
 */
export function afterEdit(tokens: readonly PlacedToken[], { offset, length, inserted }: Edit): PlacedToken[] {
  if (length === 0 && inserted === 0) return [...tokens];
  const end = offset + length;
  const moved: PlacedToken[] = [];
  for (const placed of tokens) {
    if (placed.end <= offset) moved.push(placed);
    else if (placed.start >= end) {
      const by = inserted - length;
      moved.push({ ...placed, start: placed.start + by, end: placed.end + by });
    }
  }
  return moved;
}

/** Tokens one after another from `offset`; those without text have no place. */
export function placed(
  offset: number,
  tokens: readonly ActionToken[],
  width: (text: string) => number = (text) => text.length,
): PlacedToken[] {
  let at = offset;
  return tokens.flatMap((token) => {
    const start = at;
    at += width(token.text);
    return at > start ? [{ start, end: at, token }] : [];
  });
}

/** The tokens of one document, in their order. */
export class AcceptedTokens {
  private tokens: readonly PlacedToken[] = [];

  get all(): readonly PlacedToken[] {
    return this.tokens;
  }

  add(added: readonly PlacedToken[]): void {
    this.tokens = [...this.tokens, ...added].sort((a, b) => a.start - b.start);
  }

  /** @param edits of one event, in places of the document before it */
  edit(edits: readonly Edit[]): void {
    // From the end, so that places before stay valid.
    for (const edit of [...edits].sort((a, b) => b.offset - a.offset)) this.tokens = afterEdit(this.tokens, edit);
  }

  at(offset: number): PlacedToken | undefined {
    return this.tokens.find(({ start, end }) => start <= offset && offset < end);
  }

  within(start: number, end: number): readonly PlacedToken[] {
    return this.tokens.filter((token) => token.end > start && token.start < end);
  }
}
