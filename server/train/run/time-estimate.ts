/** How long a run is going to take: from its first steps on this machine, or from what runs of the same sizes took here. */
import { z } from 'zod';
import { ColaError } from '../../errors.ts';
import { parseSpec } from '../../spec/document.ts';
import { resolveModel } from '../../spec/paths.ts';
import type { RunSpec, StageSpec } from '../../spec/schema.ts';
import { listRuns } from '../../store/all-runs.ts';
import type { RunView } from '../../store/run.ts';

/** What a stage takes on this machine, in seconds. */
export interface StageTiming {
  readonly name: string;
  /** Steps that the stage has. */
  readonly steps: number;
  readonly evaluateEvery: number;
  /** Of one step, and of one measurement on what is held out. */
  readonly step: number;
  readonly evaluation: number;
}

export interface TimeEstimate {
  /** Seconds between which it is going to be. Measures at the end of a run are not in it. */
  readonly low: number;
  readonly high: number;
  readonly stages: readonly { readonly name: string; readonly low: number; readonly high: number }[];
  readonly source: 'trial' | 'runs';
}

/** What the estimate is divided and multiplied by: steps get longer with the answers, and a machine does other things too. */
const spread = { trial: 2, runs: 1.5 } as const;

export function estimateTime(timings: readonly StageTiming[], source: TimeEstimate['source']): TimeEstimate {
  const stages = timings.map(({ name, ...timing }) => {
    const seconds = secondsOf(timing);
    return { name, low: seconds / spread[source], high: seconds * spread[source] };
  });
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return { low: sum(stages.map(({ low }) => low)), high: sum(stages.map(({ high }) => high)), stages, source };
}

/** Once before the first step, then now and then, and behind the last. */
function secondsOf({ steps, evaluateEvery, step, evaluation }: Omit<StageTiming, 'name'>): number {
  const within = Math.max(0, Math.ceil(steps / evaluateEvery) - 1);
  return steps * step + (2 + within) * evaluation;
}

/** Settings that decide what a step takes, beside the model. */
const sizes = [
  ...['batch', 'length', 'max_length', 'max_new', 'group', 'accumulate', 'variant', 'algorithm', 'learn'],
  ...['evaluate_rows', 'evaluate_samples', 'environment', 'cache_states', 'width', 'marginal', 'marginal_states'],
];

function sizeKey({ name, settings }: StageSpec): string {
  const given = settings as Readonly<Record<string, unknown>>;
  return JSON.stringify([name, ...sizes.map((size) => given[size] ?? null)]);
}

const modelKey = ({ model, device, threads }: RunSpec, file: string): string =>
  JSON.stringify([typeof model === 'string' ? resolveModel(model, file) : model, device, threads ?? null]);

/** Runs that are looked through, the newest first. */
const mostRuns = 20;
/** Steps that say something; a run that was stopped at once says nothing. */
const fewestSteps = 3;

const line = z.looseObject({
  step: z.number(),
  stage: z.string(),
  evaluation: z.boolean().optional(),
  seconds: z.number().nullish(),
});

/** What stages of the same sizes took in earlier runs; undefined where not every one of the spec has been run here. */
export function timingsOfRuns(root: string, spec: RunSpec, specFile: string): StageTiming[] | undefined {
  const wanted = new Map(spec.stages.map((stage) => [sizeKey(stage), undefined as StageTiming | undefined]));
  const model = modelKey(spec, specFile);
  const runs = listRuns(root, () => {}).sort((a, b) => b.updated - a.updated);
  for (const run of runs.slice(0, mostRuns)) {
    for (const { key, timing } of timingsIn(run, model))
      if (wanted.has(key)) wanted.set(key, wanted.get(key) ?? timing);
    if ([...wanted.values()].every((timing) => timing !== undefined)) break;
  }
  const found = spec.stages.map((stage) => {
    const timing = wanted.get(sizeKey(stage));
    const { steps } = stage.settings as { readonly steps?: number };
    return timing === undefined ? undefined : { ...timing, steps: steps ?? timing.steps };
  });
  return found.every((timing) => timing !== undefined) ? found : undefined;
}

/** The stages of a run, as far as it came. One that cannot be read says nothing. */
function timingsIn(run: RunView, model: string): { readonly key: string; readonly timing: StageTiming }[] {
  const file = `${run.path}/spec.yaml`;
  try {
    const { spec } = parseSpec(run.spec, file);
    if (spec === undefined || modelKey(spec, file) !== model) return [];
    const lines = run.readMetrics(line);
    return spec.stages.flatMap((stage) => {
      const { name, settings } = stage;
      // Two stages of a name cannot be told apart by their lines.
      if (spec.stages.filter((other) => other.name === name).length > 1) return [];
      const own = lines.filter((each) => each.stage === name);
      const taken = (evaluation: boolean) =>
        own.flatMap((each) => ((each.evaluation ?? false) === evaluation ? (each.seconds ?? []) : []));
      const steps = taken(false);
      if (steps.length < fewestSteps) return [];
      const { evaluate_every: evaluateEvery = steps.length } = settings as { readonly evaluate_every?: number };
      const timing = { name, steps: steps.length, evaluateEvery, step: mean(steps), evaluation: mean(taken(true)) };
      return [{ key: sizeKey(stage), timing }];
    });
  } catch (error) {
    if (error instanceof ColaError) return [];
    throw error;
  }
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((total, value) => total + value, 0) / values.length;
