/**
 * Guesses of how a text goes on, from what was written before: the text itself and the completions before this one. A
 * guess is read in one run with the token before it and kept as far as the model agrees, so it changes no text and saves
 * most of the runs where code repeats itself or a completion is asked for again (speculative decoding, Leviathan et al.
 * 2023, arXiv 2211.17192, with a lookup in place of a second model).
 */

/** Tokens before the guess that are compared, at most. */
const longestMatch = 4;
/** Completions that are remembered. */
const remembered = 24;

export class Drafts {
  /** Ends of prompts with what followed them, the newest first. */
  private recent: (readonly number[])[] = [];

  /** The last completion, as text: after another keystroke its tokens may be cut otherwise. */
  private last: { readonly prefix: string; readonly texts: readonly string[] } = { prefix: '', texts: [] };

  /** As if nothing had been written: how wide a run is shows in the last bits of what it says. */
  forget(): void {
    this.recent = [];
    this.last = { prefix: '', texts: [] };
  }

  /** Keeps what a completion offered. */
  offered(prefix: string, texts: readonly string[]): void {
    this.last = { prefix, texts };
  }

  /** What is left of the texts that were offered, where they agree with what was typed since, is likely to follow the prompt. */
  follow(prefix: string, prompt: readonly number[], encode: (text: string) => readonly number[]): void {
    const { last } = this;
    if (!prefix.startsWith(last.prefix)) return;
    const typed = prefix.slice(last.prefix.length);
    for (const text of last.texts.toReversed()) {
      if (text.startsWith(typed)) this.remember(prompt, encode(text.slice(typed.length)));
    }
  }

  /** Keeps tokens that followed the prompt. */
  remember(prompt: readonly number[], text: readonly number[]): void {
    if (text.length === 0) return;
    this.recent = [[...prompt.slice(-longestMatch), ...text], ...this.recent].slice(0, remembered);
  }

  /**
   * Up to `count` tokens that may follow: those behind the place that agrees longest with the end of the sequence, in
   * what is remembered or in the sequence; none if not even its last token occurs.
   */
  propose(sequence: readonly number[], count: number): readonly number[] {
    let [best, guess]: [number, readonly number[]] = [0, []];
    for (const source of [...this.recent, sequence]) {
      // What is nearest counts among equals, and the end of the sequence is no place in it.
      for (let at = source.length - 1; at > 0 && best < longestMatch; at--) {
        const agreed = agreement(source, at, sequence);
        if (agreed > best) [best, guess] = [agreed, source.slice(at, at + count)];
      }
    }
    return guess;
  }
}

/** Tokens before `at` that are those at the end of the sequence, in a row and up to the longest match. */
function agreement(source: readonly number[], at: number, sequence: readonly number[]): number {
  let n = 0;
  while (n < longestMatch && n < at && n < sequence.length && source[at - 1 - n] === sequence[sequence.length - 1 - n])
    n++;
  return n;
}

/** Cost of a run by its tokens, relative to a run of one: reading the weights is most of it, so that many tokens cost little more. */
const runCosts = [
  { width: 1, cost: 1 },
  { width: 8, cost: 1.6 },
  { width: 32, cost: 3 },
] as const;

/** What earlier guesses count when another is learned from. */
const memory = 0.95;

/** How often guesses were right of late, and how much to guess by that. */
export class DraftLength {
  private right = 1;
  private tried = 2;

  /** @param right how many tokens of a guess were right; @param missed whether the next one was wrong */
  learn(right: number, missed: boolean): void {
    this.right = memory * this.right + right;
    this.tried = memory * this.tried + right + (missed ? 1 : 0);
  }

  /**
   * Tokens to guess for each of the texts, so that a run brings most for its time.
   *
   * @param found how many there would be for each
   */
  choose(found: readonly number[]): number {
    const rate = Math.min(0.99, this.right / this.tried);
    let [best, chosen] = [0, 0];
    for (const { width, cost } of runCosts) {
      const each = Math.floor(width / found.length) - 1;
      if (each < 0) continue;
      // A guess of n tokens brings one token for sure, and the i-th of the guess if all up to it are right.
      const tokens = found.reduce((sum, n) => sum + (1 - rate ** (Math.min(n, each) + 1)) / (1 - rate), 0);
      if (tokens / cost > best) [best, chosen] = [tokens / cost, each];
    }
    return chosen;
  }
}
