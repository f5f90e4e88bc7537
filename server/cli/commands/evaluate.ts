/** `cola evaluate`: what a model can do, and what tuning has changed. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { hireMeasurers } from '../../cluster/hire.ts';
import type { Device } from '../../device/device.ts';
import { compareEvaluations, comparisonTable } from '../../evaluate/compare.ts';
import { evaluateErrors } from '../../evaluate/errors.ts';
import type { HireMeasurers } from '../../evaluate/measuring.ts';
import { type Evaluation, type EvaluationSettings, type MeasureName, searchMeasure } from '../../evaluate/report.ts';
import { type EvaluationRequest, evaluateRequest } from '../../evaluate/request.ts';
import { readReward } from '../../evaluate/reward-text.ts';
import { changeBetween, changeWords } from '../../protocol/figures/solved-change.ts';
import type { PrecisionChoice } from '../../protocol/precision.ts';
import { firstIssue } from '../../schemas/first-issue.ts';
import { excess } from '../../spec/limits.ts';
import { measureNames } from '../../spec/schema.ts';
import type { Output } from '../io.ts';
import { modelFolder, modelThere } from '../named-model.ts';
import {
  clusterOf,
  count,
  type DeviceOption,
  integer,
  type JsonOption,
  openChosen,
  positive,
  type WorkersOption,
  withDevice,
  withExamples,
  withJson,
  withPrecision,
  withWorkers,
} from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  DeviceOption &
  WorkersOption & {
    readonly precision?: PrecisionChoice;
    readonly against?: string;
    readonly data?: string;
    readonly prompts?: string;
    readonly reward?: string;
    readonly environment?: string;
    readonly solvedAt?: number;
    readonly chat: boolean;
    readonly maxNew?: number;
    readonly samples?: number;
    readonly search?: EvaluationSettings['search'];
    readonly measures?: readonly MeasureName[];
    readonly seeds: number;
    readonly seed: number;
    readonly tokens?: boolean;
    readonly limit?: number;
  };

export function addEvaluate(program: Command, session: Session): void {
  const command = program
    .command('evaluate')
    .description(
      `Measure models side by side: ${measureNames.join(', ')}. A run brings its held-out text, prompts and reward along.`,
    )
    .argument(
      '<model...>',
      'model folders, runs by name or folder, or builtin:nano; name=folder sets the heading, and folders of one name are one column',
    )
    .option('--against <folder>', 'the model that they were tuned from, for forgetting (default: that of the run)')
    .option('--data <file>', 'held-out text: a text or .jsonl file (default: what the run held out)')
    .option('--prompts <task>', 'countdown, countdown:compact, arithmetic, or a .jsonl file of held-out prompts')
    .option('--reward <reward>', 'how answers are judged: a name, or what a run spec would say')
    .option(
      '--environment <world>',
      'for the measure agent: household, guess-the-rule, a module of your own, an address, or a run spec (default: that of the run)',
    )
    .option(
      '--solved-at <reward>',
      'from which reward on an answer counts as right (default: that of the run, or the highest the reward can be)',
      positive,
    )
    .option('--no-chat', 'prompts as they are, not through the chat template')
    .option('--max-new <tokens>', `longest answer (default: that of the run, or 64)`, count)
    .option('--samples <count>', 'sampled answers a prompt, up to which pass@k goes', count)
    .option(
      '--measures <names>',
      'which, with commas between them (default: all that can be taken, but for search, which takes long)',
      measures,
    )
    .option(
      '--search <settings>',
      'of the measure search: {tokens: 256, prompts: 32, breadth: 8, edge_steps: 1, ...}; with {judge: {model: FOLDER}} a reward model picks the answers',
      searching,
    )
    .option('--seeds <count>', 'how often what is drawn is measured', count, 3)
    .option('--seed <number>', 'the first seed', integer, 7)
    .option('--tokens', 'answer with tokens, even if the model has latent actions')
    .option('--limit <count>', 'at most so many prompts, and so many sequences of text', count);
  withWorkers(command, 'who answers and searches prompts: this process, processes of this machine, or a Ray cluster');
  withExamples(withPrecision(withDevice(withJson(command)), { words: 'that of the run, or f32' }), [
    'evaluate countdown',
    'evaluate latent=first token=second --measures accuracy,pass@k,cost',
    'evaluate my-model --measures search --prompts countdown:compact --search "{tokens: 512}" --seeds 3',
    'evaluate my-model --measures accuracy,search --prompts countdown --cluster local --workers 4',
    'evaluate my-agent --measures agent --environment household --limit 20 --seeds 1',
    'evaluate my-model --against builtin:nano --data notes.txt --prompts countdown:compact --limit 50 --json',
  ]).action((models: string[], options: Options) =>
    session.perform(options.json === true, async (output) => {
      const cluster = clusterOf(options);
      // As with workers of a run: threads change results, and how many workers there are does not.
      const threads = options.threads ?? (cluster === undefined ? undefined : 1);
      const device = await openChosen({ ...options, ...(threads === undefined ? {} : { threads }) }, output);
      const hire =
        cluster === undefined || cluster.engine === 'here'
          ? undefined
          : hireMeasurers(cluster, threads ?? 1, (text) => output.note(text));
      try {
        const all: { label: string; evaluation: Evaluation }[] = [];
        for (const { label, folder } of models.map((text) => named(text, session.cwd))) {
          output.note(`Model: ${folder}`);
          all.push({ label, evaluation: await evaluate(folder, options, device, session, output, hire) });
        }
        if (all.every(({ evaluation }) => Object.keys(evaluation.results).length === 0))
          throw evaluateErrors.nothingMeasured(
            all.map(({ label }) => label),
            reasonsOf(all[0].evaluation),
          );
        const comparison = compareEvaluations(all);
        output.table(comparisonTable(comparison));
        for (const { label, evaluation } of all) {
          for (const line of changesOf(evaluation)) output.line(`${label}: ${line}`);
          for (const { measure, reason } of evaluation.skipped)
            output.note(`${label}: ${measure} was not taken: ${reason}.`);
        }
        return { value: comparison, ok: true };
      } finally {
        await device.dispose();
      }
    }),
  );
}

/** Why measures were left out, those with one reason together. */
function reasonsOf({ skipped }: Evaluation): string {
  const reasons = [...new Set(skipped.map(({ reason }) => reason))];
  const namesOf = (why: string) => skipped.flatMap(({ measure, reason }) => (reason === why ? [measure] : []));
  return reasons.map((reason) => `${namesOf(reason).join(', ')}: ${reason}`).join('; ');
}

