/**
 * The word at the cursor, cut as the model is used to ("token healing"). Text is made of tokens such as " total": after
 * "const " or "const to" a model that has to go on behind the tokens " " or " to" sees what it never learned from. So the
 * prompt ends before them, and of the tokens that follow only those count that begin with what was typed and go on.
 */
import { probabilities } from '../model/sampling.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';

/** What a word at the cursor looks like that is more than one token: begun with one blank at most. */
const word = /^ ?[\p{L}\p{N}_$]*$/u;
/** Tokens that are taken back, at most. */
const longestTail = 3;

/** The end of a prompt that may go on within its last word. */
export interface Tail {
  /** Tokens that are taken back. */
  readonly count: number;
  /** Their text. */
  readonly text: string;
  /** The first of them. */
  readonly token: number;
}

/** The texts of all tokens. */
export class Vocabulary {
  private readonly texts: readonly string[];

  constructor(tokenizer: Tokenizer, size: number) {
    this.texts = Array.from({ length: size }, (_, id) =>
      tokenizer.decode([id], { skipSpecialTokens: true, continuation: true }),
    );
  }

  textOf(token: number): string {
    return this.texts[token];
  }

  /** Whether a token begins with the text and goes on. */
  private extends(text: string): boolean {
    return this.texts.some((token) => goesOn(token, text));
  }

  /** Whether a token would answer blanks at the end of what was typed with more blanks. */
  blankAgain(prefix: string, token: number): boolean {
    return /\S[ \t]+$/.test(prefix) && /^[ \t]/.test(this.texts[token]);
  }

  /** The longest end of the tokens that is one word's and that a token goes on from; at least one token stays. */
  tailOf(tokens: readonly number[]): Tail | undefined {
    let found: Tail | undefined;
    let text = '';
    for (let count = 1; count <= Math.min(longestTail, tokens.length - 1); count++) {
      const token = tokens[tokens.length - count];
      text = this.texts[token] + text;
      // Signs go on too, as "<" does in "<answer", but never over a line break.
      if (this.texts[token] === '' || /[\r\n]/.test(text) || (count > 1 && !word.test(text))) break;
      if (this.extends(text)) found = { count, text, token };
    }
    return found;
  }

  /** What is added to logits so that only tokens count that begin with the text and go on, `[V]`. */
  biasFor(text: string, forbidden: number): Float32Array {
    return Float32Array.from(this.texts, (token) => (goesOn(token, text) ? 0 : forbidden));
  }
}

/** Whether a token begins with what was typed and goes on; behind a blank with something else than a blank. */
function goesOn(token: string, typed: string): boolean {
  if (token.length <= typed.length || !token.startsWith(typed)) return false;
  return !/[ \t]$/.test(typed) || !/\s/.test(token[typed.length]);
}

/** Where each code leads if the word goes on, `[N]` each. */
export interface WordOutlook {
  readonly tokens: Int32Array;
  /** log of the probability that the next token begins with what was typed, and goes on. */
  readonly goesOn: Float32Array;
  /** log of the probability of the token that was typed. */
  readonly asTyped: Float32Array;
}

/**
 * What the policy says of the actions given what was typed, pi(a | s, typed) ~ pi(a | s) p(typed, and on | s, a), as logits
 * `[N]`; undefined where the word is rather complete.
 *
 * @param possible actions that may be taken
 */
export function givenTyped(
  policyLogits: Float32Array,
  { goesOn, asTyped }: WordOutlook,
  possible: (action: number) => boolean,
): Float32Array | undefined {
  const pi = probabilities(policyLogits, 0, policyLogits.length);
  let [on, ended] = [0, 0];
  for (const [action, p] of pi.entries()) {
    on += p * Math.exp(goesOn[action]);
    ended += p * Math.exp(asTyped[action]);
  }
  const logits = policyLogits.map((_, action) =>
    possible(action) ? Math.log(pi[action]) + goesOn[action] : Number.NEGATIVE_INFINITY,
  );
  return on > ended ? logits : undefined;
}
