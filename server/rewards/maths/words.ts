/** Answers in words. */
import type { Answer } from './kinds.ts';
import { integer } from './rational.ts';
import { allReals } from './reals.ts';
import { is, type Token } from './tokens.ts';

const numberWords = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');

const isPhrasal = ({ kind }: Token) => kind === 'word' || kind === 'letter';
const phraseKey = (tokens: readonly Token[]) =>
  tokens
    .filter(({ kind }) => kind !== 'sign')
    .map(({ text }) => text.toLowerCase())
    .join(' ');

/** Words alone. */
export function phrase(tokens: readonly Token[]): Answer | undefined {
  if (!tokens.some(({ kind }) => kind === 'word')) return undefined;
  if (!tokens.every((token, i) => isPhrasal(token) || (i > 0 && is(token, '-', '.', '!', '?', "'", '’'))))
    return undefined;
  const key = phraseKey(tokens);
  if (key === 'dne') return { kind: 'words', key: 'does not exist' };
  if (/^(?:all |any |every |set of )*(?:real numbers?|reals?)$/.test(key)) return { kind: 'reals', reals: allReals };
  const digit = numberWords.indexOf(key);
  if (digit >= 0) return { kind: 'value', value: { kind: 'number', value: integer(digit) } };
  if (tokens.length === 1 && tokens[0]?.text === tokens[0]?.text.toUpperCase()) {
    return {
      kind: 'either',
      of: [
        { kind: 'words', key },
        { kind: 'value', value: { kind: 'symbol', name: `"${tokens[0]?.text}` } },
      ],
    };
  }
  return { kind: 'words', key };
}

/** Words with numbers among them, such as a date. */
export function mixedPhrase(tokens: readonly Token[]): Answer | undefined {
  if (!tokens.some(({ kind }) => kind === 'word')) return undefined;
  if (!tokens.every((token) => isPhrasal(token) || token.kind === 'number')) return undefined;
  return { kind: 'words', key: phraseKey(tokens) };
}
