/** The figures and samples of a run for a page that shows them: read in pieces, thinned out, and never in the way of who writes. */
import { join } from 'node:path';
import { z } from 'zod';
import { type MetricRow, RowSampler } from '../protocol/figures/down-sampling.ts';
import { StageTracker } from '../protocol/figures/stage-spans.ts';
import { type WorkerFigures, workersIn } from '../protocol/figures/workers.ts';
import { type CodeUsage, chartedMetrics, type RunMetrics, type RunSample } from '../protocol/history.ts';
import { sample } from '../protocol/runs.ts';
import { storeErrors as errors } from './errors.ts';
import { type LogLine, type LogPosition, readLinesFrom, readTextsFrom } from './line-reader.ts';
import { jsonOf, parseTogether } from './parse-together.ts';

/** Most entries of code usage in an answer, of training and of measurements each. */
const usageLimit = 120;

/** Longest name of a stage or a figure; figures with longer ones are not shown. */
const longestName = 200;
/** As many codes as a model may have. */
const mostCodes = 4096;

/** Of a line what is not a figure; figures have any name. */
const metricsLine = z.object({
  step: z.int().nonnegative(),
  stage: z.string().max(longestName),
  evaluation: z.boolean().optional(),
  seconds: z.number().nullish(),
  steps: z.int().nonnegative().nullish(),
  usage: z.array(z.number()).max(mostCodes).optional(),
});
/** A line has some fifty figures. Of one with more, the others are not shown, but for those that have a chart. */
const mostFigures = 100;
/** Characters of a line whose figures are picked out only if it is shown. A longer one would fill the memory. */
const shortLine = 2000;
/** Fewer bytes than the shortest sample has. */
const shortestSample = 32;
/** Bytes of samples that are kept, and answered, at once. */
const mostSampleBytes = 1 << 23;

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
  let workers: WorkerFigures | undefined;
  const file = join(path, 'metrics.jsonl');
  const damaged = new Damaged(file);
  const take = (json: unknown, text: string) => {
    const line = isMetricsLine(json) ? json : damaged.checked(json, metricsLine);
    if (line === undefined) return;
    damaged.whole();
    const evaluation = line.evaluation === true;
    const { step, stage, usage, seconds, steps } = line;
    stages.note({ step, stage, evaluation, seconds, steps });
    if (!evaluation) workers = workersIn(json as Record<string, unknown>) ?? workers;
    if (step < from || step > to) return;
    const kind = evaluation ? 'evaluations' : 'steps';
    // Most lines are thinned out, and a row is looked at by the names of charts alone: what is no figure may stay in it.
    const values = (text.length <= shortLine ? json : numbersOf(json as object)) as MetricRow['values'];
    samplers[kind].add({ step, stage, evaluation, values });
    if (usage !== undefined) uses[kind].add({ step, evaluation, counts: usage });
  };
  const { position, whole } = await readTextsFrom(
    file,
    after,
    (texts) => {
      const parsed = parseTogether(texts);
      for (let i = 0; i < texts.length; i++) take(parsed(i), texts[i]);
    },
    signal,
  );
  return {
    rows: [...samplers.steps.rows(), ...samplers.evaluations.rows()].map(shown),
    usage: [...uses.steps.entries, ...uses.evaluations.entries],
    stages: [...stages.spans],
    ...(workers === undefined ? {} : { workers: copied(workers) }),
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
  let bytes = 0;
  await readLinesFrom(
    file,
    undefined,
    (line) => {
      // A log of lines without anything is none, and there may be millions of them.
      if (line.end - line.start < shortestSample) damaged.note();
      total++;
      if (from !== undefined && (total <= from || total > from + count || bytes > mostSampleBytes)) return;
      lines.push(line);
      bytes += line.end - line.start;
      if (from === undefined && (lines.length >= 2 * count || bytes > 2 * mostSampleBytes)) {
        const kept = newest(lines, count);
        dropped += lines.length - kept.length;
        lines = kept;
        bytes = kept.reduce((sum, { start, end }) => sum + end - start, 0);
      }
    },
    signal,
  );
  const wanted = from === undefined ? newest(lines, count) : lines;
  const first = from ?? dropped + lines.length - wanted.length;
  return {
    total,
    from: first,
    samples: wanted.flatMap(({ text }) => damaged.checked(jsonOf(text), samplesLine) ?? []),
  };
}

