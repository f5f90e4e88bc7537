/** The normal form of a written answer: what kind of thing it is, read before anything is calculated. */
import { lookup } from '../lookup.ts';
import { type Expression, parseExpression } from './expression.ts';
import { integer } from './rational.ts';
import { allReals, complement, type Interval, intersection, isInterval, pointsOf, type Reals } from './reals.ts';
import { normaliseMaths } from './text.ts';
import { depthChange, enclosed, functions, is, isWordToken, keyOf, splitTop, type Token, tokenize } from './tokens.ts';
import { beginsUnit, currencyOf, parseUnit, type Unit } from './unit.ts';

export type Answer =
  | { kind: 'value'; value: Expression; unit?: Unit | undefined }
  /** Quantities that add up, such as 2 hours 30 minutes. */
  | { kind: 'sum'; parts: { value: Expression; unit: Unit }[] }
  | { kind: 'words'; key: string }
  /** Not understood: equal to the same tokens only. */
  | { kind: 'text'; key: string }
  /** `joint`: how statements about variables, or words, are joined. */
  | { kind: 'list'; items: Answer[]; joint?: 'and' | 'or' | undefined }
  | { kind: 'set'; items: Answer[] }
  | { kind: 'tuple'; open: string; close: string; items: Answer[] }
  | { kind: 'reals'; reals: Reals; variable?: string | undefined }
  | { kind: 'union'; items: Answer[] }
  | { kind: 'relation'; sides: Expression[]; signs: string[] }
  /** `x = 5`, `f(x) = 2x`: the last value is what is said, and the others must equal it. */
  | { kind: 'named'; name: string; values: Answer[]; relation?: Answer | undefined }
  | { kind: 'matrix'; rows: Answer[][]; bars: boolean }
  | { kind: 'ratio'; terms: Expression[]; clock: boolean }
  | { kind: 'based'; digits: string; base: number }
  | { kind: 'choice'; letter: string; content: Answer }
  | { kind: 'either'; of: Answer[] };

const maxDepth = 8;
const maxItems = 64;
const relations = ['=', '<', '>', '\\le', '\\ge', '\\ne'];
const labels = ['the', 'final', 'answer', 'is', 'option', 'choice', 'approximately', 'about', 'exactly'];
const numberWords = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');

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
    isWordToken(token, 'negative', 'minus') && tokens[i + 1]?.kind !== 'word' && i + 1 < tokens.length
      ? { ...token, kind: 'sign', text: '-' }
      : token,
  );
}

function read(all: readonly Token[], depth: number): Answer {
  const tokens = trimmed(all);
  const unread: Answer = { kind: 'text', key: keyOf(tokens) };
  if (tokens.length === 0 || depth > maxDepth) return unread;
  return (
    choice(tokens, depth) ??
    compound(tokens) ??
    list(tokens, depth) ??
    phrase(tokens) ??
    operation(tokens, depth) ??
    member(tokens, depth) ??
    approximation(tokens, depth) ??
    relation(tokens, depth) ??
    matrix(tokens, depth) ??
    brackets(tokens, depth) ??
    ratio(tokens) ??
    based(tokens) ??
    symbolic(tokens) ??
    quantity(tokens) ??
    mixedPhrase(tokens) ??
    unread
  );
}

/** `(A) 5`, `B. 7`: the letter of a choice with what it stands for. */
function choice(tokens: readonly Token[], depth: number): Answer | undefined {
  const round = is(tokens[0], '(');
  const letter = tokens[Number(round)];
  const mark = tokens[1 + Number(round)];
  const rest = tokens.slice(2 + Number(round));
  if (letter?.kind !== 'letter' || !/^[A-J]$/.test(letter.text) || !is(mark, ')', ...(round ? [] : ['.', ':'])))
    return undefined;
  if (rest.length === 0) return round ? undefined : { kind: 'value', value: { kind: 'symbol', name: letter.text } };
  if (!rest[0]?.spaced) return undefined;
  return { kind: 'choice', letter: letter.text, content: read(rest, depth + 1) };
}

