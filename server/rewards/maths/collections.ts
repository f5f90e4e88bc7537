/** Answers of several parts: lists, sets and what is done with them, intervals and tuples, matrices. */
import { type Answer, isName, isStatement, type Read, realsOf, variableOf } from './kinds.ts';
import { allReals, complement, type Interval, intersection, isInterval, leavesOut, type Reals } from './reals.ts';
import { endOf, subjectOf } from './statements.ts';
import { enclosed, is, isWordToken, keyOf, splitTop, type Token } from './tokens.ts';

const maxItems = 64;

const separates = (token: Token) => is(token, ',', ';', '&') || isWordToken(token, 'and', 'or');

/** An item with `\pm` written out as two. */
function withoutPlusMinus(item: readonly Token[]): Token[][] {
  // Inside of a set it makes two members, and not two sets.
  const isSet = is(item[0], '\\{') && enclosed(item) !== undefined;
  if (isSet || !item.some((token) => is(token, '\\pm', '\\mp'))) return [[...item]];
  const choose = (plus: string, minus: string) =>
    item.map((token): Token => {
      if (is(token, '\\pm')) return { ...token, kind: 'sign', text: plus };
      return is(token, '\\mp') ? { ...token, kind: 'sign', text: minus } : token;
    });
  return [choose('+', '-'), choose('-', '+')];
}

/** @param least items; of fewer none is read: a list of one is what it was read from, and would be read again in itself */
function itemsOf(tokens: readonly Token[], inner: Read, least = 0): { items: Answer[]; found: Token[] } | undefined {
  const { items, found } = splitTop(tokens, separates);
  const all = items.filter((item) => item.length > 0).flatMap(withoutPlusMinus);
  return all.length > maxItems || all.length < least ? undefined : { items: all.map((item) => inner(item)), found };
}

export function list(tokens: readonly Token[], inner: Read): Answer | undefined {
  const split = itemsOf(tokens, inner, 2);
  if (!split) return undefined;
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
  // Between inequalities a comma may mean either; beside what is left out it means both.
  const holes = sets.some((set) => set !== undefined && leavesOut(set));
  const said = found.every(({ kind }) => kind === 'word' || holes) && found.length > 0;
  if (!said || variables.size !== 1 || sets.some((set) => set === undefined)) return apart;
  const all = sets.flatMap((set) => (set ? [set] : []));
  const reals = either
    ? all.flat()
    : all.reduce<Reals | undefined>((met, set) => met && intersection(met, set), allReals);
  return reals ? { kind: 'reals', reals, variable: variableOf(items[0]) } : apart;
}

/** Unions, intersections and differences of sets. */
export function operation(tokens: readonly Token[], inner: Read): Answer | undefined {
  const { items, found } = splitTop(tokens, (token) => is(token, '\\cup', '\\cap', '\\setminus'));
  if (found.length === 0) return undefined;
  if (items.some((item) => item.length === 0)) return undefined;
  const parts = items.map((item) => inner(item));
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

export function matrix(tokens: readonly Token[], inner: Read): Answer | undefined {
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
  const rows = lines.map((line) => splitTop(line, (token) => is(token, '&')).items.map((cell) => inner(cell)));
  const [first] = rows;
  if (!first || rows.length * first.length > maxItems * 4 || rows.some((row) => row.length !== first.length))
    return undefined;
  const turned = first.map((_, j) => rows.flatMap((row) => row[j] ?? []));
  return { kind: 'matrix', rows: transposed ? turned : rows, bars: /^[vV]/.test(open.text) };
}

export function brackets(tokens: readonly Token[], inner: Read): Answer | undefined {
  const around = enclosed(tokens);
  if (!around) return undefined;
  const { inner: content } = around;
  const [open, close] = [around.open.text, around.close.text];
  if (open === '\\{' && close === '\\}') return setOf(content, inner);
  if (!['(', '[', '\\langle'].includes(open)) return undefined;
  const parts = splitTop(content, (token) => is(token, ',', ';')).items;
  // A matrix may have its brackets around it: `\left[\begin{array}{cc}`.
  const isMatrix = content[0]?.kind === 'begin' && content.at(-1)?.kind === 'end';
  if (parts.length === 1)
    return (open === '(' && close === ')') || (isMatrix && open === '[' && close === ']') ? inner(content) : undefined;
  if (parts.length > maxItems || parts.some((part) => part.length === 0)) return undefined;
  const items = parts.map((part) => inner(part));
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

/** `P(1, 2)`: a point with its name. */
export function point(tokens: readonly Token[], inner: Read): Answer | undefined {
  const [name, open] = tokens;
  if (name?.kind !== 'letter' || !/^[A-Z]$/.test(name.text) || !is(open, '(') || !enclosed(tokens.slice(1)))
    return undefined;
  const said = inner(tokens.slice(1));
  return isPair(said) ? said : undefined;
}

const isPair = (answer: Answer): boolean =>
  answer.kind === 'tuple' || (answer.kind === 'either' && answer.of.some(isPair));

function setOf(content: readonly Token[], inner: Read): Answer | undefined {
  if (content.length === 0) return { kind: 'set', items: [] };
  const { items, found } = splitTop(content, (token) => is(token, '|', ':'));
  const [left, right] = items;
  if (found.length === 1 && left && right) {
    const said = inner(right);
    const name = subjectOf(left) ?? subjectOf(splitTop(left, (token) => is(token, '\\in')).items[0] ?? []);
    return name !== undefined && realsOf(said) ? said : undefined;
  }
  const split = itemsOf(content, inner);
  return split && { kind: 'set', items: split.items };
}
