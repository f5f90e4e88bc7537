import { type Expression, exactValue, parseExpression } from './maths-expression.ts';
import { compactMaths, depthChange, maxAnswerCharacters, normaliseMaths, pieces, splitTop } from './maths-text.ts';
import { splitUnit, unitsAgree } from './maths-unit.ts';
import { sameEquation, sameValue } from './maths-value.ts';
import { type PrintedNumber, percentReadings } from './numeric.ts';
import { equal } from './rational.ts';

/** The shape of an answer, found before anything is calculated. */
type Answer =
  | { kind: 'leaf'; text: string }
  | { kind: 'list'; items: string[] }
  | { kind: 'set'; items: string[] }
  | { kind: 'bracket'; open: string; close: string; items: string[] }
  | { kind: 'union'; items: string[] }
  | { kind: 'relation'; items: string[]; signs: string[] }
  | { kind: 'matrix'; rows: string[][] };

const maxItems = 64;
const thousands = /^[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?![\d,])/;
const relations = ['=', '<', '>', '\\le', '\\ge', '\\ne'];
const mirrored: Readonly<Record<string, string>> = { '>': '<', '\\ge': '\\le' };

/** Whether the first piece opens a bracket that the last piece closes. */
function enclosed(text: string): { open: string; close: string; inner: string } | undefined {
  const all = pieces(text);
  const [open = ''] = all;
  const close = all.at(-1) ?? '';
  if (depthChange(open) !== 1 || depthChange(close) !== -1) return undefined;
  let depth = 0;
  for (const [i, piece] of all.entries()) {
    depth += depthChange(piece);
    if (depth === 0 && i < all.length - 1) return undefined;
  }
  return depth === 0 ? { open, close, inner: all.slice(1, -1).join('').trim() } : undefined;
}

function matrixRows(text: string): string[][] | undefined {
  const match = /^\\begin\s*\{([pbvBV]?matrix|array)\}(?:\s*\{[lcr| ]*\})?([\s\S]*)\\end\s*\{\1\}$/.exec(text);
  if (match?.[2] === undefined) return undefined;
  const rows = splitTop(match[2], ['\\\\']).items.filter((row) => row !== '');
  return rows.map((row) => splitTop(row, ['&']).items);
}

/** A list with each `a \pm b` written out as two items. */
function withoutPlusMinus(items: readonly string[]): string[] {
  return items.flatMap((item) => {
    if (!/\\(?:pm|mp)(?![A-Za-z])/.test(item)) return [item];
    const choose = (plus: string, minus: string) =>
      item.replace(/\\pm(?![A-Za-z])/g, plus).replace(/\\mp(?![A-Za-z])/g, minus);
    return [choose('+', '-'), choose('-', '+')];
  });
}

function shape(source: string, joinThousands: boolean): Answer {
  const text = normaliseMaths(source);
  const rows = matrixRows(text);
  if (rows) return { kind: 'matrix', rows };
  const bare = text.replace(/^[A-Za-z]\s*\\in(?![A-Za-z])\s*/, '');
  if (bare === '\\emptyset' || /^\\\{\s*\\\}$/.test(bare)) return { kind: 'set', items: [] };
  const united = splitTop(bare, ['\\cup']);
  if (united.found.length > 0) return { kind: 'union', items: united.items };
  const around = enclosed(bare);
  if (around) {
    const { items } = splitTop(around.inner, [',', ';']);
    if (around.open === '\\{') return { kind: 'set', items: withoutPlusMinus(items) };
    if (items.length > 1) return { kind: 'bracket', open: around.open, close: around.close, items };
    if (around.open === '(' || around.open === '{') return shape(around.inner, joinThousands);
  }
  const joined = joinThousands && thousands.test(bare) ? bare.replace(/(?<=\d),(?=\d{3})/g, '') : bare;
  const listText = joined.replace(/\\text\s*\{\s*(?:and|or)\s*\}|(?<=[\d)}\sA-Za-z])\s(?:and|or)\s/g, ',');
  const list = splitTop(listText, [',', ';']).items.filter((item) => item !== '');
  const items = withoutPlusMinus(list);
  if (items.length > 1) return { kind: 'list', items };
  const related = splitTop(joined, relations);
  if (related.found.length > 0 && !related.items.includes('')) {
    return { kind: 'relation', items: related.items, signs: related.found };
  }
  return { kind: 'leaf', text: items[0] ?? joined };
}