function measures(text: string): MeasureName[] {
  return text.split(',').map((name) => {
    const known = measureNames.find((measure) => measure === name.trim());
    if (known === undefined) throw new InvalidArgumentError(`It should be of ${measureNames.join(', ')}.`);
    return known;
  });
}

function searching(text: string): EvaluationSettings['search'] {
  let value: unknown;
  try {
    value = excess(text) === undefined ? parse(text) : undefined;
  } catch {
    throw new InvalidArgumentError('It should be settings such as {tokens: 512, breadth: 4}.');
  }
  const parsed = searchMeasure.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, detail } = firstIssue(parsed.error);
  throw new InvalidArgumentError(path === '' ? detail : `${path}: ${detail}.`);
}

/** What is solved before and after, and whether that is beyond chance. */
function changesOf({ results }: Evaluation): string[] {
  const means = Object.fromEntries(Object.entries(results.forgetting ?? {}).map(([name, { mean }]) => [name, mean]));
  return (['greedy_solved', 'sampled_solved'] as const).flatMap((name) => {
    const [before, after] = [means[`${name}_before`], means[`${name}_after`]];
    if (before === undefined || after === undefined) return [];
    const change = changeBetween(name, { [name]: before }, { ...means, [name]: after });
    const way = name === 'greedy_solved' ? 'greedily' : 'by sampling';
    const shares = `${(100 * before).toFixed(1)} % → ${(100 * after).toFixed(1)} %`;
    return [`solved ${way} ${shares} of the same ${means.held_out_problems} problems: ${changeWords[change]}`];
  });
}

/** `name=folder`, or a folder that is its own name. */
function named(text: string, cwd: string): { label: string; folder: string } {
  const at = text.indexOf('=');
  const folder = (path: string) => modelFolder(path, cwd);
  if (at <= 0 || existsSync(resolve(cwd, text))) return { label: text, folder: folder(text) };
  return { label: text.slice(0, at), folder: folder(text.slice(at + 1)) };
}

async function evaluate(
  folder: string,
  options: Options,
  device: Device,
  session: Session,
  output: Output,
  hire: HireMeasurers | undefined,
): Promise<Evaluation> {
  const { against, data, prompts, reward, environment, solvedAt, maxNew, samples } = options;
  const { measures: chosen, search, limit, seed, seeds, chat } = options;
  const request: EvaluationRequest = {
    folder,
    precision: options.precision,
    root: session.cwd,
    against: against === undefined ? undefined : (await modelThere(against, session.cwd)).folder,
    decoding: options.tokens === true ? 'tokens' : undefined,
    measures: chosen,
    data,
    prompts,
    reward: reward === undefined ? undefined : readReward(reward),
    environment,
    solvedAt,
    search,
    chat,
    maxNew,
    samples,
    limit,
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
  };
  return evaluateRequest(request, device, { signal: session.signal, hire, onProgress: (line) => output.note(line) });
}
