/** Numbers as they are written: with units and currencies, as ratios, in a base. */

import { lookup } from '../lookup.ts';
import { type Expression, parseExpression } from './expression.ts';
import type { Answer } from './kinds.ts';
import { allReals } from './reals.ts';
import { endOf } from './statements.ts';
import { depthChange, functions, is, isWordToken, keyOf, splitTop, type Token } from './tokens.ts';
import { beginsUnit, currencyOf, parseUnit, type Unit } from './unit.ts';

/** 2 hours and 30 minutes, 5 ft 6 in. */
export function compound(tokens: readonly Token[]): Answer | undefined {
  const parts: { value: Expression; unit: Unit }[] = [];
  let at = 0;
  while (at < tokens.length) {
    if (parts.length > 0 && (isWordToken(tokens[at], 'and') || is(tokens[at], ','))) at += 1;
    let end = at + 1;
    while (end < tokens.length && tokens[end]?.kind !== 'number' && !isWordToken(tokens[end], 'and')) end += 1;
    const [number] = tokens.slice(at, at + 1);
    const value = number?.kind === 'number' ? parseExpression([number]) : undefined;
    const unit = parseUnit(tokens.slice(at + 1, end));
    if (!value || !unit?.measure) return undefined;
    parts.push({ value, unit });
    at = end;
  }
  const dimensions = new Set(parts.map(({ unit }) => unit.measure?.dimension));
  const kinds = new Set(parts.map(({ unit }) => `${unit.measure?.factor.top}/${unit.measure?.factor.bottom}`));
  if (parts.length < 2 || dimensions.size !== 1 || kinds.size !== parts.length) return undefined;
  return { kind: 'sum', parts };
}

export function ratio(said: readonly Token[]): Answer | undefined {
  const last = said.at(-1);
  const half = isWordToken(last, 'am', 'pm') ? last?.text.toLowerCase() : undefined;
  const tokens = half === undefined ? said : said.slice(0, -1);
  const { items, found } = splitTop(tokens, (token) => is(token, ':') || isWordToken(token, 'to'));
  if (found.length === 0) return undefined;
  if (items.some((item) => item.some(({ kind }) => kind === 'word'))) return undefined;
  const terms = items.flatMap((item) => parseExpression(item) ?? []);
  if (terms.length !== items.length) return undefined;
  const [first, second] = items.map(keyOf);
  const clock = items.length === 2 && /^\d{1,2}$/.test(first ?? '') && /^[0-5]\d$/.test(second ?? '');
  if (half !== undefined && !clock) return undefined;
  return { kind: 'ratio', terms, clock, half };
}

const basesInWords = lookup<number>({
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  twelve: 12,
  sixteen: 16,
});

/** Digits written in a base, such as `1011_2` or `4A_{16}`. */
export function based(tokens: readonly Token[]): Answer | undefined {
  const key = keyOf(tokens).replace(/[ "]/g, '');
  const match =
    /^([{(]?)([0-9A-Fa-f]+)[})]?_\{?(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)\}?$/.exec(
      key,
    );
  const base = basesInWords[match?.[3] ?? ''] ?? Number(match?.[3]);
  if (!match?.[2] || (!/\d/.test(match[2]) && base <= 10) || base < 2 || base > 36) return undefined;
  const digits = match[2].toUpperCase();
  if ([...digits].some((digit) => Number.parseInt(digit, 36) >= base)) return undefined;
  return { kind: 'based', digits, base };
}

export function symbolic(tokens: readonly Token[]): Answer | undefined {
  const key = keyOf(tokens);
  if (key === '\\R' || key === '( - \\infty , \\infty )') return { kind: 'reals', reals: allReals };
  if (key === '\\emptyset') return { kind: 'set', items: [] };
  const infinite = endOf(tokens);
  return infinite && infinite.sign !== 0
    ? { kind: 'words', key: infinite.sign > 0 ? '\\infty' : '-\\infty' }
    : undefined;
}

/** A number or expression with what stands before and behind it: currency, scale, unit, per cent. */
export function quantity(tokens: readonly Token[]): Answer | undefined {
  const at = is(tokens[0], '-', '+') ? 1 : 0;
  const money = currencyOf(tokens[at]);
  const rest = money ? [...tokens.slice(0, at), ...tokens.slice(at + 1)] : [...tokens];
  const angles = rest.some(({ kind, text }) => kind === 'command' && functions.has(text.slice(1)));
  let depth = 0;
  for (const [i, token] of rest.entries()) {
    depth += depthChange(token);
    if (i === 0 || depth !== 0 || !beginsUnit(token) || (token.text === '°' && angles)) continue;
    const head = rest.slice(0, i);
    if (head.some((before) => before.text === '°')) continue;
    const unit = parseUnit(rest.slice(i));
    const value = unit && parseExpression(head);
    if (!unit || !value) continue;
    if (money) return withMoney(value, money, unit);
    const product = token.kind === 'letter' && !token.quoted ? parseExpression(rest) : undefined;
    const reading: Answer = { kind: 'value', value, unit };
    return product ? { kind: 'either', of: [reading, { kind: 'value', value: product }] } : reading;
  }
  const value = parseExpression(rest);
  return value && { kind: 'value', value, unit: money };
}

/** `\$2 million`, `\$5 dollars`: the second unit must fit the first. */
function withMoney(value: Expression, money: Unit, unit: Unit): Answer | undefined {
  if (unit.percent || (unit.measure && unit.measure.dimension !== money.measure?.dimension)) return undefined;
  return { kind: 'value', value, unit: { ...money, scale: unit.scale } };
}