const words = /\\text\s*\{([^{}]*)\}/g;

/** Answers in words, such as `\text{Even.}` or `Tuesday`, in one spelling; undefined when the text is a formula. */
function asWords(text: string): string | undefined {
  const open = text.replace(words, '$1');
  if (open === text && (/[\\^_{}=+*/]/.test(text) || !/[A-Za-z]{2}/.test(text))) return undefined;
  return open.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}

/** Digits written in a base, such as `1011_2` or `4A_{16}`. */
const withBase = /^(-?[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]+)?)\s*_\s*\{?\s*(\d{1,2})\s*\}?$/;

function sameBase(a: string, b: string): boolean | undefined {
  const [first, second] = [withBase.exec(a), withBase.exec(b)];
  if (!first && !second) return undefined;
  if (first && second) return first[1]?.toUpperCase() === second[1]?.toUpperCase() && first[2] === second[2];
  const [digits, plain] = first ? [first[1], b] : [second?.[1], a];
  return digits?.toUpperCase() === plain.trim().toUpperCase();
}

/** `\text{5}` is 5: a text command around the whole answer says nothing. */
function withoutText(text: string): string {
  return text.replace(/^\\text\s*\{([^{}]*)\}$/, '$1').trim();
}

function sameLeaf(a: string, b: string): boolean {
  const [first, second] = [splitUnit(withoutText(a)), splitUnit(withoutText(b))];
  if (!unitsAgree(first.unit, second.unit)) return false;
  const clean = (text: string) => compactMaths(text.replace(/^\+\s*/, ''));
  if (clean(a) === clean(b)) return true;
  if (clean(first.text) === clean(second.text) && first.percent === second.percent) return true;
  const based = sameBase(a, b);
  if (based !== undefined) return based;
  const join = (text: string) => (thousands.test(text) ? text.replaceAll(',', '') : text);
  const [left, right] = [parseExpression(join(first.text)), parseExpression(join(second.text))];
  const exact = left && right && sameExact(left, first.percent, right, second.percent);
  if (exact !== undefined) return exact;
  const [saidA, saidB] = [asWords(a), asWords(b)];
  if (saidA !== undefined && saidA !== '' && saidA === saidB) return true;
  if (!left || !right || first.percent || second.percent) return false;
  return sameValue(left, right);
}

function sameExact(
  left: Expression,
  leftPercent: boolean,
  right: Expression,
  rightPercent: boolean,
): boolean | undefined {
  const [a, b] = [exactValue(left), exactValue(right)];
  if (!a || !b) return undefined;
  const given: PrintedNumber = { value: a, percent: leftPercent };
  const wanted: PrintedNumber = { value: b, percent: rightPercent };
  return percentReadings(given, wanted).some(([x, y]) => equal(x, y));
}

