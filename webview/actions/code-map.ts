/** A map of the codebook: a grid in which codes that do alike stand beside each other. */
import type { ActionProfile } from '../../server/protocol/actions.ts';

/** Above so many codes swaps would take too long: then each merely follows the one that it is most like. */
const mostSwapped = 256;
/** Rounds of swaps; a few are enough for 64 codes. */
const mostRounds = 40;

/** What a code does, as weights of tokens of length 1: those that follow when it is forced, and those it stands for in text. */
function effectOf({ tokens, forced }: ActionProfile): Map<string, number> {
  const weights = new Map<string, number>();
  for (const { text, share } of [...forced.tokens, ...tokens]) weights.set(text, (weights.get(text) ?? 0) + share);
  const length = Math.hypot(...weights.values());
  return new Map([...weights].map(([text, weight]) => [text, length === 0 ? 0 : weight / length]));
}

/** Cosine between what two codes do, 0 to 1, as a function of their places in the list; 0 where one has no profile. */
export function likeness(profiles: readonly (ActionProfile | null)[]): (a: number, b: number) => number {
  const effects = profiles.map((profile) => (profile === null ? new Map<string, number>() : effectOf(profile)));
  const n = effects.length;
  const table = new Float32Array(n * n);
  for (let a = 0; a < n; a++)
    for (let b = 0; b < a; b++) {
      let sum = 0;
      for (const [text, weight] of effects[a] ?? []) sum += weight * (effects[b]?.get(text) ?? 0);
      table[a * n + b] = sum;
      table[b * n + a] = sum;
    }
  return (a, b) => table[a * n + b] ?? 0;
}

/** How alike the code at a cell is to those around it, were it `code`. */
function touching(cells: readonly number[], cell: number, code: number, columns: number, like: Likeness): number {
  const column = cell % columns;
  const around = [
    ...(column > 0 ? [cell - 1] : []),
    ...(column < columns - 1 ? [cell + 1] : []),
    cell - columns,
    cell + columns,
  ];
  return around.reduce((sum, other) => {
    const there = cells[other];
    return there === undefined || there === code ? sum : sum + like(code, there);
  }, 0);
}

type Likeness = (a: number, b: number) => number;

/** Sum of the likeness of all codes that are beside or below each other. */
export function neatness(cells: readonly number[], columns: number, like: Likeness): number {
  return cells.reduce((sum, code, cell) => sum + touching(cells, cell, code, columns, like), 0) / 2;
}

/** An order for a grid, row by row: places of the list. The same list has the same map. */
export function mapOrder(profiles: readonly (ActionProfile | null)[], columns: number): number[] {
  const like = likeness(profiles);
  const cells = chain(profiles.length, like);
  if (cells.length > mostSwapped) return cells;
  for (let round = 0, better = true; better && round < mostRounds; round++) {
    better = false;
    for (let a = 0; a < cells.length; a++)
      for (let b = 0; b < a; b++) {
        const [first, second] = [cells[a] ?? 0, cells[b] ?? 0];
        const before = touching(cells, a, first, columns, like) + touching(cells, b, second, columns, like);
        const after = touching(cells, a, second, columns, like) + touching(cells, b, first, columns, like);
        if (after <= before + 1e-6) continue;
        // Two that touch count each other on one side alone.
        const whole = neatness(cells, columns, like);
        [cells[a], cells[b]] = [second, first];
        if (neatness(cells, columns, like) > whole + 1e-6) better = true;
        else [cells[a], cells[b]] = [first, second];
      }
  }
  return cells;
}

/** Each after the one that it is most like, of those that are left. */
function chain(n: number, like: Likeness): number[] {
  const left = Array.from({ length: n }, (_, i) => i);
  const order = left.splice(0, 1);
  while (left.length > 0) {
    const last = order[order.length - 1] ?? 0;
    const next = left.reduce((best, code, i) => (like(last, code) > like(last, left[best] ?? 0) ? i : best), 0);
    order.push(...left.splice(next, 1));
  }
  return order;
}