/** 2 hours and 30 minutes, 5 ft 6 in. */
function compound(tokens: readonly Token[]): Answer | undefined {
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

const separates = (token: Token) => is(token, ',', ';', '&') || isWordToken(token, 'and', 'or');

/** An item with `\pm` written out as two. */
function withoutPlusMinus(item: readonly Token[]): Token[][] {
  if (!item.some((token) => is(token, '\\pm', '\\mp'))) return [[...item]];
  const choose = (plus: string, minus: string) =>
    item.map((token): Token => {
      if (is(token, '\\pm')) return { ...token, kind: 'sign', text: plus };
      return is(token, '\\mp') ? { ...token, kind: 'sign', text: minus } : token;
    });
  return [choose('+', '-'), choose('-', '+')];
}

function itemsOf(tokens: readonly Token[], depth: number): { items: Answer[]; found: Token[] } | undefined {
  const { items, found } = splitTop(tokens, separates);
  const all = items.filter((item) => item.length > 0).flatMap(withoutPlusMinus);
  return all.length > maxItems ? undefined : { items: all.map((item) => read(item, depth + 1)), found };
}

function list(tokens: readonly Token[], depth: number): Answer | undefined {
  const split = itemsOf(tokens, depth);
  if (!split || split.items.length < 2) return undefined;
  const { items, found } = split;
  const either = found.length > 0 && found.every((token) => isWordToken(token, 'or'));
  const both = !found.some((token) => isWordToken(token, 'or'));
  if (!items.some(isStatement)) {
    // 2 and 3 are the values that 2 or 3 are; of names that cannot be said.
    const joint = either ? 'or' : both && found.some(({ kind }) => kind === 'word') ? 'and' : undefined;
    return { kind: 'list', items, joint: items.some(isName) ? joint : undefined };
  }
  if (!either && !both) return undefined;
  const apart: Answer = { kind: 'list', items, joint: either ? 'or' : 'and' };
  const sets = items.map(realsOf);
  const variables = new Set(items.map(variableOf));
  // Between inequalities a comma may mean either.
  const said = found.every(({ kind }) => kind === 'word') && found.length > 0;
  if (!said || variables.size !== 1 || sets.some((set) => set === undefined)) return apart;
  const all = sets.flatMap((set) => (set ? [set] : []));
  const reals = either
    ? all.flat()
    : all.reduce<Reals | undefined>((met, set) => met && intersection(met, set), allReals);
  return reals ? { kind: 'reals', reals, variable: variableOf(items[0]) } : apart;
}

/** Whether an answer is words or a letter. */
function isName(answer: Answer): boolean {
  if (answer.kind === 'either') return answer.of.some(isName);
  return answer.kind === 'words' || (answer.kind === 'value' && answer.value.kind === 'symbol');
}

/** Whether an answer says something about a variable that more than one value fits. */
function isStatement(answer: Answer): boolean {
  if (answer.kind === 'either') return answer.of.some((reading) => reading.kind === 'relation');
  return answer.kind === 'relation' || (answer.kind === 'reals' && answer.variable !== undefined);
}

function variableOf(answer: Answer | undefined): string | undefined {
  if (answer?.kind === 'either') return answer.of.map(variableOf).find((name) => name !== undefined);
  return answer?.kind === 'reals' ? answer.variable : undefined;
}

/** The real numbers that an answer stands for; a set of numbers is one of points. */
function realsOf(answer: Answer): Reals | undefined {
  if (answer.kind === 'reals') return answer.reals;
  if (answer.kind === 'either') return answer.of.map(realsOf).find((reals) => reals !== undefined);
  if (answer.kind !== 'set') return undefined;
  const values = answer.items.flatMap((item) => (item.kind === 'value' && !item.unit ? item.value : []));
  return values.length === answer.items.length ? pointsOf(values) : undefined;
}

const isPhrasal = ({ kind }: Token) => kind === 'word' || kind === 'letter';
const phraseKey = (tokens: readonly Token[]) =>
  tokens
    .filter(({ kind }) => kind !== 'sign')
    .map(({ text }) => text.toLowerCase())
    .join(' ');

/** Words alone. */
function phrase(tokens: readonly Token[]): Answer | undefined {
  if (!tokens.some(({ kind }) => kind === 'word')) return undefined;
  if (!tokens.every((token, i) => isPhrasal(token) || (i > 0 && is(token, '-', '.', '!', '?', "'", '’'))))
    return undefined;
  const key = phraseKey(tokens);
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
function mixedPhrase(tokens: readonly Token[]): Answer | undefined {
  if (!tokens.some(({ kind }) => kind === 'word')) return undefined;
  if (!tokens.every((token) => isPhrasal(token) || token.kind === 'number')) return undefined;
  return { kind: 'words', key: phraseKey(tokens) };
}

/** Unions, intersections and differences of sets. */
function operation(tokens: readonly Token[], depth: number): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, '\\cup', '\\cap', '\\setminus'));
  if (found.length === 0) return undefined;
  if (items.some((item) => item.length === 0)) return undefined;
  const parts = items.map((item) => read(item, depth + 1));
  const sets = parts.map(realsOf);
  let reals = sets[0];
  for (const [i, sign] of found.entries()) {
    const next = sets[i + 1];
    if (!reals || !next) break;
    const other = is(sign, '\\cup', '\\cap') ? next : complement(next);
    reals = is(sign, '\\cup') ? [...reals, ...next] : other && intersection(reals, other);
  }
  if (reals && sets.every((set) => set !== undefined)) {
    const members = parts.flatMap((part) => (part.kind === 'set' ? part.items : []));
    if (found.every((sign) => is(sign, '\\cup')) && parts.every(({ kind }) => kind === 'set')) {
      return { kind: 'set', items: members };
    }
    return { kind: 'reals', reals };
  }
  return found.every((sign) => is(sign, '\\cup')) ? { kind: 'union', items: parts } : undefined;
}