/** `x=5`, `f(x)=5` or `5=x`: the value that is named. */
function namedValue(answer: Answer): string | undefined {
  if (answer.kind !== 'relation' || answer.signs.length !== 1 || answer.signs[0] !== '=') return undefined;
  const [left = '', right = ''] = answer.items;
  const name =
    /^(?:\\?[A-Za-z]+(?:_\{?\w+\}?)?'?(?:\s*\^\s*\{\s*-1\s*\})?(?:\s*\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])*\s*\))?|\\text\s*\{[^{}]*\}|\|[A-Z]+\||\\angle\s*[A-Z]+)$/;
  if (name.test(left)) return right;
  return /^[A-Za-z]$/.test(right) ? left : undefined;
}

function sameOrdered(a: readonly string[], b: readonly string[], depth: number): boolean {
  return a.length === b.length && a.every((item, i) => same(item, b[i] ?? '', depth + 1));
}

function sameUnordered(a: readonly string[], b: readonly string[], depth: number): boolean {
  if (a.length > maxItems || b.length > maxItems || a.length !== b.length) return false;
  const left = [...b];
  return a.every((item) => {
    const at = left.findIndex((other) => same(item, other, depth + 1));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function distinct(items: readonly string[], depth: number): string[] {
  const kept: string[] = [];
  for (const item of items.slice(0, maxItems)) if (!kept.some((other) => same(item, other, depth + 1))) kept.push(item);
  return kept;
}

function sameRelation(a: Answer & { kind: 'relation' }, b: Answer & { kind: 'relation' }, depth: number): boolean {
  const turned = (answer: typeof a): typeof a =>
    answer.signs.every((sign) => sign in mirrored || sign === '=') && answer.signs.some((sign) => sign in mirrored)
      ? {
          kind: 'relation',
          items: [...answer.items].reverse(),
          signs: [...answer.signs].reverse().map((sign) => mirrored[sign] ?? sign),
        }
      : answer;
  const [first, second] = [turned(a), turned(b)];
  if (first.signs.join() !== second.signs.join()) return false;
  if (sameOrdered(first.items, second.items, depth)) return true;
  if (first.signs.length !== 1) return false;
  const symmetric = first.signs[0] === '=' || first.signs[0] === '\\ne';
  if (symmetric && sameOrdered(first.items, [...second.items].reverse(), depth)) return true;
  if (first.signs[0] !== '=') return false;
  const side = ({ items }: typeof a) => parseExpression(`(${items[0]})-(${items[1]})`);
  const [left, right] = [side(first), side(second)];
  return left !== undefined && right !== undefined && sameEquation(left, right);
}

function sameShape(a: Answer, b: Answer, depth: number): boolean {
  const [namedA, namedB] = [namedValue(a), namedValue(b)];
  if (namedA !== undefined && b.kind !== 'relation') return same(namedA, restore(b), depth + 1);
  if (namedB !== undefined && a.kind !== 'relation') return same(restore(a), namedB, depth + 1);
  if (a.kind === 'leaf' && b.kind === 'leaf') return sameLeaf(a.text, b.text);
  if (a.kind === 'relation' && b.kind === 'relation') return sameRelation(a, b, depth);
  if (a.kind === 'bracket' && b.kind === 'bracket') {
    return a.open === b.open && a.close === b.close && sameOrdered(a.items, b.items, depth);
  }
  if (a.kind === 'matrix' && b.kind === 'matrix') {
    return a.rows.length === b.rows.length && a.rows.every((row, i) => sameOrdered(row, b.rows[i] ?? [], depth));
  }
  if (a.kind === 'union' && b.kind === 'union') return sameUnordered(a.items, b.items, depth);
  if (a.kind === 'list' && b.kind === 'list') return sameUnordered(a.items, b.items, depth);
  const [membersA, membersB] = [members(a), members(b)];
  if (!membersA || !membersB) return false;
  return sameUnordered(distinct(membersA, depth), distinct(membersB, depth), depth);
}

/** The elements of a set; a bare list or a single value stands for the set of its values. */
function members(answer: Answer): string[] | undefined {
  if (answer.kind === 'set' || answer.kind === 'list') return answer.items;
  return answer.kind === 'leaf' ? [answer.text] : undefined;
}

function restore(answer: Answer): string {
  if (answer.kind === 'leaf') return answer.text;
  if (answer.kind === 'list') return answer.items.join(',');
  if (answer.kind === 'set') return `\\{${answer.items.join(',')}\\}`;
  if (answer.kind === 'bracket') return `${answer.open}${answer.items.join(',')}${answer.close}`;
  if (answer.kind === 'union') return answer.items.join('\\cup ');
  if (answer.kind === 'relation') return answer.items.map((item, i) => item + (answer.signs[i] ?? '')).join(' ');
  const rows = answer.rows.map((row) => row.join('&')).join('\\\\');
  return `\\begin{matrix}${rows}\\end{matrix}`;
}

function same(a: string, b: string, depth: number): boolean {
  if (depth > 8) return false;
  if (sameShape(shape(a, true), shape(b, true), depth)) return true;
  // `10,100` may be a list of two numbers; the first reading took it for ten thousand one hundred.
  const [first, second] = [shape(a, false), shape(b, false)];
  const reread = (first.kind === 'list') === (second.kind === 'list') && first.kind === 'list';
  return reread && sameShape(first, second, depth);
}

/**
 * Whether two maths answers mean the same: as normalised text, as exact fractions, by value, element by element in tuples,
 * intervals, sets, unions and matrices. Order counts in brackets, not in bare lists and sets. A unit may be missing on one
 * side; `50%` is 50 and 0.5; `x=5` is 5; `(1,2)` is not `1,2`.
 *
 * May take long on hostile input: run it in a helper process with a time limit.
 */
export function sameAnswer(given: string, wanted: string): boolean {
  const [a, b] = [given.trim(), wanted.trim()];
  if (a === b) return a !== '';
  if (a === '' || b === '' || a.length > maxAnswerCharacters || b.length > maxAnswerCharacters) return false;
  return same(a, b, 0);
}
