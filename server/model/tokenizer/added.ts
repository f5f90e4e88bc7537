/** Added tokens: those that are found in a text before anything else, and which of them steer the model. */
import type { AddedToken, TokenizerConfig, TokenizerFile } from './file.ts';

/**
 * A token that steers the model and is not text: a special one, or one that models mark as ordinary although it is written
 * like the others (`<|fim_middle|>` of Qwen2.5).
 */
export function isControl({ special, content }: AddedToken): boolean {
  return special || /^<(\|.*\||\uff5c.*\uff5c|unused.*)>$/su.test(content);
}

/** Says of a control token at a place in the text whether it is only text there. */
export type IsText = (start: number, end: number) => boolean;

/** An expression for any of the texts, the longest first. */
export function anyOf(texts: readonly string[]): RegExp | undefined {
  const contents = texts.filter((content) => content !== '').sort((a, b) => b.length - a.length);
  const escaped = contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return contents.length === 0 ? undefined : new RegExp(escaped.join('|'), 'g');
}

/** Finds added tokens in a text: leftmost first, longest of those. */
export class AddedTokenFinder {
  private readonly expression: RegExp | undefined;

  constructor(private readonly tokens: ReadonlyMap<string, AddedToken>) {
    this.expression = anyOf([...tokens.keys()]);
  }

  /** Calls `onText(start, end)` and `onToken(id)` for the parts of `text`, in order. */
  find(
    text: string,
    isText: IsText,
    onText: (start: number, end: number) => void,
    onToken: (id: number) => void,
  ): void {
    let from = 0;
    // Where the white space ends that a token took: looked for once, however many tokens begin inside of it.
    let whiteTo = 0;
    const { expression } = this;
    if (expression !== undefined) {
      expression.lastIndex = 0;
      for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
        const token = this.tokens.get(match[0]);
        let start = match.index;
        let end = start + match[0].length;
        // One that begins in the white space that the last one took counts, as in the reference, unless it takes that itself.
        if (token === undefined || (token.lstrip && end <= from)) continue;
        if (isControl(token) && isText(start, end)) {
          // Another token may begin inside of what is text now.
          expression.lastIndex = start + 1;
          continue;
        }
        if (token.single_word && (wordEndsAt(text, start) || wordStartsAt(text, end))) continue;
        // The token takes the white space beside it.
        if (token.lstrip) while (start > from && isSpaceAt(text, start - 1)) start--;
        if (token.rstrip) {
          end = Math.max(end, whiteTo);
          while (end < text.length && isSpaceAt(text, end)) end++;
          whiteTo = end;
        }
        if (start > from) onText(from, start);
        onToken(token.id);
        from = end;
      }
    }
    if (from < text.length) onText(from, text.length);
  }
}

const isSpaceAt = (text: string, at: number): boolean => /^\p{White_Space}$/u.test(text[at] ?? '');
/** Letters, digits and what joins them, as expressions of Rust take them. */
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
/** Whether the character that ends in front of `at` belongs to a word; a letter may be two units long. */
const wordEndsAt = (text: string, at: number): boolean =>
  WORD.test(text.slice(Math.max(0, at - 2), at).match(/.$/su)?.[0] ?? '');
const wordStartsAt = (text: string, at: number): boolean => WORD.test(text.slice(at, at + 2).match(/^./su)?.[0] ?? '');

/** Of what spells a control token, which is text: see `controlTokens` of `EncodeOptions`. */
export function textTest(controlTokens: boolean | { readonly exceptAt: readonly number[] }): IsText {
  if (typeof controlTokens === 'boolean') return () => !controlTokens;
  const { exceptAt } = controlTokens;
  return (start, end) => {
    // The first place behind the start.
    let low = 0;
    for (let high = exceptAt.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (exceptAt[middle] > start) high = middle;
      else low = middle + 1;
    }
    return low < exceptAt.length && exceptAt[low] < end;
  };
}

/**
 * The added tokens of both files by their text. As in the reference, one that is there twice has what the last says and is
 * special if either is; and ids are not those of the files, but that of the vocabulary or the next. Tokens that
 * tokenizer_config.json names (BOS, EOS, ...) become special ones if tokenizer.json has them in its vocabulary only, as the
 * reference does when it loads a folder.
 */
export function addedTokensOf(
  source: TokenizerFile,
  config: TokenizerConfig,
  vocab: ReadonlyMap<string, number>,
): Map<string, AddedToken> {
  const added = new Map<string, AddedToken>();
  let largest = -1;
  const add = (token: AddedToken) => {
    const { content } = token;
    if (content === '') return;
    const before = added.get(content);
    const id = before?.id ?? vocab.get(content) ?? Math.max(largest + 1, vocab.size);
    largest = Math.max(largest, id);
    added.set(content, { ...token, id, special: token.special || before?.special === true });
  };
  source.added_tokens.forEach(add);
  for (const [id, token] of Object.entries(config.added_tokens_decoder)) {
    if (!added.has(token.content)) add({ ...token, id: Number(id) });
  }
  for (const content of [config.bos_token, config.eos_token, config.pad_token, config.unk_token]) {
    const id = vocab.get(content ?? '');
    if (typeof content !== 'string' || id === undefined || added.has(content)) continue;
    add({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true });
  }
  return added;
}