/** `x \in [1, 2)`. */
function member(tokens: readonly Token[], depth: number): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, '\\in'));
  const [left, right] = items;
  if (found.length !== 1 || !left || !right) return undefined;
  const name = nameOf(left);
  if (name === undefined) return undefined;
  const set = read(right, depth + 1);
  return set.kind === 'reals' ? { ...set, variable: name } : set.kind === 'text' ? undefined : set;
}

/** `x \approx 1.41`: what is said of a name. Two values that are near each other are not told apart here. */
function approximation(tokens: readonly Token[], depth: number): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, '\\approx', '\\simeq'));
  const [left, right] = items;
  if (found.length !== 1 || !left || !right || right.length === 0) return undefined;
  const said = read(right, depth + 1);
  const name = nameOf(left);
  return name === undefined ? undefined : { kind: 'named', name, values: [said] };
}

const isLetter = (token: Token | undefined) => token?.kind === 'letter';
const greek = /^\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|rho|sigma|tau|phi|psi|omega|Delta|Omega)$/;

/** Tokens as the name of what they are said to equal: `x`, `f(x)`, `a + b`, `AB`, `P(A)`, `\angle ABC`, words. */
function nameOf(tokens: readonly Token[]): string | undefined {
  const key = keyOf(tokens);
  if (tokens.length === 0) return undefined;
  if (tokens.every(({ kind }) => kind === 'word' || kind === 'letter') && tokens.some(({ kind }) => kind === 'word'))
    return key;
  // f^{-1}(x), a_1', P(A | B)
  if (/^(?:[A-Za-z]|\\[A-Za-z]+)(?: _ (?:\w+|\{ [\w ,]+ \}))?(?: ')*(?: \^ \{ - 1 \})?(?: \( [^=<>]+ \))?$/.test(key)) {
    return isLetter(tokens[0]) || greek.test(tokens[0]?.text ?? '') ? key : undefined;
  }
  if (/^\\vec \{ [A-Za-z] \}$/.test(key)) return key;
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

function relation(tokens: readonly Token[], depth: number): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => token.kind !== 'word' && relations.includes(token.text));
  const colon = found.length === 0 ? labelled(tokens, depth) : undefined;
  if (colon || found.length === 0) return colon;
  if (items.some((item) => item.length === 0)) return undefined;
  const signs = found.map(({ text }) => text);
  const parsed = items.map((item) => parseExpression(item));
  const sides = parsed.flatMap((side) => side ?? []);
  const asRelation: Answer | undefined = sides.length === items.length ? { kind: 'relation', sides, signs } : undefined;
  if (signs.every((sign) => sign === '=')) {
    const [first = [], ...others] = items;
    const name = nameOf(first);
    if (name !== undefined)
      return { kind: 'named', name, values: others.map((item) => read(item, depth + 1)), relation: asRelation };
    const last = items.at(-1) ?? [];
    if (items.length === 2 && last.length === 1 && isLetter(last[0])) {
      return { kind: 'named', name: keyOf(last), values: [read(first, depth + 1)], relation: asRelation };
    }
    const constant = items.every((item) => !item.some((token) => isLetter(token) && !is(token, 'e', 'i')));
    if (constant && asRelation)
      return { kind: 'named', name: '', values: items.map((item) => read(item, depth + 1)), relation: asRelation };
    return asRelation;
  }
  const set = inequality(items, signs);
  return set && asRelation ? { kind: 'either', of: [set, asRelation] } : (set ?? asRelation);
}

