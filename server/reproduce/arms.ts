/** Trains and measures the arms of an experiment in one seed. Its runs are ordinary runs: stopped or killed, they go on where they were. */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Devices } from '../device/devices.ts';
import { closingMeasurement } from '../evaluate/closing.ts';
import { type EvaluationOptions, evaluateModel } from '../evaluate/evaluate.ts';
import { defaultSettings } from '../evaluate/report.ts';
import { runDefaults } from '../evaluate/run.ts';
import { exists, removeFolder, writeFileAtomic } from '../files/atomic.ts';
import { makeFolder } from '../files/place.ts';
import { parseSpec, resolveModel, stringifySpec } from '../spec/document.ts';
import type { RunSpec } from '../spec/schema.ts';
import { runHash } from '../start/specs.ts';
import { RunView, runFolder } from '../store/run.ts';
import type { TrainEvent } from '../train/run/events.ts';
import { resumeRun, startRun } from '../train/run/job.ts';
import type { Evidence } from './evidence.ts';
import type { Arm, Experiment, Measurement } from './experiment.ts';
import { makeRows } from './made.ts';

export interface ArmsOptions {
  /** Folder whose `.cola` holds the runs. */
  readonly root: string;
  readonly device: string;
  readonly threads?: number | undefined;
  readonly devices: Devices;
  readonly signal: AbortSignal;
  readonly onArm: (arm: string, run: string, resumed: boolean) => void;
  readonly onEvent: (event: TrainEvent) => void;
  readonly say: (text: string) => void;
}

/** What the arms of an experiment are, without what is claimed of them: other arms need other evidence. */
export const fingerprintOf = ({ model, file, content }: Experiment): string =>
  createHash('sha256')
    .update(runHash(content, resolveModel(model, file)))
    .digest('hex')
    .slice(0, 16);

/** Points of a curve that its beginning and its end are the mean of: one round is noisy. */
const ends = 3;
const meanOf = (points: readonly (readonly [number, number])[]) =>
  points.reduce((sum, [, y]) => sum + y, 0) / points.length;

const metricsLine = z.looseObject({
  step: z.number(),
  stage: z.string(),
  evaluation: z.boolean().optional(),
  seconds: z.number().optional(),
});
type MetricsLine = z.infer<typeof metricsLine>;

type Found = Pick<Evidence, 'figures' | 'curves'>;

/** Trains and measures one seed, arm after arm. @throws train.stopped or the signal's reason when it is stopped */
export class Arms {
  private readonly models = new Map<string, string>();
  private readonly data = new Map<string, string>();
  private readonly runs: string[] = [];
  private readonly found: Found = { figures: {}, curves: {} };
  private device = '';

  constructor(
    private readonly experiment: Experiment,
    private readonly seed: number,
    private readonly options: ArmsOptions,
  ) {}

  async run(): Promise<Found & { device: string }> {
    await this.make();
    for (const [name, arm] of Object.entries(this.experiment.arms)) {
      this.options.signal.throwIfAborted();
      const run = arm.stages === undefined ? undefined : await this.train(name, arm, arm.stages);
      if (run === undefined) this.models.set(name, this.begin(arm));
      else this.read(name, arm, run);
      for (const measurement of arm.measure) await this.measure(name, run, measurement);
    }
    return { ...this.found, device: this.device };
  }

  /** Takes the runs away: what they showed is known. */
  async clear(): Promise<void> {
    for (const run of this.runs) await removeFolder(run);
  }

  /** Writes the data that is made, under a name that tells it from other data: arms that learned from other data are others. */
  private async make(): Promise<void> {
    const { name: experiment, file, made } = this.experiment;
    const folder = join(this.options.root, '.cola', 'reproduce', 'made');
    for (const [name, data] of Object.entries(made)) {
      makeFolder(folder);
      const rows = await makeRows(data, dirname(file), this.seed);
      const content = createHash('sha256').update(rows).digest('hex').slice(0, 8);
      const path = join(folder, `${experiment}-${name}-${this.seed}-${content}.jsonl`);
      await writeFileAtomic(path, rows);
      this.data.set(name, path);
    }
  }

  /** Folder of the model that an arm begins with. */
  private begin({ from }: Arm): string {
    const { model, file } = this.experiment;
    return (from === undefined ? undefined : this.models.get(from)) ?? resolveModel(model, file);
  }

