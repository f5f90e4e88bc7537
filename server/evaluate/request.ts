/** What a person asks to be measured, filled up with what the run of the model says. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { taskMeant } from '../data/generators/names.ts';
import type { Device } from '../device/device.ts';
import type { PrecisionChoice } from '../protocol/precision.ts';
import { solvedFrom } from '../rewards/range.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import { guess } from '../schemas/right-form.ts';
import { namedEnvironment } from '../spec/named-environment.ts';
import { absolutePaths } from '../spec/paths.ts';
import { measureNames } from '../spec/schema.ts';
import { type DataSpec, dataSpec } from '../spec/settings/parts.ts';
import type { AgentSpec } from './agent.ts';
import { evaluateErrors } from './errors.ts';
import { type EvaluationOptions, evaluateModel } from './evaluate.ts';
import { defaultSettings, type Evaluation, type EvaluationSettings, type MeasureName } from './report.ts';
import { runDefaults, runOf } from './run.ts';
import type { Decoding } from './subject.ts';
import type { TaskSpec } from './task.ts';

const longestAnswer = 64;

/** How a model acts whose run says nothing of it. */
const usualAgent = { turns: 20, max_new: 24, temperature: 1, top_k: 0 } as const;

export interface EvaluationRequest {
  /** A model folder, or a run. */
  readonly folder: string;
  /** The form the weights of the base are kept in; that of the run, or float32, if not given. */
  readonly precision?: PrecisionChoice | undefined;
  /** Folder that paths are relative to, and whose `.cola/cache` keeps tokens. */
  readonly root: string;
  /** Folder of the model it was tuned from; that of the run, if not given. */
  readonly against?: string | undefined;
  readonly decoding?: Decoding | undefined;
  /** All but search and choice, which take long, and agent where there is no environment, if not given. */
  readonly measures?: readonly MeasureName[] | undefined;
  /** Held-out text; what the run held out, if not given. */
  readonly data?: string | undefined;
  /** `countdown`, `countdown:compact`, `arithmetic`, or a file of prompts. */
  readonly prompts?: string | undefined;
  readonly reward?: RewardSpec | undefined;
  /** A world to act in, by name, the path of a module or of a run spec, or an address; that of the run, if not given. */
  readonly environment?: string | undefined;
  /** From which reward on an answer counts as right; that of the run or the task, if not given. */
  readonly solvedAt?: number | undefined;
  /** How the measure search searches. */
  readonly search?: EvaluationSettings['search'] | undefined;
  /** False for prompts as they are, not through the chat template. */
  readonly chat?: boolean | undefined;
  readonly maxNew?: number | undefined;
  readonly samples?: number | undefined;
  /** Most prompts, most sequences of text, and most places. */
  readonly limit?: number | undefined;
  /** Seeds of the measurement. */
  readonly seeds: readonly number[];
}

/**
 * Measures a model, or the model of a run on what the run held out.
 *
 * @throws evaluate.*, store.*, spec.*, and what loading the models and their data throws; the signal's reason
 */
export async function evaluateRequest(
  request: EvaluationRequest,
  device: Device,
  control: Pick<EvaluationOptions, 'signal' | 'onProgress' | 'tolerant' | 'shelf' | 'hire'>,
): Promise<Evaluation> {
  const { folder, root, data, limit, samples, search } = request;
  const cacheFolder = join(root, '.cola', 'cache');
  const found = await runOf(folder);
  const own = found === undefined ? undefined : await runDefaults(found.run, found.model, cacheFolder);
  const settings = {
    ...(own?.settings ?? defaultSettings),
    ...(samples === undefined ? {} : { samples }),
    ...(search === undefined ? {} : { search: withAbsoluteJudge(search, root) }),
  };
  const agent = agentOf(request, own?.agent);
  const untaken: readonly string[] = ['search', 'choice', ...(agent === undefined ? ['agent'] : [])];
  return evaluateModel({
    ...own,
    ...control,
    device,
    model: found?.model ?? folder,
    against: request.against ?? own?.against,
    decoding: request.decoding ?? own?.decoding,
    precision: request.precision ?? own?.precision,
    measures: request.measures ?? measureNames.filter((measure) => !untaken.includes(measure)),
    text: data === undefined ? own?.text : { data: resolve(root, data), held_out: resolve(root, data) },
    task: taskOf(request, own?.task),
    agent,
    seeds: request.seeds,
    settings:
      limit === undefined
        ? settings
        : {
            ...settings,
            prompts: Math.min(settings.prompts, limit),
            sequences: Math.min(settings.sequences, limit),
            choice: { ...settings.choice, places: Math.min(settings.choice.places, limit) },
          },
    // Paths that are given here are absolute, those of a run relative to its spec.
    specFile: own?.specFile ?? join(root, 'evaluate'),
    cacheFolder,
  });
}

