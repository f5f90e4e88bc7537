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

  /**
   * @param limit most rows that {@link rows} gives, though never fewer than one bucket needs
   * @param names of the numbers whose extremes stay; all, if not given
   */
  constructor(
    private readonly limit: number,
    private readonly names?: readonly string[],
  ) {}

  /** Steps in a bucket: 1 as long as nothing was left out. */
  get stride(): number {
    return this.width;
  }

  add(row: MetricRow): void {
    this.put(row);
    // Thinning out is worth its time only now and then.
    if (this.count > 2 * this.limit) this.thin();
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

/** Smallest and largest by the name of what was measured, and the rows that have them. */
type Extremes = Map<string, { low: number; high: number; lowAt: MetricRow; highAt: MetricRow }>;

/** The rows that hold an extreme of something, in their order. */
function extremes(rows: readonly MetricRow[], names: readonly string[] | undefined): MetricRow[] {
  if (rows.length <= 2) return [...rows];
  // By kind of row, and then by name: to join both for every number of a long run would take longer than all else.
  const kinds = new Map<string, Extremes>();
  const note = (best: Extremes, key: string, value: number, row: MetricRow) => {
    const found = best.get(key);
    if (found === undefined) best.set(key, { low: value, high: value, lowAt: row, highAt: row });
    else if (value < found.low) Object.assign(found, { low: value, lowAt: row });
    else if (value > found.high) Object.assign(found, { high: value, highAt: row });
  };
  for (const row of rows) {
    const kind = `${row.stage} ${row.evaluation}`;
    const best = kinds.get(kind) ?? (new Map() as Extremes);
    kinds.set(kind, best);
    // No figure is called so.
    note(best, '', row.step, row);
    for (const name of names ?? Object.keys(row.values)) {
      const value = row.values[name];
      if (typeof value === 'number') note(best, name, value, row);
    }
  }
  const kept = new Set(
    [...kinds.values()].flatMap((best) => [...best.values()].flatMap(({ lowAt, highAt }) => [lowAt, highAt])),
  );
  return rows.filter((row) => kept.has(row));
}
