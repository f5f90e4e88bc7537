/** Sets of real numbers as unions of intervals. */
import type { Expression } from './expression.ts';
import { numberOf, sameExpression } from './value.ts';

/** Ends that are not there are infinite; a single number is closed at both ends. */
export interface Interval {
  readonly low: Expression | undefined;
  readonly high: Expression | undefined;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

export type Reals = readonly Interval[];

export const allReals: Reals = [{ low: undefined, high: undefined, lowClosed: false, highClosed: false }];

export const pointsOf = (values: readonly Expression[]): Reals =>
  values.map((value) => ({ low: value, high: value, lowClosed: true, highClosed: true }));

interface Piece extends Interval {
  readonly from: number;
  readonly to: number;
}

/** The intervals in order, without overlap; undefined when an end is no number. */
function ordered(reals: Reals): Piece[] | undefined {
  const pieces: Piece[] = [];
  for (const interval of reals) {
    const from = interval.low === undefined ? Number.NEGATIVE_INFINITY : numberOf(interval.low);
    const to = interval.high === undefined ? Number.POSITIVE_INFINITY : numberOf(interval.high);
    if (from === undefined || to === undefined) return undefined;
    const closed = interval.lowClosed && interval.highClosed;
    if (from < to || (from === to && closed)) pieces.push({ ...interval, from, to });
  }
  pieces.sort((a, b) => a.from - b.from || Number(b.lowClosed) - Number(a.lowClosed));
  const merged: Piece[] = [];
  for (const piece of pieces) {
    const last = merged.at(-1);
    const touches = last && (piece.from < last.to || (piece.from === last.to && (piece.lowClosed || last.highClosed)));
    if (!last || !touches) merged.push(piece);
    else if (piece.to > last.to || (piece.to === last.to && piece.highClosed)) {
      merged[merged.length - 1] = { ...last, high: piece.high, to: piece.to, highClosed: piece.highClosed };
    }
  }
  return merged;
}

/** Whether an interval is written from the smaller end to the larger, as far as that can be seen. */
export function isInterval(interval: Interval): boolean {
  const pieces = ordered([interval]);
  return pieces === undefined || pieces.length === 1;
}

/** All other real numbers; undefined when an end is no number. */
export function complement(reals: Reals): Reals | undefined {
  const pieces = ordered(reals);
  if (!pieces) return undefined;
  const out: Interval[] = [];
  let low: Pick<Interval, 'low' | 'lowClosed'> | undefined = { low: undefined, lowClosed: false };
  for (const piece of pieces) {
    if (low && piece.low !== undefined) out.push({ ...low, high: piece.low, highClosed: !piece.lowClosed });
    low = piece.high === undefined ? undefined : { low: piece.high, lowClosed: !piece.highClosed };
  }
  if (low) out.push({ ...low, high: undefined, highClosed: false });
  return out;
}

/** Whether all real numbers but some are meant, as by `x \ne 3`. */
export function leavesOut(reals: Reals): boolean {
  const others = complement(reals);
  if (others === undefined || others.length === 0) return false;
  return others.every(({ low, high }) => low && high && numberOf(low) === numberOf(high));
}

export function intersection(a: Reals, b: Reals): Reals | undefined {
  const [first, second] = [complement(a), complement(b)];
  return first && second && complement([...first, ...second]);
}

function sameEnd(a: Expression | undefined, b: Expression | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameExpression(a, b);
}

const sameInterval = (a: Interval, b: Interval): boolean =>
  a.lowClosed === b.lowClosed && a.highClosed === b.highClosed && sameEnd(a.low, b.low) && sameEnd(a.high, b.high);

/** Whether two sets have the same members; where ends are not numbers, whether they have the same intervals. */
export function sameReals(a: Reals, b: Reals): boolean {
  const [first, second] = [ordered(a), ordered(b)];
  if (first && second) {
    return (
      first.length === second.length &&
      first.every((piece, i) => second[i] !== undefined && sameInterval(piece, second[i]))
    );
  }
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((interval) => {
    const at = left.findIndex((other) => sameInterval(interval, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}
