/** The normal form of a written answer: what kind of thing it is, read before anything is calculated. */

import { brackets, list, matrix, operation, point } from './collections.ts';
import type { Answer, Read } from './kinds.ts';
import { based, compound, quantity, ratio, symbolic } from './quantities.ts';
import { approximation, member, relation } from './statements.ts';
import { normaliseMaths } from './text.ts';
import { enclosed, is, isWordToken, keyOf, type Token, tokenize } from './tokens.ts';
import { mixedPhrase, phrase } from './words.ts';

const maxDepth = 8;
const labels = ['the', 'final', 'answer', 'is', 'option', 'choice', 'approximately', 'about', 'exactly'];

/** @param joinThousands whether `1,234` is one number */
export function readAnswer(text: string, joinThousands: boolean): Answer {
  const tokens = tokenize(normaliseMaths(text));
  return read(joinThousands ? withThousands(tokens) : tokens, 0);
}

/** `1,234,567` as one number. */
function withThousands(tokens: readonly Token[]): Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (!token) break;
    let text = token.text;
    if (token.kind === 'number' && /^[1-9]\d{0,2}$/.test(text)) {
      for (;;) {
        const [comma, group, after] = [tokens[i + 1], tokens[i + 2], tokens[i + 3]];
        if (!is(comma, ',') || comma?.spaced || group?.kind !== 'number' || group.spaced) break;
        if (!/^\d{3}(?:\.\d*)?$/.test(group.text) || (text.includes('.') && after !== undefined)) break;
        text += group.text;
        i += 2;
      }
    }
    out.push({ ...token, text });
  }
  return out;
}

/** Without what surrounds an answer and says nothing: braces, labels, a sign of equality before it, a full stop after it. */
function trimmed(all: readonly Token[]): Token[] {
  let tokens = [...all];
  for (let size = -1; size !== tokens.length; ) {
    size = tokens.length;
    while (is(tokens.at(-1), '.', ',', ';', ':', '\\\\')) tokens.pop();
    while (is(tokens[0], '=', ':', ',', '\\approx', '\\implies', '\\Rightarrow', '\\quad')) tokens.shift();
    const group = is(tokens[0], '{') ? enclosed(tokens) : undefined;
    if (group) tokens = group.inner;
    while (tokens.length > 1 && isWordToken(tokens[0], ...labels)) tokens.shift();
  }
  return tokens.map((token, i) =>
    isTime(tokens, i)
      ? { ...token, kind: 'word', text: token.text.slice(1) }
      : isWordToken(token, 'negative', 'minus') && tokens[i + 1]?.kind !== 'word' && i + 1 < tokens.length
        ? { ...token, kind: 'sign', text: '-' }
        : token,
  );
}

/** `30 min` and `20 sec` are times, where nothing stands behind that a function could be of. */
function isTime(tokens: readonly Token[], i: number): boolean {
  const [before, here, after] = [tokens[i - 1], tokens[i], tokens[i + 1]];
  return (
    is(here, '\\min', '\\sec') &&
    before?.kind === 'number' &&
    (after === undefined || (here.spaced && after.kind === 'number'))
  );
}

function read(all: readonly Token[], depth: number): Answer {
  const tokens = trimmed(all);
  const unread: Answer = { kind: 'text', key: keyOf(tokens) };
  if (tokens.length === 0 || depth > maxDepth) return unread;
  const inner: Read = (part) => read(part, depth + 1);
  return (
    choice(tokens, inner) ??
    compound(tokens) ??
    list(tokens, inner) ??
    phrase(tokens) ??
    operation(tokens, inner) ??
    member(tokens, inner) ??
    approximation(tokens, inner) ??
    relation(tokens, inner) ??
    matrix(tokens, inner) ??
    brackets(tokens, inner) ??
    point(tokens, inner) ??
    ratio(tokens) ??
    based(tokens) ??
    symbolic(tokens) ??
    quantity(tokens) ??
    mixedPhrase(tokens) ??
    unread
  );
}

/** `(A) 5`, `B. 7`: the letter of a choice with what it stands for. */
function choice(tokens: readonly Token[], inner: Read): Answer | undefined {
  const round = is(tokens[0], '(');
  const letter = tokens[Number(round)];
  const mark = tokens[1 + Number(round)];
  const rest = tokens.slice(2 + Number(round));
  if (letter?.kind !== 'letter' || !/^[A-J]$/.test(letter.text) || !is(mark, ')', ...(round ? [] : ['.', ':'])))
    return undefined;
  if (rest.length === 0) return round ? undefined : { kind: 'value', value: { kind: 'symbol', name: letter.text } };
  if (!rest[0]?.spaced) return undefined;
  return { kind: 'choice', letter: letter.text, content: inner(rest) };
}
