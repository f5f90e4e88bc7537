/** What a page knows of a run: what was read from its files, and what has happened since. */
import { type MetricRow, RowSampler } from '../../server/protocol/figures/down-sampling.ts';
import { StageTracker } from '../../server/protocol/figures/stage-spans.ts';
import { type WorkerFigures, workersIn } from '../../server/protocol/figures/workers.ts';
import {
  type CodeUsage,
  chartedMetrics,
  type RunDetails,
  type RunMetrics,
  type RunSample,
  type StageSpan,
} from '../../server/protocol/history.ts';
import type { RunState, WireTrainEvent } from '../../server/protocol/runs.ts';

/** Most rows of steps, and most of measurements, that are kept. */
export const keptRows = 4000;
/** Most samples and events that are kept. */
const keptSamples = 1000;
const keptEvents = 300;

export type LogEntry = RunDetails['log'][number];

/** Of a stage under way, where the next lines belong. */
interface Under {
  readonly name: string;
  readonly before: number;
  readonly index: number;
  readonly count: number;
}

export class RunData {
  details: RunDetails | undefined;
  state: RunState | undefined;
  /** Whether another process writes to it. */
  elsewhere = false;
  /** Lines of its files that cannot be understood. */
  damaged = 0;
  device: string | undefined;
  log: LogEntry[] = [];
  samples: RunSample[] = [];
  /** Samples there are in all. */
  sampleCount = 0;
  usage: CodeUsage[] = [];
  /** Of the last step that says what workers did. */
  workers: WorkerFigures | undefined;
  cursor: RunMetrics['cursor'] | undefined;
  private tracker = new StageTracker();
  private steps = new RowSampler(keptRows, chartedMetrics);
  private evaluations = new RowSampler(keptRows, chartedMetrics);
  private lastStep = -1;
  private lastEvaluation = -1;
  private under: Under | undefined;
  private bestStep: number | undefined;

  get stages(): readonly StageSpan[] {
    return this.tracker.spans;
  }

  /** Rows of steps, and of measurements, each in order. */
  get rows(): { readonly steps: MetricRow[]; readonly evaluations: MetricRow[] } {
    return { steps: this.steps.rows(), evaluations: this.evaluations.rows() };
  }

  /** Steps that one row stands for; 1 as long as all are there. */
  get stride(): number {
    return Math.max(this.steps.stride, this.evaluations.stride);
  }

  get last(): number {
    return Math.max(0, this.lastStep, this.lastEvaluation);
  }

  /** The step of the best checkpoint. */
  get best(): number | undefined {
    return this.bestStep;
  }

  /** Seconds of steps and measurements so far. */
  get seconds(): number {
    return this.stages.reduce((sum, span) => sum + span.seconds, 0);
  }

  setDetails(details: RunDetails): void {
    this.details = details;
    this.log = [...details.log];
    this.device = details.log.findLast(({ kind }) => kind === 'device')?.text ?? this.device;
    this.bestStep = details.checkpoints.findLast(({ best }) => best)?.step;
  }

  /** Takes what was read: everything, or what was written since the reading before. */
  addMetrics(metrics: RunMetrics): void {
    if (metrics.whole) {
      this.tracker = new StageTracker(metrics.stages);
      this.steps = new RowSampler(keptRows, chartedMetrics);
      this.evaluations = new RowSampler(keptRows, chartedMetrics);
      this.lastStep = -1;
      this.lastEvaluation = -1;
      this.usage = [];
      this.workers = undefined;
      this.damaged = 0;
    }
    this.damaged += metrics.damaged;
    this.cursor = metrics.cursor;
    for (const row of inOrder(metrics.rows)) this.take(row, !metrics.whole);
    this.usage.push(...metrics.usage);
    this.workers = metrics.workers ?? this.workers;
  }

  addSamples({ total, samples }: { readonly total: number; readonly samples: readonly RunSample[] }): void {
    this.sampleCount = total;
    this.samples = [...samples];
  }

