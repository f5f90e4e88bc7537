import { lookup } from '../lookup.ts';
import { percentReadings } from '../numeric.ts';
import { type Expression, exactValue } from './expression.ts';
import type { Answer } from './kinds.ts';
import { add, equal, integer, multiply, parseDecimal, type Rational } from './rational.ts';
import { sameReals } from './reals.ts';
import { readAnswer } from './shape.ts';
import { compactMaths, maxAnswerCharacters, normaliseMaths } from './text.ts';
import { commonScale } from './unit.ts';
import { proportion, sameExpression } from './value.ts';

type Of<K extends Answer['kind']> = Extract<Answer, { kind: K }>;

const one = integer(1n);

const times = (value: Expression, scale: Rational): Expression =>
  equal(scale, one) ? value : { kind: 'operation', sign: '*', left: value, right: { kind: 'number', value: scale } };

function sameQuantity(a: Of<'value'>, b: Of<'value'>): boolean {
  const [unitA, unitB] = [a.unit, b.unit];
  if (unitA?.percent || unitB?.percent) {
    const other = unitA?.percent ? unitB : unitA;
    if (other && !other.percent) return false;
    const [left, right] = [exactValue(a.value), exactValue(b.value)];
    if (!left || !right) return unitA?.percent === unitB?.percent && sameExpression(a.value, b.value);
    const [given, wanted] = [
      { value: left, percent: unitA?.percent === true },
      { value: right, percent: unitB?.percent === true },
    ];
    return percentReadings(given, wanted).some(([x, y]) => equal(x, y));
  }
  const scales = commonScale(unitA, unitB);
  return scales !== undefined && sameExpression(times(a.value, scales[0]), times(b.value, scales[1]));
}

/** The sum of quantities in base units. */
function totalOf({ parts }: Of<'sum'>): { total: Rational; dimension: string } | undefined {
  let total = integer(0n);
  let dimension = '';
  for (const { value, unit } of parts) {
    const exact = exactValue(value);
    if (!exact || !unit.measure) return undefined;
    total = add(total, multiply(exact, multiply(unit.scale, unit.measure.factor)));
    dimension = unit.measure.dimension;
  }
  return { total, dimension };
}

function sameSum(sum: Of<'sum'>, other: Answer): boolean {
  const first = totalOf(sum);
  if (!first) return false;
  if (other.kind === 'value') {
    const exact = exactValue(other.value);
    const measure = other.unit?.measure;
    if (!exact || !measure || measure.dimension !== first.dimension) return false;
    return equal(first.total, multiply(exact, multiply(other.unit?.scale ?? one, measure.factor)));
  }
  const second = other.kind === 'sum' ? totalOf(other) : undefined;
  return second !== undefined && first.dimension === second.dimension && equal(first.total, second.total);
}

function sameOrdered(a: readonly Answer[], b: readonly Answer[]): boolean {
  return a.length === b.length && a.every((item, i) => b[i] !== undefined && same(item, b[i]));
}

