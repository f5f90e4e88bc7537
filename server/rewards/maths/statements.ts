/** What is said of a name: equations, approximations, inequalities and sets that it is in. */
import { lookup } from '../lookup.ts';
import { type Expression, parseExpression } from './expression.ts';
import type { Answer, Read } from './kinds.ts';
import { integer } from './rational.ts';
import { complement, type Interval, pointsOf } from './reals.ts';
import { is, keyOf, splitTop, type Token } from './tokens.ts';
import { numberOf } from './value.ts';

const relations = ['=', '<', '>', '\\le', '\\ge', '\\ne'];

/** `x \in [1, 2)`. */
export function member(tokens: readonly Token[], inner: Read): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, '\\in'));
  const [left, right] = items;
  if (found.length !== 1 || !left || !right) return undefined;
  const name = subjectOf(left);
  if (name === undefined) return undefined;
  const set = inner(right);
  return set.kind === 'reals' ? { ...set, variable: name } : set.kind === 'text' ? undefined : set;
}

/** `x \approx 1.41`: what is said of a name. Two values that are near each other are not told apart here. */
export function approximation(tokens: readonly Token[], inner: Read): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, '\\approx', '\\simeq'));
  const [left, right] = items;
  if (found.length !== 1 || !left || !right || right.length === 0) return undefined;
  const said = inner(right);
  const name = subjectOf(left);
  return name === undefined ? undefined : { kind: 'named', name, values: [said] };
}

const isLetter = (token: Token | undefined) => token?.kind === 'letter';
const greek = /^\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|rho|sigma|tau|phi|psi|omega|Delta|Omega)$/;

/** A length, an area, a number with a letter: `AB`, `S_{ABC}`, `m`. */
const measured = '[A-Za-z](?: [A-Z])*(?: _ (?:\\w+|\\{ [\\w "]+ \\}))?';
/** `\frac{AB}{CD}`, `V_1 : V_2`, `m / n`: two of them, whose ratio is asked for. */
const ratioOfNames = new RegExp(`^(?:\\\\frac \\{ ${measured} \\} \\{ ${measured} \\}|${measured} [:/] ${measured})$`);

/** Tokens as the name of what they are said to equal: `x`, `f(x)`, `a + b`, `AB`, `P(A)`, `\angle ABC`, words. */
export function subjectOf(tokens: readonly Token[]): string | undefined {
  const key = keyOf(tokens);
  if (tokens.length === 0) return undefined;
  if (tokens.every(({ kind }) => kind === 'word' || kind === 'letter') && tokens.some(({ kind }) => kind === 'word'))
    return key;
  // f^{-1}(x), a_1', P(A | B)
  if (/^(?:[A-Za-z]|\\[A-Za-z]+)(?: _ (?:\w+|\{ [\w ,]+ \}))?(?: ')*(?: \^ \{ - 1 \})?(?: \( [^=<>]+ \))?$/.test(key)) {
    return isLetter(tokens[0]) || greek.test(tokens[0]?.text ?? '') ? key : undefined;
  }
  if (/^\\vec \{ [A-Za-z] \}$/.test(key)) return key;
  if (ratioOfNames.test(key)) return key;
  if (/^[A-Za-z](?: \+ [A-Za-z])+$/.test(key) || /^[A-Z] [A-Z]$/.test(key)) return key;
  if (
    /^(?:\\angle|\\triangle|m \\angle|\\overline \{|\||\[) ?(?:[A-Z]|"[a-z]+")(?: [A-Z])*(?: \}| \||\s?\])?$/.test(key)
  )
    return key;
  if (/^\( [A-Za-z](?: , [A-Za-z])+ \)$/.test(key)) return key;
  if (/^\\(?:sin|cos|tan) (?:[A-Za-z]|\\[a-z]+)$/.test(key) || /^\\frac \{ d [a-z] \} \{ d [a-z] \}$/.test(key))
    return key;
  return undefined;
}

const flip = lookup<string>({ '<': '>', '>': '<', '\\le': '\\ge', '\\ge': '\\le' });

export function relation(tokens: readonly Token[], inner: Read): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => token.kind !== 'word' && relations.includes(token.text));
  const colon = found.length === 0 ? labelled(tokens, inner) : undefined;
  if (colon || found.length === 0) return colon;
  if (items.some((item) => item.length === 0)) return undefined;
  const signs = found.map(({ text }) => text);
  const parsed = items.map((item) => parseExpression(item));
  const sides = parsed.flatMap((side) => side ?? []);
  const asRelation: Answer | undefined = sides.length === items.length ? { kind: 'relation', sides, signs } : undefined;
  if (signs.every((sign) => sign === '=')) {
    const [first = [], ...others] = items;
    const name = subjectOf(first);
    if (name !== undefined)
      return { kind: 'named', name, values: others.map((item) => inner(item)), relation: asRelation };
    const last = items.at(-1) ?? [];
    if (items.length === 2 && last.length === 1 && isLetter(last[0])) {
      return { kind: 'named', name: keyOf(last), values: [inner(first)], relation: asRelation };
    }
    const constant = items.every((item) => !item.some((token) => isLetter(token) && !is(token, 'e', 'i')));
    if (constant && asRelation)
      return { kind: 'named', name: '', values: items.map((item) => inner(item)), relation: asRelation };
    return asRelation;
  }
  const set = inequality(items, signs);
  return set && asRelation ? { kind: 'either', of: [set, asRelation] } : (set ?? asRelation);
}