/** `Total: 5`. */
function labelled(tokens: readonly Token[], depth: number): Answer | undefined {
  const at = tokens.findIndex((token) => is(token, ':'));
  if (at < 1 || !tokens.slice(0, at).every(({ kind }) => kind === 'word')) return undefined;
  return { kind: 'named', name: keyOf(tokens.slice(0, at)), values: [read(tokens.slice(at + 1), depth + 1)] };
}

/** What an inequality in one variable says about it. */
function inequality(items: readonly Token[][], signs: readonly string[]): Answer | undefined {
  const at =
    items.length === 3
      ? 1
      : items.findIndex((item) => nameOf(item) !== undefined && isLetter(item[0]) && !item.some((t) => is(t, '+')));
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
function endOf(tokens: readonly Token[]): { value: Expression | undefined; sign: number } | undefined {
  const key = keyOf(tokens);
  if (/^(?:\+ )?\\infty$/.test(key)) return { value: undefined, sign: 1 };
  if (key === '- \\infty') return { value: undefined, sign: -1 };
  const value = parseExpression(tokens);
  return value && { value, sign: 0 };
}

function matrix(tokens: readonly Token[], depth: number): Answer | undefined {
  const [open] = tokens;
  if (open?.kind !== 'begin') return undefined;
  const transposed = /\^ (?:T|\\top|\{ (?:T|\\top) \})$/.exec(keyOf(tokens));
  const body = transposed
    ? tokens.slice(
        0,
        tokens.findLastIndex((token) => is(token, '^')),
      )
    : tokens;
  const around = enclosed(body);
  if (!around || !/^(?:[pbvBV]?matrix|smallmatrix|array)$/.test(open.text)) return undefined;
  const lines = splitTop(around.inner, (token) => is(token, '\\\\')).items.filter((line) => line.length > 0);
  const rows = lines.map((line) =>
    splitTop(line, (token) => is(token, '&')).items.map((cell) => read(cell, depth + 1)),
  );
  const [first] = rows;
  if (!first || rows.length * first.length > maxItems * 4 || rows.some((row) => row.length !== first.length))
    return undefined;
  const turned = first.map((_, j) => rows.flatMap((row) => row[j] ?? []));
  return { kind: 'matrix', rows: transposed ? turned : rows, bars: /^[vV]/.test(open.text) };
}

function brackets(tokens: readonly Token[], depth: number): Answer | undefined {
  const around = enclosed(tokens);
  if (!around) return undefined;
  const { inner } = around;
  const [open, close] = [around.open.text, around.close.text];
  if (open === '\\{' && close === '\\}') return setOf(inner, depth);
  if (!['(', '[', '\\langle'].includes(open)) return undefined;
  const parts = splitTop(inner, (token) => is(token, ',', ';')).items;
  if (parts.length === 1) return open === '(' && close === ')' ? read(inner, depth + 1) : undefined;
  if (parts.length > maxItems || parts.some((part) => part.length === 0)) return undefined;
  const items = parts.map((part) => read(part, depth + 1));
  const tuple: Answer = { kind: 'tuple', open, close, items };
  const [low, high] = parts.map(endOf);
  if (parts.length !== 2 || !low || !high || open === '\\langle' || low.sign > 0 || high.sign < 0) return tuple;
  const interval: Interval = {
    low: low.value,
    high: high.value,
    lowClosed: open === '[' && low.value !== undefined,
    highClosed: close === ']' && high.value !== undefined,
  };
  return isInterval(interval) ? { kind: 'either', of: [{ kind: 'reals', reals: [interval] }, tuple] } : tuple;
}

function setOf(inner: readonly Token[], depth: number): Answer | undefined {
  if (inner.length === 0) return { kind: 'set', items: [] };
  const { items, found } = splitTop(inner, (token) => is(token, '|', ':'));
  const [left, right] = items;
  if (found.length === 1 && left && right) {
    const said = read(right, depth + 1);
    const name = nameOf(left) ?? nameOf(splitTop(left, (token) => is(token, '\\in')).items[0] ?? []);
    return name !== undefined && realsOf(said) ? said : undefined;
  }
  const split = itemsOf(inner, depth);
  return split && { kind: 'set', items: split.items };
}

function ratio(tokens: readonly Token[]): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, ':') || isWordToken(token, 'to'));
  if (found.length === 0) return undefined;
  if (items.some((item) => item.some(({ kind }) => kind === 'word'))) return undefined;
  const terms = items.flatMap((item) => parseExpression(item) ?? []);
  if (terms.length !== items.length) return undefined;
  const [first, second] = items.map(keyOf);
  const clock = items.length === 2 && /^\d{1,2}$/.test(first ?? '') && /^[0-5]\d$/.test(second ?? '');
  return { kind: 'ratio', terms, clock };
}