  /** Takes an event of a run under way. What is known already from the files is not taken twice. */
  apply(event: WireTrainEvent, now: number): void {
    switch (event.kind) {
      case 'device':
        this.device = event.device;
        this.note(now, 'device', event.device);
        break;
      case 'message':
        this.note(now, 'message', event.text);
        break;
      case 'stage':
        this.under = event;
        this.note(now, 'stage', `${event.index + 1} of ${event.count}, ${event.name}`);
        break;
      case 'step':
      case 'evaluation':
        this.measure(event);
        break;
      case 'samples':
        this.addNew(event.samples.map((sample) => ({ ...sample, stage: event.stage, step: this.number(event.step) })));
        break;
      case 'checkpoint':
        this.saved(event.step);
        break;
      case 'state':
        this.state = event.state;
        if (event.message !== undefined && (event.state === 'failed' || event.state === 'stopped')) {
          this.note(now, event.state, [event.message, event.remedy].filter(Boolean).join(' '));
        }
        break;
      case 'done':
        this.note(now, 'done', event.model);
    }
  }

  private note(time: number, kind: LogEntry['kind'], text: string): void {
    const last = this.log.at(-1);
    // The file may have been read after it happened.
    if (last?.text.startsWith(text) === true && time - last.time < 5000) return;
    this.log.push({ time, kind, text });
    this.log = this.log.slice(-keptEvents);
  }

  /** Number of a stage's step in the run. */
  private number(step: number): number {
    const before = this.under?.before ?? this.stages.at(-1)?.before ?? 0;
    return before + step;
  }

  private measure(event: Extract<WireTrainEvent, { kind: 'step' | 'evaluation' }>): void {
    const evaluation = event.kind === 'evaluation';
    const step = this.number(event.step);
    const values: Record<string, number | null> = { seconds: event.seconds };
    for (const [name, value] of Object.entries(event.metrics)) {
      if (!Array.isArray(value)) values[name] = value;
    }
    if (!this.take({ step, stage: event.stage, evaluation, values }, true)) return;
    if (!evaluation) this.workers = workersIn(event.metrics) ?? this.workers;
    if (!evaluation) this.tracker.note({ step, stage: event.stage, evaluation, steps: event.steps });
    const { usage } = event.metrics;
    if (Array.isArray(usage)) this.usage.push({ step, evaluation, counts: usage.map((n) => n ?? 0) });
    if (event.kind === 'evaluation' && event.best) this.bestStep = step;
  }

  /** @returns whether it was new */
  private take(row: MetricRow, track: boolean): boolean {
    const { step, stage, evaluation, values } = row;
    if (step <= (evaluation ? this.lastEvaluation : this.lastStep)) return false;
    if (track) this.tracker.note({ step, stage, evaluation, seconds: values.seconds, steps: values.steps });
    if (evaluation) {
      this.evaluations.add(row);
      this.lastEvaluation = step;
    } else {
      this.steps.add(row);
      this.lastStep = step;
    }
    return true;
  }

  private addNew(samples: readonly RunSample[]): void {
    const known = this.samples.at(-1)?.step ?? -1;
    const fresh = samples.filter(({ step }) => step > known);
    this.samples.push(...fresh);
    this.samples = this.samples.slice(-keptSamples);
    this.sampleCount += fresh.length;
  }

  private saved(step: number): void {
    if (this.details === undefined) return;
    const { checkpoints } = this.details;
    if (checkpoints.some((checkpoint) => checkpoint.step === step)) return;
    this.details = { ...this.details, checkpoints: [...checkpoints, { step, best: step === this.bestStep }] };
  }
}

/** As they were written: a measurement follows the step of the same number, but for the first of a stage. */
function inOrder(rows: readonly MetricRow[]): MetricRow[] {
  return [...rows].sort((a, b) => a.step - b.step || Number(a.evaluation) - Number(b.evaluation));
}

/** Seconds until the stage under way is done, by the pace of its last steps; undefined where nothing says so. */
export function remaining(stage: StageSpan | undefined, steps: readonly MetricRow[]): number | undefined {
  if (stage === undefined || stage.steps === null) return undefined;
  const done = stage.last - stage.before;
  if (done < 2 || stage.seconds <= 0) return undefined;
  const recent = steps.filter((row) => row.step > stage.before && typeof row.values.seconds === 'number').slice(-20);
  if (recent.length === 0) return undefined;
  const pace = recent.reduce((sum, row) => sum + (row.values.seconds ?? 0), 0) / recent.length;
  // Measurements take their share of the time, too.
  const own = pace * done;
  return Math.max(0, stage.steps - done) * pace * Math.max(1, stage.seconds / own);
}