/** The search with the paths of its judge absolute: what else is relative counts from the spec of the run. */
function withAbsoluteJudge(
  { judge, ...search }: EvaluationSettings['search'],
  root: string,
): EvaluationSettings['search'] {
  return judge === undefined ? search : { ...search, judge: absolutePaths(judge, root) };
}

/** The task that is asked for, or that of the run with what is changed of it. */
function taskOf(request: EvaluationRequest, own: TaskSpec | undefined): TaskSpec | undefined {
  const { prompts, reward, solvedAt, maxNew, chat, root } = request;
  const changed = {
    // Of another reward another value is the highest.
    ...(reward === undefined ? {} : { reward, solved_at: solvedFrom(reward) }),
    ...(solvedAt === undefined ? {} : { solved_at: solvedAt }),
    ...(maxNew === undefined ? {} : { max_new: maxNew }),
    ...(chat === false ? { chat } : {}),
  };
  if (prompts === undefined) return own === undefined ? undefined : { ...own, ...changed };
  const source = parsePrompts(prompts, root);
  const fallback = source.reward ?? own?.reward;
  if (reward === undefined && fallback === undefined && existsSync(resolve(root, prompts)))
    throw evaluateErrors.noReward(prompts);
  return {
    max_new: own?.max_new ?? longestAnswer,
    temperature: own?.temperature ?? 1,
    top_k: own?.top_k ?? 0,
    solved_at: source.reward === undefined && own !== undefined ? own.solved_at : solvedFrom(fallback ?? 'exact'),
    reward: fallback ?? 'exact',
    ...changed,
    prompts: source.data,
    held_out: source.data,
  };
}

/** The world that is asked for, as the run of the model acted in its own, or in the usual sizes. */
function agentOf(
  { environment, maxNew, chat, root }: EvaluationRequest,
  own: AgentSpec | undefined,
): AgentSpec | undefined {
  const changed = { ...(maxNew === undefined ? {} : { max_new: maxNew }), ...(chat === false ? { chat } : {}) };
  if (environment === undefined) return own === undefined ? undefined : { ...own, ...changed };
  return { ...(own ?? usualAgent), ...changed, environment: namedEnvironment(environment, root) };
}

/** @returns with a task its own reward */
function parsePrompts(text: string, root: string): { data: DataSpec; reward?: RewardSpec } {
  const [, task, format] = /^(countdown|arithmetic)(?::(.*))?$/.exec(text) ?? [];
  if (task === undefined) {
    const file = resolve(root, text);
    // A name may have its format behind it.
    const [name, ...form] = text.split(':');
    const meant = existsSync(file) ? undefined : taskMeant(name);
    if (meant !== undefined)
      throw evaluateErrors.badTask(text, `there is no such file${guess([meant, ...form].join(':'))}`);
    return { data: { jsonl: file, skip_bad_rows: false } };
  }
  const parsed = dataSpec.safeParse(format === undefined ? { task } : { task, format });
  if (!parsed.success) throw evaluateErrors.badTask(text, `it has no format ${format}`);
  if (task === 'arithmetic') return { data: parsed.data, reward: 'numeric' };
  // One for the form, one more for the right answer.
  const form = format === 'compact' ? 'compact' : 'tags';
  return { data: parsed.data, reward: { countdown: { form } } };
}
