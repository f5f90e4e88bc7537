/** The measures that a run's spec asks for, taken of the model that came out of it. */
import { dirname, join } from 'node:path';
import type { Device } from '../device/device.ts';
import { exists, writeFileAtomic } from '../files/atomic.ts';
import { readSpec, resolveModel } from '../spec/document.ts';
import { basePrecision, type RunSpec } from '../spec/schema.ts';
import { type StageAgent, type StageTask, stageOf } from '../spec/stages.ts';
import { RunView } from '../store/run.ts';
import { FrozenData, frozenFolder } from '../train/run/frozen.ts';
import { stageSeed } from '../train/run/seed.ts';
import type { AgentSpec } from './agent.ts';
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
  const acting = agentOf(spec);
  return {
    model,
    against: typeof spec.model === 'string' ? resolveModel(spec.model, specFile) : undefined,
    decoding: decodingOf(spec),
    measures: spec.evaluate,
    text: textOf(spec),
    task: task?.task,
    agent: acting?.agent,
    taskSeed: stageSeed(spec.seed, task?.at ?? 0),
    cost: ({ base, context }) => measureCost(spec, view.readMetrics(costRecord), base, context.cola?.config),
    seeds: [spec.seed],
    settings: { ...defaultSettings, ...acting?.sizes, ...task?.sizes },
    specFile,
    cacheFolder,
    precision: basePrecision(spec),
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

/** How the model of a run answers, as far as its spec says. @throws spec.* */
export const runDecoding = (run: string): Decoding | undefined => decodingOf(readSpec(join(run, 'spec.yaml')));

/** With tokens, if the last stage that learned to answer answers so; with actions, as is usual, otherwise. */
function decodingOf(spec: RunSpec): Decoding | undefined {
  const answers = spec.stages.flatMap((stage) => stageOf(stage).answers ?? []).at(-1);
  return answers === 'tokens' ? 'tokens' : undefined;
}

/** What the last stage on text held out. */
function textOf(spec: RunSpec): EvaluationOptions['text'] {
  return spec.stages.flatMap((stage) => stageOf(stage).text?.(stage.settings) ?? []).at(-1);
}

/** The task of the last stage that has one, and how much of it that stage measures. */
function taskOf(spec: RunSpec): { at: number; task: TaskSpec; sizes: Partial<StageTask['sizes']> } | undefined {
  const found = spec.stages.flatMap((stage, at) => {
    const { sizes, ...task } = stageOf(stage).task?.(stage.settings) ?? {};
    return 'prompts' in task ? [{ at, task, sizes: sizes ?? {} }] : [];
  });
  return found.at(-1);
}

/** The world that the last stage that has one learned to act in. */
function agentOf(spec: RunSpec): { agent: AgentSpec; sizes: Partial<StageAgent['sizes']> } | undefined {
  const found = spec.stages.flatMap((stage) => stageOf(stage).agent?.(stage.settings) ?? []).at(-1);
  if (found === undefined) return undefined;
  const { sizes, ...agent } = found;
  return { agent, sizes: sizes ?? {} };
}
