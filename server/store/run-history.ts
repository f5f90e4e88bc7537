/** The figures and samples of a run for a page that shows them: read in pieces, thinned out, and never in the way of who writes. */
import { join } from 'node:path';
import { z } from 'zod';
import { type MetricRow, RowSampler } from '../protocol/figures/down-sampling.ts';
import { StageTracker } from '../protocol/figures/stage-spans.ts';
import { type CodeUsage, chartedMetrics, type RunMetrics, type RunSample } from '../protocol/history.ts';
import { sample } from '../protocol/runs.ts';
import { storeErrors as errors } from './errors.ts';
import { type LogLine, type LogPosition, readLinesFrom } from './line-reader.ts';

/** Most entries of code usage in an answer, of training and of measurements each. */
const usageLimit = 120;

/** Of a line what is not a figure; figures have any name. */
const metricsLine = z.object({
  step: z.int().nonnegative(),
  stage: z.string(),
  evaluation: z.boolean().optional(),
  seconds: z.number().nullish(),
  steps: z.int().nonnegative().nullish(),
  usage: z.array(z.number()).optional(),
});
/** A line has some fifty figures. Of one with more, the others are not shown. */
const mostFigures = 100;
/** Fewer bytes than the shortest sample has. */
const shortestSample = 32;

const samplesLine = sample.extend({ step: z.int().nonnegative(), stage: z.string() });

export interface MetricsQuery {
  /** Most rows of steps, and most of measurements. */
  readonly rows: number;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly after?: LogPosition | undefined;
}

/** @throws store.cannotRead, store.hopeless, files.*; the signal's reason */
export async function readRunMetrics(path: string, query: MetricsQuery, signal?: AbortSignal): Promise<RunMetrics> {
  const { rows, from = 0, to = Number.POSITIVE_INFINITY, after } = query;
  const samplers = { steps: new RowSampler(rows, chartedMetrics), evaluations: new RowSampler(rows, chartedMetrics) };
  const uses = { steps: new UsageSampler(usageLimit), evaluations: new UsageSampler(usageLimit) };
  const stages = new StageTracker();
  const file = join(path, 'metrics.jsonl');
  const damaged = new Damaged(file);
  const { position, whole } = await readLinesFrom(
    file,
    after,
    ({ text }) => {
      const json = damaged.json(text);
      const line = damaged.checked(json, metricsLine);
      if (line === undefined) return;
      const evaluation = line.evaluation === true;
      const { step, stage, usage, seconds, steps } = line;
      stages.note({ step, stage, evaluation, seconds, steps });
      if (step < from || step > to) return;
      const kind = evaluation ? 'evaluations' : 'steps';
      samplers[kind].add({ step, stage, evaluation, values: numbersOf(json as object) });
      if (usage !== undefined) uses[kind].add({ step, evaluation, counts: usage });
    },
    signal,
  );
  return {
    rows: [...samplers.steps.rows(), ...samplers.evaluations.rows()].map(shortened),
    usage: [...uses.steps.entries, ...uses.evaluations.entries],
    stages: [...stages.spans],
    whole,
    damaged: damaged.count,
    cursor: position,
  };
}

/**
 * Samples of a run by their place among all of them; the newest `count`, if `from` is not given.
 *
 * @throws store.cannotRead, files.*; the signal's reason
 */
export async function readRunSamples(
  path: string,
  { from, count }: { readonly from?: number | undefined; readonly count: number },
  signal?: AbortSignal,
): Promise<{ total: number; from: number; samples: RunSample[] }> {
  const file = join(path, 'samples.jsonl');
  const damaged = new Damaged(file);
  // Only texts that may be wanted are kept, and only those that are wanted are parsed.
  let lines: LogLine[] = [];
  let total = 0;
  let dropped = 0;
  await readLinesFrom(
    file,
    undefined,
    (line) => {
      // A log of lines without anything is none, and there may be millions of them.
      if (line.end - line.start < shortestSample) damaged.note();
      total++;
      if (from !== undefined && (total <= from || total > from + count)) return;
      lines.push(line);
      if (from === undefined && lines.length >= 2 * count) {
        dropped += lines.length - count;
        lines = lines.slice(-count);
      }
    },
    signal,
  );
  const wanted = from === undefined ? lines.slice(-count) : lines;
  const first = from ?? dropped + lines.length - wanted.length;
  return {
    total,
    from: first,
    samples: wanted.flatMap(({ text }) => damaged.checked(damaged.json(text), samplesLine) ?? []),
  };
}

/** A file with more lines that cannot be understood is no log, and is not read on. */
const mostBroken = 10_000;

/** Lines that are not what they should be. The last one may still be written, or have been torn by a power cut. */
class Damaged {
  private broken = 0;
  private lastBroken = false;

  constructor(private readonly path: string) {}

  get count(): number {
    return this.broken - (this.lastBroken ? 1 : 0);
  }

  /** What a line holds; undefined where that is not JSON. */
  json(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** What {@link json} found, as it should be. */
  checked<T>(json: unknown, schema: z.ZodType<T>): T | undefined {
    const data = typeof json === 'object' ? schema.safeParse(json).data : undefined;
    this.lastBroken = data === undefined;
    if (this.lastBroken) this.note();
    return data;
  }

  /** Counts a line that cannot be understood. */
  note(): void {
    this.broken++;
    if (this.broken > mostBroken) throw errors.hopeless(this.path, mostBroken);
  }
}

const known: ReadonlySet<string> = new Set(['step', 'stage', 'evaluation']);

/** The numbers of a line. */
function numbersOf(line: object): Record<string, number | null> {
  const values: Record<string, number | null> = {};
  let count = 0;
  // Not by Object.entries: a run has a million of them.
  for (const name in line) {
    const value = (line as Record<string, unknown>)[name];
    if ((typeof value !== 'number' && value !== null) || known.has(name)) continue;
    if (++count > mostFigures) break;
    values[name] = value;
  }
  return values;
}

/** The numbers to six digits: nobody sees more, and it is half as long. */
function shortened(row: MetricRow): MetricRow {
  const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(6)));
  return {
    ...row,
    values: Object.fromEntries(Object.entries(row.values).map(([name, value]) => [name, short(value)])),
  };
}

/** Uses of codes over time: neighbours are added up where there are too many. The first entry stays as it is. */
class UsageSampler {
  private list: CodeUsage[] = [];
  private together = 1;
  private open = 0;

  constructor(private readonly limit: number) {}

  get entries(): readonly CodeUsage[] {
    return this.list;
  }

  add(entry: CodeUsage): void {
    const last = this.list.at(-1);
    if (last !== undefined && this.list.length > 1 && this.open < this.together && joinable(last, entry)) {
      this.list[this.list.length - 1] = sumOf(last, entry);
      this.open++;
      return;
    }
    this.list.push(entry);
    this.open = 1;
    if (this.list.length > this.limit) this.halve();
  }

  private halve(): void {
    const [first, ...others] = this.list;
    const joined: CodeUsage[] = first === undefined ? [] : [first];
    for (const [i, entry] of others.entries()) {
      const last = joined.at(-1);
      if (i % 2 === 1 && last !== undefined && joinable(last, entry)) joined[joined.length - 1] = sumOf(last, entry);
      else joined.push(entry);
    }
    this.list = joined;
    this.together *= 2;
    this.open = this.together;
  }
}

const joinable = (a: CodeUsage, b: CodeUsage) => a.counts.length === b.counts.length;
const sumOf = (a: CodeUsage, b: CodeUsage): CodeUsage => ({ ...b, counts: a.counts.map((n, i) => n + b.counts[i]) });