/** Digits written in a base, such as `1011_2` or `4A_{16}`. */
function based(tokens: readonly Token[]): Answer | undefined {
  const key = keyOf(tokens).replace(/ /g, '');
  const match = /^([{(]?)([0-9A-Fa-f]+)[})]?_\{?(\d{1,2})\}?$/.exec(key);
  const base = Number(match?.[3]);
  if (!match?.[2] || !/\d/.test(match[2]) || base < 2 || base > 36) return undefined;
  const digits = match[2].toUpperCase();
  if ([...digits].some((digit) => Number.parseInt(digit, 36) >= base)) return undefined;
  return { kind: 'based', digits, base };
}

function symbolic(tokens: readonly Token[]): Answer | undefined {
  const key = keyOf(tokens);
  if (key === '\\R' || key === '( - \\infty , \\infty )') return { kind: 'reals', reals: allReals };
  if (key === '\\emptyset') return { kind: 'set', items: [] };
  const infinite = endOf(tokens);
  return infinite && infinite.sign !== 0
    ? { kind: 'words', key: infinite.sign > 0 ? '\\infty' : '-\\infty' }
    : undefined;
}

/** A number or expression with what stands before and behind it: currency, scale, unit, per cent. */
function quantity(tokens: readonly Token[]): Answer | undefined {
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