/** `Total: 5`. */
function labelled(tokens: readonly Token[], inner: Read): Answer | undefined {
  const at = tokens.findIndex((token) => is(token, ':'));
  if (at < 1 || !tokens.slice(0, at).every(({ kind }) => kind === 'word')) return undefined;
  return { kind: 'named', name: keyOf(tokens.slice(0, at)), values: [inner(tokens.slice(at + 1))] };
}

/** `|x| < 2`: how far from nought. */
function absolute([left = [], right = []]: readonly Token[][], [sign]: readonly string[]): Answer | undefined {
  const variable = /^\| ([a-z]) \|$/.exec(keyOf(left))?.[1];
  const high = parseExpression(right);
  if (variable === undefined || !high || !((numberOf(high) ?? -1) > 0)) return undefined;
  const low: Expression = { kind: 'operation', sign: '-', left: { kind: 'number', value: integer(0n) }, right: high };
  const closed = sign === '\\le' || sign === '\\ge';
  const open = { low: undefined, high: undefined, lowClosed: false, highClosed: false };
  if (sign === '<' || sign === '\\le')
    return { kind: 'reals', reals: [{ low, high, lowClosed: closed, highClosed: closed }], variable };
  if (sign !== '>' && sign !== '\\ge') return undefined;
  const outside = [
    { ...open, high: low, highClosed: closed },
    { ...open, low: high, lowClosed: closed },
  ];
  return { kind: 'reals', reals: outside, variable };
}

/** What an inequality in one variable says about it. */
function inequality(items: readonly Token[][], signs: readonly string[]): Answer | undefined {
  const at =
    items.length === 3
      ? 1
      : items.findIndex((item) => subjectOf(item) !== undefined && isLetter(item[0]) && !item.some((t) => is(t, '+')));
  const distance = items.length === 2 ? absolute(items, signs) : undefined;
  if (distance) return distance;
  if (at < 0 || items.length > 3 || (items.length === 3 && at !== 1)) return undefined;
  const variable = keyOf(items[at] ?? []);
  let interval: Interval = { low: undefined, high: undefined, lowClosed: false, highClosed: false };
  for (const [i, item] of items.entries()) {
    if (i === at) continue;
    const sign = signs[Math.min(i, at)] ?? '';
    const read = i > at ? sign : (flip[sign] ?? sign);
    const infinite = endOf(item);
    if (!infinite || item.some((token) => keyOf([token]) === variable)) return undefined;
    const { value } = infinite;
    if (read === '\\ne' && items.length === 2 && value) {
      const reals = complement(pointsOf([value]));
      return reals && { kind: 'reals', reals, variable };
    }
    if (read === '>' || read === '\\ge')
      interval = { ...interval, low: value, lowClosed: read === '\\ge' && value !== undefined };
    else if (read === '<' || read === '\\le') {
      interval = { ...interval, high: value, highClosed: read === '\\le' && value !== undefined };
    } else return undefined;
    if (infinite.sign !== 0 && infinite.sign > 0 !== (read === '<' || read === '\\le')) return undefined;
  }
  const both = items.length === 3 && signs.every((sign) => sign === '<' || sign === '\\le');
  const turned = items.length === 3 && signs.every((sign) => sign === '>' || sign === '\\ge');
  return items.length === 2 || both || turned ? { kind: 'reals', reals: [interval], variable } : undefined;
}

/** An end of an interval; `sign` is that of an infinite one, else 0. */
export function endOf(tokens: readonly Token[]): { value: Expression | undefined; sign: number } | undefined {
  const key = keyOf(tokens);
  if (/^(?:\+ )?\\infty$/.test(key)) return { value: undefined, sign: 1 };
  if (key === '- \\infty') return { value: undefined, sign: -1 };
  const value = parseExpression(tokens);
  return value && { value, sign: 0 };
}