function sameUnordered(a: readonly Answer[], b: readonly Answer[]): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((item) => {
    const at = left.findIndex((other) => same(item, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function distinct(items: readonly Answer[]): Answer[] {
  const kept: Answer[] = [];
  for (const item of items) if (!kept.some((other) => same(item, other))) kept.push(item);
  return kept;
}

const mirrored = lookup<string>({ '>': '<', '\\ge': '\\le' });

/** A relation read from its smaller end. */
function turned(relation: Of<'relation'>): Of<'relation'> {
  const { sides, signs } = relation;
  if (!signs.every((sign) => sign in mirrored || sign === '=') || !signs.some((sign) => sign in mirrored))
    return relation;
  const back = [...signs].reverse().map((sign) => mirrored[sign] ?? sign);
  return { kind: 'relation', sides: [...sides].reverse(), signs: back };
}

const sameSides = (a: readonly Expression[], b: readonly Expression[]) =>
  a.length === b.length && a.every((side, i) => b[i] !== undefined && sameExpression(side, b[i]));

function sameRelation(a: Of<'relation'>, b: Of<'relation'>): boolean {
  const [first, second] = [turned(a), turned(b)];
  if (first.signs.join() !== second.signs.join()) return false;
  if (sameSides(first.sides, second.sides)) return true;
  const [sign, more] = first.signs;
  const difference = ({ sides: [left, right] }: Of<'relation'>): Expression | undefined =>
    left && right && { kind: 'operation', sign: '-', left, right };
  const [x, y] = [difference(first), difference(second)];
  if (sign === undefined || more !== undefined || !x || !y) return false;
  const factor = proportion(x, y);
  return sign === '=' || sign === '\\ne' ? factor !== 0 : factor > 0;
}

/** The value that is named, if the others that are said to equal it do. */
function namedValue({ values }: Of<'named'>): Answer | undefined {
  const last = values.at(-1);
  return last && values.every((value) => value === last || same(value, last)) ? last : undefined;
}

function sameNamed(a: Of<'named'>, b: Answer): boolean {
  if (b.kind === 'named' && (a.name !== '' || b.name !== '')) {
    if (a.name === b.name) {
      const [first, second] = [namedValue(a), namedValue(b)];
      return first !== undefined && second !== undefined && same(first, second);
    }
    return a.relation?.kind === 'relation' && b.relation?.kind === 'relation' && sameRelation(a.relation, b.relation);
  }
  if (b.kind === 'relation') return a.relation?.kind === 'relation' && sameRelation(a.relation, b);
  const value = namedValue(a);
  return value !== undefined && same(value, b.kind === 'named' ? (namedValue(b) ?? b) : b);
}

/** `x = 1, y = 2` as (1, 2): the values in the order of their different names. */
function asPoint(items: readonly Answer[]): Answer[] | undefined {
  const named = items.flatMap((item) => (item.kind === 'named' && /^[A-Za-z]$/.test(item.name) ? item : []));
  if (named.length !== items.length || new Set(named.map(({ name }) => name)).size !== items.length) return undefined;
  return [...named].sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((item) => namedValue(item) ?? []);
}

function sameList(a: Of<'list'>, b: Of<'list'>): boolean {
  if (a.joint !== undefined && b.joint !== undefined && a.joint !== b.joint) return false;
  const [first, second] = [asPoint(a.items), asPoint(b.items)];
  // Named values beside bare ones: only in the order of the names is it clear which is which.
  if (first && !second) return sameOrdered(first, b.items);
  if (second && !first) return sameOrdered(a.items, second);
  return sameUnordered(a.items, b.items);
}

const round = (bracket: string) => ['(', ')', '\\langle', '\\rangle'].includes(bracket);

function sameTuple(a: Of<'tuple'>, b: Of<'tuple'>): boolean {
  const alike = (x: string, y: string) => x === y || (round(x) && round(y));
  return alike(a.open, b.open) && alike(a.close, b.close) && sameOrdered(a.items, b.items);
}

function sameRatio(a: Of<'ratio'>, b: Answer): boolean {
  const product = (left: Expression, right: Expression): Expression => ({ kind: 'operation', sign: '*', left, right });
  const [first, second] = a.terms;
  if (!first || !second) return false;
  if (b.kind === 'value' && a.half !== undefined) {
    // 6 p.m. is 6:00 p.m.
    const whole = exactValue(second)?.top === 0n && b.unit?.words.join() === a.half;
    return whole && sameExpression(first, b.value);
  }
  if (b.kind === 'value') {
    const quotient: Expression = { kind: 'operation', sign: '/', left: first, right: second };
    return a.terms.length === 2 && !a.clock && !b.unit && sameExpression(quotient, b.value);
  }
  if (b.kind !== 'ratio' || a.terms.length !== b.terms.length) return false;
  // 3:45 and 1:15 may be times of day. Which half of it may stand in the question.
  const halves = a.half === undefined || b.half === undefined || a.half === b.half;
  if (a.clock && b.clock) return halves && sameSides(a.terms, b.terms);
  if (a.half !== undefined || b.half !== undefined) return false;
  const [other] = b.terms;
  return (
    other !== undefined &&
    a.terms.every(
      (term, i) => b.terms[i] !== undefined && sameExpression(product(term, other), product(first, b.terms[i])),
    )
  );
}

function sameBased(a: Of<'based'>, b: Answer): boolean {
  const value = ({ digits, base }: Of<'based'>) =>
    [...digits].reduce((sum, digit) => sum * BigInt(base) + BigInt(Number.parseInt(digit, 36)), 0n);
  if (b.kind === 'based') return value(a) === value(b);
  // The base may be left out: it stands in the question.
  if (b.kind !== 'value' || b.unit) return false;
  const [printed, exact] = [parseDecimal(a.digits), exactValue(b.value)];
  return printed !== undefined && exact !== undefined && equal(printed, exact);
}

/** A vector: a tuple in round or angle brackets is a column. */
function isColumn({ rows }: Of<'matrix'>, { open, close, items }: Of<'tuple'>): boolean {
  return round(open) && round(close) && rows.every((row) => row.length === 1) && sameOrdered(rows.flat(), items);
}

/** The elements of a set; a bare list or a single value stands for the set of its values. */
function members(answer: Answer): Answer[] | undefined {
  if (answer.kind === 'set' || answer.kind === 'list') return answer.items;
  return answer.kind === 'value' || answer.kind === 'words' || answer.kind === 'tuple' ? [answer] : undefined;
}

function same(a: Answer, b: Answer): boolean {
  if (a.kind === 'either') return a.of.some((reading) => same(reading, b));
  if (b.kind === 'either') return same(b, a);
  if (a.kind === 'choice') {
    const isLetter = b.kind === 'value' && b.value.kind === 'symbol' && b.value.name === a.letter;
    return b.kind === 'choice' ? a.letter === b.letter : isLetter || same(a.content, b);
  }
  if (b.kind === 'choice') return same(b, a);
  if (a.kind === 'named') return sameNamed(a, b);
  if (b.kind === 'named') return sameNamed(b, a);
  if (a.kind === 'sum') return sameSum(a, b);
  if (b.kind === 'sum') return sameSum(b, a);
  if (a.kind === 'ratio') return sameRatio(a, b);
  if (b.kind === 'ratio') return sameRatio(b, a);
  if (a.kind === 'based') return sameBased(a, b);
  if (b.kind === 'based') return sameBased(b, a);
  if (a.kind === 'value' && b.kind === 'value') return sameQuantity(a, b);
  if (a.kind === 'words' && b.kind === 'words') return a.key === b.key;
  if (a.kind === 'text' && b.kind === 'text') return a.key === b.key && a.key !== '';
  if (a.kind === 'relation' && b.kind === 'relation') return sameRelation(a, b);
  if (a.kind === 'tuple' && b.kind === 'tuple') return sameTuple(a, b);
  if (a.kind === 'matrix' && b.kind === 'tuple') return isColumn(a, b);
  if (a.kind === 'tuple' && b.kind === 'matrix') return isColumn(b, a);
  if (a.kind === 'matrix' && b.kind === 'matrix') {
    return (
      a.bars === b.bars &&
      a.rows.length === b.rows.length &&
      a.rows.every((row, i) => sameOrdered(row, b.rows[i] ?? []))
    );
  }
  if (a.kind === 'reals' && b.kind === 'reals') {
    const named = a.variable !== undefined && b.variable !== undefined;
    return !(named && a.variable !== b.variable) && sameReals(a.reals, b.reals);
  }
  if (a.kind === 'reals' || b.kind === 'reals') return false;
  if (a.kind === 'union' && b.kind === 'union') return sameUnordered(a.items, b.items);
  if (a.kind === 'list' && b.kind === 'list') return sameList(a, b);
  if (a.kind === 'list' && b.kind === 'tuple') {
    const point = asPoint(a.items);
    return point !== undefined && round(b.open) && round(b.close) && sameOrdered(point, b.items);
  }
  if (a.kind === 'tuple' && b.kind === 'list') return same(b, a);
  if (a.kind !== 'set' && b.kind !== 'set') return false;
  const [left, right] = [members(a), members(b)];
  return left !== undefined && right !== undefined && sameUnordered(distinct(left), distinct(right));
}

/** `x \equiv 3 \pmod 5`: the rest, and by what it was divided. */
function modulo(text: string): { rest: string; by: string } | undefined {
  const match = /^(.+?)\(?\s*\\(?:p?mod|bmod)\s*(?:\{\s*(\d+)\s*\}|(\d+))\s*\)?\s*\.?$/s.exec(text);
  const rest = match?.[1]?.replaceAll('\\equiv', '=').trim();
  return rest === undefined || rest === '' ? undefined : { rest, by: match?.[2] ?? match?.[3] ?? '' };
}

/**
 * Whether two maths answers mean the same: read into normal forms, then compared as exact fractions, by value, element by
 * element in tuples, intervals, sets, unions and matrices. Order counts in brackets, not in bare lists and sets. A unit may be
 * missing on one side; `50%` is 50 and 0.5; `x=5` is 5; `x>3` is `(3,\infty)`; `(1,2)` is not `1,2`. In doubt: no.
 *
 * May take long on hostile input: run it in a helper process with a time limit.
 */
export function sameAnswer(given: string, wanted: string): boolean {
  const [a, b] = [given.trim(), wanted.trim()];
  if (a === b) return a !== '';
  const [restA, restB] = [modulo(a), modulo(b)];
  if (restA || restB) {
    if (restA && restB && restA.by !== restB.by) return false;
    return sameAnswer(restA?.rest ?? a, restB?.rest ?? b);
  }
  if (a === '' || b === '' || a.length > maxAnswerCharacters || b.length > maxAnswerCharacters) return false;
  const [keyA, keyB] = [compactMaths(normaliseMaths(a)), compactMaths(normaliseMaths(b))];
  if (keyA === keyB) return keyA !== '';
  if (same(readAnswer(a, true), readAnswer(b, true))) return true;
  // `10,100` may be a list of two numbers; the first reading took it for ten thousand one hundred.
  const [first, second] = [readAnswer(a, false), readAnswer(b, false)];
  return first.kind === second.kind && first.kind !== 'value' && same(first, second);
}
