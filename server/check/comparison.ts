/** Comparing what this engine computes with stored values, tensor group by tensor group. */

export interface Comparison {
  readonly group: string;
  /** How many tensors, texts or sequences were compared. */
  readonly compared: number;
  /** The difference that uses up most of its tolerance; where values must be equal, the number of entries that differ. */
  readonly difference: number;
  readonly tolerance: number;
  readonly ok: boolean;
  /** Where that difference is. */
  readonly worst: string;
}

type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** How a difference is measured: absolute, or relative to the largest expected entry, or to max(1, |expected|). */
export type Measure = 'absolute' | 'relative' | 'scalar' | 'exact';

/** Share of the tolerance that a difference uses up. */
function used({ difference, tolerance }: { difference: number; tolerance: number }): number {
  return difference === 0 ? 0 : difference / tolerance;
}

/** Collects differences by group. */
export class Comparer {
  private readonly groups = new Map<string, Omit<Comparison, 'group' | 'ok'>>();

  /**
   * @param actual, expected of equal length
   * @param counts entries that count; all, if not given
   */
  compare(
    group: string,
    name: string,
    actual: Numbers,
    expected: Numbers,
    measure: Measure,
    tolerance: number,
    counts?: ArrayLike<number | bigint>,
  ): void {
    let largest = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
    let scale = 0;
    for (let i = 0; i < Math.min(actual.length, expected.length); i++) {
      if (counts !== undefined && Number(counts[i]) === 0) continue;
      const [a, e] = [Number(actual[i]), Number(expected[i])];
      scale = Math.max(scale, Math.abs(e));
      if (measure === 'exact') largest += a === e ? 0 : 1;
      else largest = Number.isNaN(a) ? Number.POSITIVE_INFINITY : Math.max(largest, Math.abs(a - e));
    }
    if (measure === 'relative') largest /= scale > 0 ? scale : 1;
    if (measure === 'scalar') largest /= Math.max(1, scale);
    this.record(group, name, largest, tolerance);
  }

  record(group: string, name: string, difference: number, tolerance: number): void {
    const before = this.groups.get(group);
    const entry = { compared: (before?.compared ?? 0) + 1, difference, tolerance, worst: name };
    // A group may mix measures: what counts is how much of its own tolerance a difference uses up.
    const keep = before !== undefined && used(before) >= used(entry);
    this.groups.set(group, keep ? { ...before, compared: entry.compared } : entry);
  }

  get results(): Comparison[] {
    return [...this.groups].map(([group, entry]) => ({ group, ...entry, ok: entry.difference <= entry.tolerance }));
  }
}
