/** Answers in words. */
import type { Answer } from './kinds.ts';
import { integer, type Rational, rational } from './rational.ts';
import { allReals } from './reals.ts';
import { is, type Token } from './tokens.ts';

const small =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const tens = '_ _ twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');

/** A number in words up to 999 999, or undefined. */
function numberInWords(key: string): number | undefined {
  const words = key.split(' ').filter((word) => word !== 'and');
  const thousand = words.indexOf('thousand');
  if (thousand >= 0) {
    const before = belowThousand(words.slice(0, thousand));
    const rest = thousand + 1 < words.length ? belowThousand(words.slice(thousand + 1)) : 0;
    return before === undefined || before === 0 || rest === undefined ? undefined : 1000 * before + rest;
  }
  return belowThousand(words);
}

function belowThousand(words: readonly string[]): number | undefined {
  if (words[1] === 'hundred') {
    const hundreds = small.indexOf(words[0] ?? '');
    const rest = words.length > 2 ? belowHundred(words.slice(2)) : 0;
    return hundreds < 1 || hundreds > 9 || rest === undefined ? undefined : 100 * hundreds + rest;
  }
  return belowHundred(words);
}

function belowHundred([first = '', second, ...more]: readonly string[]): number | undefined {
  if (more.length > 0) return undefined;
  const ten = tens.indexOf(first);
  if (second === undefined) return ten > 1 ? 10 * ten : small.includes(first) ? small.indexOf(first) : undefined;
  const unit = small.indexOf(second);
  return ten > 1 && unit > 0 && unit < 10 ? 10 * ten + unit : undefined;
}

const parts = 'half third fourth fifth sixth seventh eighth ninth tenth'.split(' ');

/** `half`, `a third`, `three quarters`; undefined for anything else, such as `third`. */
function fractionInWords(key: string): Rational | undefined {
  const [first = '', second, ...more] = key === 'half' ? ['one', key] : key.split(' ');
  const part =
    second
      ?.replace(/^halves$/, 'half')
      .replace(/^quarter/, 'fourth')
      .replace(/s$/, '') ?? '';
  const top = first === 'a' ? 1 : small.indexOf(first);
  const at = parts.indexOf(part);
  return more.length > 0 || top < 1 || at < 0 ? undefined : rational(BigInt(top), BigInt(at + 2));
}

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
  const said = numberInWords(key);
  if (said !== undefined) return { kind: 'value', value: { kind: 'number', value: integer(said) } };
  const share = fractionInWords(key);
  if (share !== undefined) return { kind: 'value', value: { kind: 'number', value: share } };
  if (/^(?:there (?:is|are) )?no (?:real )?solutions?$|^(?:the )?empty set$/.test(key))
    return { kind: 'set', items: [] };
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
