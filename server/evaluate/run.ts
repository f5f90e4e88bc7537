/** The measures that a run's spec asks for, taken of the model that came out of it. */
import { dirname, join } from 'node:path';
import type { Device } from '../device/device.ts';
import { Random } from '../random.ts';
import { solvedFrom } from '../rewards/range.ts';
import { readSpec, resolveModel } from '../spec/document.ts';
import type { RunSpec } from '../spec/schema.ts';
import { exists, writeFileAtomic } from '../store/atomic.ts';
import { RunView } from '../store/run.ts';
import { FrozenData, frozenFolder } from '../train/frozen.ts';
import { costRecord, measureCost } from './cost.ts';
import { evaluateErrors } from './errors.ts';
import { type EvaluationOptions, evaluateModel } from './evaluate.ts';
import { defaultSettings, type Evaluation } from './report.ts';
import type { Decoding } from './subject.ts';
import type { TaskSpec } from './task.ts';

/** What a run says about the measurement of its model. */
export type RunDefaults = Omit<EvaluationOptions, 'device' | 'signal' | 'onProgress'>;

/** The run that a folder is, or whose model it holds; undefined for any other folder. */
export async function runOf(folder: string): Promise<{ run: string; model: string } | undefined> {
  if (await exists(join(folder, 'spec.yaml'))) return { run: folder, model: join(folder, 'model') };
  const parent = dirname(folder);
  return (await exists(join(parent, 'spec.yaml'))) && (await exists(join(parent, 'metrics.jsonl')))
    ? { run: parent, model: folder }
    : undefined;
}

/**
 * How the model of a run is measured: on the text and the prompts that its stages held out, against the model it began
 * with, with actions unless the last reinforcement was over tokens.
 *
 * @throws store.noRun, spec.*, evaluate.noModel
 */
export async function runDefaults(run: string, model: string, cacheFolder?: string): Promise<RunDefaults> {
  const specFile = join(run, 'spec.yaml');
  const view = RunView.view(run);
  const spec = readSpec(specFile);
  if (!(await exists(model))) throw evaluateErrors.noModel(view.id);
  const task = taskOf(spec);
  return {
    model,
    against: typeof spec.model === 'string' ? resolveModel(spec.model, specFile) : undefined,
    decoding: decodingOf(spec),
    measures: spec.evaluate,
    text: textOf(spec),
    task: task?.task,
    taskSeed: stageSeed(spec, task?.at ?? 0),
    cost: ({ base, context }) => measureCost(spec, view.readMetrics(costRecord), base, context.cola?.config),
    seeds: [spec.seed],
    settings: task === undefined ? defaultSettings : { ...defaultSettings, ...task.sizes },
    specFile,
    cacheFolder,
    frozen: new FrozenData(join(run, frozenFolder)),
  };
}

/**
 * Measures the model of a run and writes `evaluation.json` into its folder. Data that has gone since the run began costs
 * its measures only: the model is there.
 */
export async function evaluateRun(
  run: string,
  device: Device,
  options: Pick<EvaluationOptions, 'signal' | 'onProgress' | 'cacheFolder'>,
): Promise<Evaluation> {
  const defaults = await runDefaults(run, join(run, 'model'), options.cacheFolder);
  const result = await evaluateModel({ ...defaults, ...options, device, tolerant: true });
  await writeFileAtomic(join(run, 'evaluation.json'), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

/** As the run seeds its stages. */
const stageSeed = (spec: RunSpec, at: number) => new Random(spec.seed + 1000 * at).uint32();

function decodingOf(spec: RunSpec): Decoding | undefined {
  const last = spec.stages.findLast(({ name }) => name === 'reinforce' || name === 'tokens' || name === 'expert');
  return last?.name === 'tokens' ? 'tokens' : undefined;
}

/** What the last stage on text held out. */
function textOf(spec: RunSpec): EvaluationOptions['text'] {
  for (const stage of spec.stages.toReversed()) {
    if (stage.name === 'clone' || stage.name === 'control' || stage.name === 'pretrain') {
      const { data, held_out } = stage.settings;
      return { data, held_out };
    }
  }
  return undefined;
}

/** The task of the last stage that has one, and how much of it that stage measures. */
function taskOf(spec: RunSpec) {
  for (const [at, stage] of [...spec.stages.entries()].reverse()) {
    if (stage.name === 'reinforce' || stage.name === 'tokens') {
      const { prompts, reward, held_out, chat, max_new, temperature, top_k } = stage.settings;
      if (prompts === undefined || reward === undefined) continue;
      const solved_at = stage.settings.solved_at ?? solvedFrom(reward);
      const task: TaskSpec = { prompts, reward, held_out, chat, max_new, temperature, top_k, solved_at };
      const { evaluate_rows, evaluate_samples } = stage.settings;
      return { at, task, sizes: { prompts: evaluate_rows, samples: evaluate_samples } };
    }
    if (stage.name === 'expert') {
      const { prompts, reward, held_out, chat, max_new, evaluate_rows, evaluate_samples } = stage.settings;
      const solved_at = stage.settings.solved_at ?? solvedFrom(reward);
      const task: TaskSpec = { prompts, reward, held_out, chat, max_new, temperature: 1, top_k: 0, solved_at };
      return { at, task, sizes: { prompts: evaluate_rows, samples: evaluate_samples } };
    }
    if (stage.name === 'q') {
      const { prompts, reward, chat, max_new, temperature } = stage.settings;
      const task: TaskSpec = { prompts, reward, chat, max_new, temperature, top_k: 0, solved_at: solvedFrom(reward) };
      return { at, task, sizes: {} };
    }
  }
  return undefined;
}
