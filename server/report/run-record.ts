/** A run as a report shows it: read from its folder, finished or not. */
import { join } from 'node:path';
import { z } from 'zod';
import { readLabels } from '../cola/actions-file.ts';
import { ColaModel } from '../cola/model.ts';
import { ColaError } from '../errors.ts';
import { holdsModel } from '../files/model-files.ts';
import { loadTokenizer, type Tokenizer } from '../model/tokenizer/tokenizer.ts';
import { readSpec, resolveModel } from '../spec/document.ts';
import type { RunSpec } from '../spec/schema.ts';
import { RunView } from '../store/run.ts';

const metricLine = z.looseObject({ step: z.number(), stage: z.string(), evaluation: z.boolean().optional() });
/** A line of metrics.jsonl: of a step, or of a measurement on what was held out. */
export type MetricLine = z.infer<typeof metricLine>;

const sampleLine = z.looseObject({
  step: z.number(),
  prompt: z.string(),
  completion: z.string(),
  actions: z.array(z.int().nonnegative()),
  reward: z.number().nullish(),
});
export type SampleLine = z.infer<typeof sampleLine>;

export interface RunRecord {
  /** What the run is called in the report. */
  readonly label: string;
  readonly id: string;
  readonly path: string;
  readonly spec: RunSpec;
  /** The spec as it stands in the run. */
  readonly specText: string;
  readonly steps: readonly MetricLine[];
  readonly measurements: readonly MetricLine[];
  readonly samples: readonly SampleLine[];
  /** Seconds of all steps. */
  readonly seconds: number;
  /** Of the model that came out, or of the one it began with; undefined where there is none. */
  readonly tokenizer: Tokenizer | undefined;
  /** N; undefined for a model without latent actions. */
  readonly codes: number | undefined;
  readonly labels: readonly (string | null)[];
}

/** The first and the last measurement that have a figure: not every stage measures all. Undefined where these are not two. */
export function endsOf({ measurements }: RunRecord, name: string): readonly [MetricLine, MetricLine] | undefined {
  const having = measurements.filter((line) => numberIn(line, name) !== undefined);
  return having.length < 2 ? undefined : [having[0], having[having.length - 1]];
}

/** The number of that name in a line, where there is one. */
export function numberIn(line: MetricLine, name: string): number | undefined {
  const value = line[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The list of numbers of that name in a line, where there is one. */
export function listIn(line: MetricLine, name: string): readonly number[] | undefined {
  const parsed = z.array(z.number()).safeParse(line[name]);
  return parsed.success ? parsed.data : undefined;
}

/** @throws store.noRun, store.line, spec.* */
export async function readRunRecord(path: string, label?: string): Promise<RunRecord> {
  const view = RunView.view(path);
  const specFile = join(view.path, 'spec.yaml');
  const spec = readSpec(specFile);
  const lines = view.readMetrics(metricLine);
  const steps = lines.filter(({ evaluation }) => evaluation !== true);
  const model = modelOf(view.path, spec, specFile);
  const codes = model === undefined ? undefined : await codesOf(model);
  return {
    label: label ?? view.id,
    id: view.id,
    path: view.path,
    spec,
    specText: view.spec,
    steps,
    measurements: lines.filter(({ evaluation }) => evaluation === true),
    samples: view.readSamples(sampleLine),
    seconds: steps.reduce((sum, line) => sum + (numberIn(line, 'seconds') ?? 0), 0),
    tokenizer: model === undefined ? undefined : tokenizerIn(model),
    codes,
    labels: model === undefined || codes === undefined ? [] : labelsOf(model, spec, specFile, codes),
  };
}

function modelOf(path: string, spec: RunSpec, specFile: string): string | undefined {
  const own = join(path, 'model');
  return holdsModel(own) ? own : startOf(spec, specFile);
}

/** The model the run began with, where that is still there. */
function startOf(spec: RunSpec, specFile: string): string | undefined {
  if (typeof spec.model !== 'string') return undefined;
  try {
    return resolveModel(spec.model, specFile);
  } catch (error) {
    if (error instanceof ColaError) return undefined;
    throw error;
  }
}

async function codesOf(model: string): Promise<number | undefined> {
  return ColaModel.exists(model) ? (await ColaModel.load(model)).config.numCodes : undefined;
}

/** A report can do without: texts are then shown whole. */
function tokenizerIn(model: string): Tokenizer | undefined {
  try {
    return loadTokenizer(model);
  } catch (error) {
    if (error instanceof ColaError) return undefined;
    throw error;
  }
}

/** Reinforcement leaves the codes as they were: their names are those of the model it began with. */
function labelsOf(model: string, spec: RunSpec, specFile: string, codes: number): readonly (string | null)[] {
  const own = readLabels(model, codes);
  if (own.some((label) => label !== null)) return own;
  const start = startOf(spec, specFile);
  return start === undefined ? own : readLabels(start, codes);
}