/** The last lines, so many and so long that they may be answered at once; one at least. */
function newest(lines: readonly LogLine[], count: number): LogLine[] {
  let first = lines.length;
  for (let bytes = 0; first > Math.max(0, lines.length - count); first--) {
    const { start, end } = lines[first - 1];
    bytes += end - start;
    if (bytes > mostSampleBytes && first < lines.length) break;
  }
  return lines.slice(first);
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

  /** What a line holds, as it should be. */
  checked<T>(json: unknown, schema: z.ZodType<T>): T | undefined {
    const data = typeof json === 'object' ? schema.safeParse(json).data : undefined;
    this.lastBroken = data === undefined;
    if (this.lastBroken) this.note();
    return data;
  }

  /** The line was as it should be. */
  whole(): void {
    this.lastBroken = false;
  }

  /** Counts a line that cannot be understood. */
  note(): void {
    this.broken++;
    if (this.broken > mostBroken) throw errors.hopeless(this.path, mostBroken);
  }
}

/**
 * Whether a line is as {@link metricsLine} has it, and holds nothing that the schema would change: nearly every line is, and the schema
 * takes longer than the parser.
 */
function isMetricsLine(json: unknown): json is z.infer<typeof metricsLine> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false;
  const { step, stage, evaluation, seconds, steps, usage } = json as Record<string, unknown>;
  return (
    isCount(step) &&
    typeof stage === 'string' &&
    stage.length <= longestName &&
    (evaluation === undefined || typeof evaluation === 'boolean') &&
    (seconds === undefined || seconds === null || Number.isFinite(seconds)) &&
    (steps === undefined || steps === null || isCount(steps)) &&
    (usage === undefined || (Array.isArray(usage) && usage.length <= mostCodes && usage.every(Number.isFinite)))
  );
}

const copied = (figures: WorkerFigures) =>
  Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, [...values]]));

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

const named: ReadonlySet<string> = new Set(['step', 'stage', 'evaluation', ...chartedMetrics]);

/** The numbers of a line, those with a chart first; of a row that was made of its numbers, the same. */
function numbersOf(line: object): Record<string, number | null> {
  const values: Record<string, number | null> = {};
  const all = line as Readonly<Record<string, unknown>>;
  for (const name of chartedMetrics) if (isFigure(all[name])) values[name] = all[name];
  let left = mostFigures - chartedMetrics.length;
  // Not by Object.entries: a run has a million of them.
  for (const name in all) {
    const value = all[name];
    if (!isFigure(value) || name.length > longestName || named.has(name)) continue;
    if (left-- === 0) break;
    values[name] = value;
  }
  return values;
}

const isFigure = (value: unknown): value is number | null => typeof value === 'number' || value === null;

/** A row as it is sent. The numbers have six digits: nobody sees more, and it is half as long. */
function shown(row: MetricRow): MetricRow {
  const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(6)));
  const values = Object.entries(numbersOf(row.values)).map(([name, value]) => [name, short(value)]);
  return { ...row, values: Object.fromEntries(values) };
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
    // What cannot be added up, for its lines speak of ever another number of codes, is no use of codes over time.
    this.list = joined.length > this.limit ? joined.slice(-this.limit / 2) : joined;
    this.together *= 2;
    this.open = this.together;
  }
}

const joinable = (a: CodeUsage, b: CodeUsage) => a.counts.length === b.counts.length;
const sumOf = (a: CodeUsage, b: CodeUsage): CodeUsage => ({ ...b, counts: a.counts.map((n, i) => n + b.counts[i]) });
