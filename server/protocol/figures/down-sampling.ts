/** Rows of a long run thinned out so that a chart of them looks as one of all would: every peak and every dip stays. */

/** One measurement or step of a run, with its numbers by name; what was not finite is null. */
export interface MetricRow {
  readonly step: number;
  readonly stage: string;
  /** Whether it was measured on held-out data between steps. */
  readonly evaluation: boolean;
  readonly values: Readonly<Record<string, number | null>>;
}

/**
 * Takes rows one by one, in any number, and keeps at most `limit`. Steps are gathered in buckets of equal width; of each
 * bucket stay, for every stage and every number, the rows of its smallest and its largest value, and the first and last
 * row. Buckets double in width when there are too many rows.
 */
export class RowSampler {
  private width = 1;
  private buckets = new Map<number, MetricRow[]>();
  private count = 0;
  private enough: number;

  /**
   * @param limit most rows that {@link rows} gives, though never fewer than one bucket needs
   * @param names of the numbers whose extremes stay; all, if not given
   */
  constructor(
    private readonly limit: number,
    private readonly names?: readonly string[],
  ) {
    this.enough = 2 * limit;
  }

  /** Steps in a bucket: 1 as long as nothing was left out. */
  get stride(): number {
    return this.width;
  }

  add(row: MetricRow): void {
    this.put(row);
    // Thinning out is worth its time only now and then, the more so where most of the rows had to stay.
    if (this.count <= this.enough) return;
    this.thin();
    this.enough = 2 * Math.max(this.limit, this.count);
  }

  /** In order of steps; of equal steps, as they were added. */
  rows(): MetricRow[] {
    if (this.count > this.limit) this.thin();
    const order = [...this.buckets.keys()].sort((a, b) => a - b);
    return order.flatMap((index) => [...(this.buckets.get(index) ?? [])].sort((a, b) => a.step - b.step));
  }

  private put(row: MetricRow): void {
    const index = Math.floor(row.step / this.width);
    const bucket = this.buckets.get(index);
    if (bucket === undefined) this.buckets.set(index, [row]);
    else bucket.push(row);
    this.count++;
  }

  private thin(): void {
    do {
      const { buckets } = this;
      this.width *= 2;
      this.buckets = new Map();
      this.count = 0;
      for (const rows of buckets.values()) for (const row of rows) this.put(row);
      for (const [index, rows] of this.buckets) {
        const kept = extremes(rows, this.names);
        this.count -= rows.length - kept.length;
        this.buckets.set(index, kept);
      }
    } while (this.count > this.limit && this.buckets.size > 1);
  }
}

/** Kinds of rows whose extremes are told apart. Nobody writes so many stages; a log made to do harm may. */
const mostKinds = 100;

/** Smallest and largest value of one number, and the rows that have them. */
interface Extreme {
  low: number;
  high: number;
  lowAt: MetricRow;
  highAt: MetricRow;
}

/** Extremes of the rows of one kind. Written for speed: a long run is thinned out often. */
class Extremes {
  /** Of the step, and of the numbers in the order of their names; or by name, where any may occur. */
  private readonly listed: (Extreme | undefined)[] = [];
  private readonly named = new Map<string, Extreme>();

  constructor(private readonly names: readonly string[] | undefined) {}

  add(row: MetricRow): void {
    this.listed[0] = widened(this.listed[0], row.step, row);
    const { names } = this;
    if (names === undefined) {
      for (const [name, value] of Object.entries(row.values))
        if (typeof value === 'number') this.named.set(name, widened(this.named.get(name), value, row));
    } else {
      for (let i = 0; i < names.length; i++) {
        const value = row.values[names[i]];
        if (typeof value === 'number') this.listed[i + 1] = widened(this.listed[i + 1], value, row);
      }
    }
  }

  /** Adds the rows that hold an extreme. */
  collect(rows: Set<MetricRow>): void {
    for (const list of [this.listed, this.named.values()])
      for (const extreme of list) if (extreme !== undefined) rows.add(extreme.lowAt).add(extreme.highAt);
  }
}

function widened(extreme: Extreme | undefined, value: number, row: MetricRow): Extreme {
  if (extreme === undefined) return { low: value, high: value, lowAt: row, highAt: row };
  if (value < extreme.low) {
    extreme.low = value;
    extreme.lowAt = row;
  } else if (value > extreme.high) {
    extreme.high = value;
    extreme.highAt = row;
  }
  return extreme;
}

/** The rows that hold an extreme of something, in their order. */
function extremes(rows: readonly MetricRow[], names: readonly string[] | undefined): MetricRow[] {
  if (rows.length <= 2) return [...rows];
  const steps = new Map<string, Extremes>();
  const evaluations = new Map<string, Extremes>();
  for (const row of rows) {
    const kinds = row.evaluation ? evaluations : steps;
    const kind = kinds.has(row.stage) || kinds.size < mostKinds ? row.stage : '';
    let known = kinds.get(kind);
    if (known === undefined) {
      known = new Extremes(names);
      kinds.set(kind, known);
    }
    known.add(row);
  }
  const kept = new Set<MetricRow>();
  for (const kinds of [steps, evaluations]) for (const kind of kinds.values()) kind.collect(kept);
  return rows.filter((row) => kept.has(row));
}