  /** With the paths of models of arms before it, and of data that was made. */
  private filled(value: unknown): unknown {
    if (typeof value === 'string') {
      const [, kind, name] = /^(arm|made):(.*)$/.exec(value) ?? [];
      return (kind === 'arm' ? this.models : this.data).get(name ?? '') ?? value;
    }
    if (Array.isArray(value)) return value.map((entry) => this.filled(entry));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, this.filled(entry)]));
  }

  private specOf(arm: Arm, stages: readonly unknown[]): RunSpec {
    const { file, model } = this.experiment;
    const { device, threads } = this.options;
    const began = arm.from === undefined ? model : this.begin(arm);
    const document = { model: began, device, ...(threads === undefined ? {} : { threads }), seed: this.seed };
    const { spec, problems } = parseSpec(stringify({ ...document, stages: this.filled(stages) }), file);
    if (spec === undefined) throw new Error(`a spec that was read before is refused: ${problems[0]?.message}`);
    return spec;
  }

  /** Runs an arm, goes on with it, or finds it finished. @returns the run's folder */
  private async train(name: string, arm: Arm, stages: readonly unknown[]): Promise<string> {
    const { root, devices, signal, onArm } = this.options;
    const { name: experiment, file } = this.experiment;
    const spec = this.specOf(arm, stages);
    const hash = runHash(stringifySpec(spec), this.begin(arm));
    const runId = `claim-${experiment}-${name}-${this.seed}-${hash}`;
    const folder = runFolder(root, runId);
    const begun = await exists(folder);
    const model = join(folder, 'model');
    const finished = begun && (await exists(join(model, 'config.json')));
    onArm(name, runId, begun);
    if (!finished) {
      const onEvent = (event: TrainEvent) => {
        if (event.kind === 'device') this.device = event.device;
        this.options.onEvent(event);
      };
      const common = { root, runId, signal, onEvent, devices, measure: closingMeasurement };
      if (begun) await resumeRun(common);
      else await startRun({ ...common, spec, specFile: file });
    }
    this.models.set(name, model);
    this.runs.push(folder);
    return folder;
  }

  private note(name: string, value: number | readonly number[]): void {
    if (typeof value === 'number' ? Number.isFinite(value) : value.length > 0)
      this.found.figures[name] = typeof value === 'number' ? value : [...value];
  }

  /** The first and the last measurement of the last stage of a run, and the course of what is asked for. */
  private read(name: string, arm: Arm, run: string): void {
    const lines = lastStage(RunView.view(run).readMetrics(metricsLine));
    const measured = lines.filter(({ evaluation }) => evaluation === true);
    for (const [when, line] of [
      ['first', measured[0]],
      ['last', measured.at(-1)],
    ] as const) {
      for (const [figure, value] of Object.entries(line ?? {})) {
        const isList = Array.isArray(value) && value.every((each) => typeof each === 'number');
        // How often each code was used is no figure of problems.
        if (typeof value === 'number' || (isList && figure.endsWith('_each')))
          this.note(`${name}.${when}.${figure}`, value as number | number[]);
      }
    }
    for (const figure of arm.curves) {
      const points = lines.flatMap((line) => {
        const value = line[figure];
        return typeof value === 'number' && Number.isFinite(value) ? [[line.step, value] as [number, number]] : [];
      });
      if (points.length === 0) continue;
      this.found.curves[`${name}.${figure}`] = points;
      this.note(`${name}.begin.${figure}`, meanOf(points.slice(0, ends)));
      this.note(`${name}.end.${figure}`, meanOf(points.slice(-ends)));
    }
    for (const [figure, level] of Object.entries(arm.onsets)) {
      const { step, seconds } = onsetOf(lines, figure, level);
      this.note(`${name}.onset.${figure}`, step);
      this.note(`${name}.onset_seconds.${figure}`, seconds);
    }
  }

  private async measure(arm: string, run: string | undefined, measurement: Measurement): Promise<void> {
    const { devices, threads, root, signal, say } = this.options;
    const model = this.models.get(arm) ?? this.begin({ measure: [], curves: [], onsets: {} });
    const cacheFolder = join(root, '.cola', 'cache');
    const taken = await devices.take(this.options.device, threads === undefined ? {} : { threads });
    this.device = taken.device.name;
    try {
      const own = run === undefined ? undefined : await runDefaults(run, model, cacheFolder);
      const { measures, decoding, text, task, agent, settings, name } = this.filled(measurement) as Measurement;
      const given: EvaluationOptions = {
        ...own,
        device: taken.device,
        model,
        measures,
        decoding: decoding ?? own?.decoding,
        text: text === undefined ? own?.text : { data: text },
        task: task ?? own?.task,
        agent: agent ?? own?.agent,
        taskSeed: own?.taskSeed ?? this.seed,
        seeds: [this.seed],
        settings: { ...(own?.settings ?? defaultSettings), ...settings } as EvaluationOptions['settings'],
        // Paths of a run count from its own spec.
        specFile:
          text === undefined && task === undefined && agent === undefined
            ? (own?.specFile ?? this.experiment.file)
            : this.experiment.file,
        cacheFolder,
        signal,
        onProgress: (line) => say(`${arm}: ${line}`),
        onEach: (measure, figure, values) => this.note(`${arm}.${name ?? measure}.${figure}`, values),
      };
      const { results, skipped } = await evaluateModel(given);
      for (const { measure, reason } of skipped) say(`${arm}: ${measure} was not taken: ${reason}.`);
      for (const [measure, figures] of Object.entries(results))
        for (const [figure, { mean }] of Object.entries(figures))
          this.note(`${arm}.${name ?? measure}.${figure}`, mean);
    } finally {
      await taken.release();
    }
  }
}

/**
 * The first step at which a figure reaches a level, and the seconds of all steps up to it, without those of measurements. Where none
 * does, the step behind the last and the seconds of all: it would have been later.
 */
export function onsetOf(
  lines: readonly Readonly<Record<string, unknown>>[],
  figure: string,
  level: number,
): { readonly step: number; readonly seconds: number } {
  let step = 0;
  let seconds = 0;
  for (const line of lines) {
    if (line.evaluation === true) continue;
    step = Number(line.step);
    seconds += Number(line.seconds ?? 0);
    if (Number(line[figure]) >= level) return { step, seconds };
  }
  return { step: step + 1, seconds };
}

/** Lines of the last stage: it begins with a measurement whose step no line before it has passed. */
function lastStage(lines: readonly MetricsLine[]): readonly MetricsLine[] {
  let begun = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (const [i, { step, evaluation }] of lines.entries()) {
    if (evaluation === true && step > last) begun = i;
    last = Math.max(last, step);
  }
  return lines.slice(begun);
}
