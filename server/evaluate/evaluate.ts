/** All measures of one model. */
import { join } from 'node:path';
import type { Device } from '../device/device.ts';
import { ColaError } from '../errors.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { PrecisionChoice } from '../protocol/precision.ts';
import type { Reward } from '../rewards/reward.ts';
import type { DataSpec } from '../spec/settings/parts.ts';
import { type Figure, type Figures, summariseSeeds } from '../train/measures/figures.ts';
import { overSeeds, type SolvedEach, turned } from '../train/measures/solved.ts';
import type { Sequences } from '../train/measures/states.ts';
import type { FrozenData } from '../train/run/frozen.ts';
import { measureCodebook } from './actions/codebook.ts';
import { type AgentMeasured, type AgentSpec, measureAgent, sides } from './agent.ts';
import { choicePieces, measureChoice } from './choice/choice.ts';
import type { ChoiceReport } from './choice/report.ts';
import { measureDiversity } from './diversity.ts';
import { measureForgetting } from './forgetting.ts';
import { measureMarginal } from './marginal.ts';
import { type HireMeasurers, Measurers, originOfMeasure } from './measuring.ts';
import { type Evaluation, type EvaluationSettings, evaluationVersion, type MeasureName } from './report.ts';
import { measureSearch, type SearchAsked } from './search.ts';
import { type Decoding, Subject, type SubjectOptions } from './subject.ts';
import { heldOutPrompts, measureTask, rewardOf, type TaskSpec } from './task.ts';
import { heldOutText } from './text.ts';

export interface EvaluationOptions {
  readonly device: Device;
  /** Folder of the model. */
  readonly model: string;
  /** Folder of the model it was tuned from, for forgetting. */
  readonly against?: string | undefined;
  readonly decoding?: Decoding | undefined;
  readonly measures: readonly MeasureName[];
  /** Held-out text, as a stage has it. */
  readonly text?: { readonly data: DataSpec; readonly held_out?: DataSpec | undefined } | undefined;
  readonly task?: TaskSpec | undefined;
  /** A world to act in. */
  readonly agent?: AgentSpec | undefined;
  /** What the run of the model has cost. */
  readonly cost?: ((subject: Subject) => Figures) | undefined;
  /** One measurement each where something is drawn. */
  readonly seeds: readonly number[];
  /** Seed of the prompts of a task. */
  readonly taskSeed?: number;
  readonly settings: EvaluationSettings;
  readonly specFile?: string | undefined;
  readonly cacheFolder?: string | undefined;
  /** Where models of the same folder share their weights. */
  readonly shelf?: WeightShelf | undefined;
  /** The form the weights of the base are kept in; float32, if not given. */
  readonly precision?: PrecisionChoice | undefined;
  /** Data as the run of the model began with it. */
  readonly frozen?: FrozenData | undefined;
  /** Hires workers for what is measured over many prompts; results do not depend on it. */
  readonly hire?: HireMeasurers | undefined;
  /** Whether a measure whose data cannot be used is left out, with the reason, instead of ending the measurement. */
  readonly tolerant?: boolean;
  readonly signal?: AbortSignal;
  /** Says what is being measured. */
  readonly onProgress?: (text: string) => void;
  /** Hears a value of every problem, where there is one: what is compared with another model on the same problems. */
  readonly onEach?: (measure: MeasureName, name: string, values: readonly number[]) => void;
}

type Found = { readonly figures: Record<string, Figure> } | { readonly reason: string };
const once = (figures: Figures): Found => ({ figures: summariseSeeds([figures]) });

const needsText = 'it needs held-out text (--data on the command line)';
const needsTask = 'it needs prompts and a reward (--prompts and --reward on the command line)';
const needsActions = 'the model has no latent actions, or answers with tokens';

/**
 * Takes the measures that are asked for. One that cannot be taken of this model is listed with the reason instead.
 *
 * @throws what loading the models and their data throws; the signal's reason
 */
export async function evaluateModel(options: EvaluationOptions): Promise<Evaluation> {
  const { device, specFile, signal, cacheFolder, onProgress } = options;
  const loading: SubjectOptions = {
    decoding: options.decoding,
    specFile,
    signal,
    cacheFolder,
    shelf: options.shelf,
    precision: options.precision,
    frozen: options.frozen,
    seed: options.taskSeed ?? 0,
    ...(onProgress === undefined ? {} : { say: onProgress }),
  };
  const subject = await Subject.load(device, options.model, loading);
  const measurement = new Measurement(subject, loading, options);
  try {
    return await measurement.take();
  } finally {
    await measurement.close();
    subject.dispose();
  }
}

/** Answers to held-out prompts. */
interface Answers {
  readonly figures: Record<string, Figure>;
  readonly each: SolvedEach;
  readonly problems: number;
}

class Measurement {
  private text: Sequences | undefined;
  private answers: Answers | undefined;
  private usage: readonly number[] | undefined;
  private offered: ChoiceReport | undefined;
  private readonly hired = new Map<Subject, Measurers>();

  constructor(
    private readonly subject: Subject,
    private readonly loading: SubjectOptions,
    private readonly options: EvaluationOptions,
  ) {}

  async take(): Promise<Evaluation> {
    const { subject, options } = this;
    const results: Evaluation['results'] = {};
    const skipped: Evaluation['skipped'] = [];
    for (const measure of options.measures) {
      options.signal?.throwIfAborted();
      options.onProgress?.(`Measuring ${measure}`);
      const found = await this.attempt(measure);
      if ('reason' in found) skipped.push({ measure, reason: found.reason });
      else results[measure] = found.figures;
    }
    return {
      version: evaluationVersion,
      model: options.model,
      against: options.against ?? null,
      decoding: subject.decoding,
      device: options.device.name,
      seeds: [...options.seeds],
      settings: options.settings,
      results,
      ...(this.usage === undefined ? {} : { usage: [...this.usage] }),
      ...(this.offered === undefined ? {} : { choice: this.offered }),
      skipped,
    };
  }

  private async attempt(measure: MeasureName): Promise<Found> {
    try {
      return await this.measure(measure);
    } catch (error) {
      if (this.options.tolerant !== true || !(error instanceof ColaError)) throw error;
      return { reason: error.message.replace(/\.$/, '') };
    }
  }

  private measure(measure: MeasureName): Promise<Found> | Found {
    switch (measure) {
      case 'accuracy':
        return this.task((name) => !name.startsWith('pass_at_'));
      case 'pass@k':
        return this.task((name) => name.startsWith('pass_at_'));
      case 'diversity':
        return this.diversity();
      case 'forgetting':
        return this.forgetting();
      case 'marginal':
        return this.marginal();
      case 'codebook':
        return this.codebook();
      case 'cost': {
        const { cost } = this.options;
        return cost === undefined ? { reason: 'it needs the run the model comes from' } : once(cost(this.subject));
      }
      case 'search':
        return this.search();
      case 'choice':
        return this.choice();
      case 'agent':
        return this.agent();
    }
  }

  /** Workers that have a model; undefined where this process measures alone. */
  private async workersOf(subject: Subject, task: TaskSpec): Promise<Measurers | undefined> {
    const { hire, device, precision, settings, specFile = join(process.cwd(), 'evaluate') } = this.options;
    if (hire === undefined) return undefined;
    const known = this.hired.get(subject);
    if (known !== undefined) return known;
    const plan = {
      model: subject.folder,
      specFile,
      ...(precision === undefined ? {} : { precision }),
      decoding: subject.decoding,
      device: device.name,
      task,
      search: settings.search,
    };
    const workers = new Measurers(hire({ ...plan, origin: await originOfMeasure(subject, plan) }));
    this.hired.set(subject, workers);
    return workers;
  }

  private async dismiss(subject: Subject): Promise<void> {
    await this.hired.get(subject)?.close();
    this.hired.delete(subject);
  }

  async close(): Promise<void> {
    for (const subject of this.hired.keys()) await this.dismiss(subject);
  }

  /** The held-out text, read once. */
  private async sequences(): Promise<Sequences | undefined> {
    const { text, settings } = this.options;
    if (text === undefined) return undefined;
    const { context, base } = this.subject;
    const length = Math.min(settings.length, base.config.maxPositionEmbeddings);
    this.text ??= await heldOutText(text, context, length, settings.sequences);
    return this.text;
  }

  /** Figures of answers to the task whose names are wanted; the answers are made once. */
  private async task(wanted: (name: string) => boolean): Promise<Found> {
    const { task, seeds } = this.options;
    if (task === undefined) return { reason: needsTask };
    if (this.answers === undefined) {
      this.answers = await this.answersOf(this.subject, task, seeds);
      const { greedy, sampled } = this.answers.each;
      this.options.onEach?.('accuracy', 'greedy_solved_each', greedy);
      this.options.onEach?.('accuracy', 'sampled_solved_each', sampled);
    }
    return { figures: Object.fromEntries(Object.entries(this.answers.figures).filter(([name]) => wanted(name))) };
  }

  private async answersOf(subject: Subject, task: TaskSpec, seeds: readonly number[]): Promise<Answers> {
    const { settings } = this.options;
    const prompts = await heldOutPrompts(task, subject, settings.prompts);
    const workers = await this.workersOf(subject, task);
    const all =
      workers === undefined
        ? await measureTask(subject, task, prompts, settings.samples, seeds)
        : await workers.answers(task, prompts, settings.samples, seeds, subject.signal);
    return {
      figures: summariseSeeds(all.map(({ figures }) => figures)),
      each: overSeeds(all.map(({ each }) => each)),
      problems: prompts.length,
    };
  }

  private async search(): Promise<Found> {
    const { task, settings, seeds, onProgress, onEach } = this.options;
    const { subject } = this;
    const cola = this.actions('world', 'policy');
    if (task === undefined) return { reason: needsTask };
    if (cola === undefined) return { reason: needsActions };
    const { search } = settings;
    const prompts = await heldOutPrompts(task, subject, Math.min(settings.prompts, search.prompts));
    const { judge, ...sizes } = search;
    const reward = await rewardOf(task, subject);
    const workers = await this.workersOf(subject, task);
    const elsewhere = workers && ((...asked: SearchAsked) => workers.search(...asked, subject.signal));
    const all: Figures[] = [];
    let picker: Reward | undefined;
    try {
      picker = judge === undefined ? undefined : await rewardOf({ ...task, reward: judge }, subject);
      for (const seed of seeds) {
        onProgress?.(`Searching ${prompts.length} prompts, ${search.tokens} tokens each and way, seed ${seed}`);
        const each = (name: string, values: readonly number[]) => onEach?.('search', name, values);
        const measure = { task, prompts, reward, settings: sizes, seed, picker, each, elsewhere };
        all.push(await measureSearch(subject.context, cola, measure));
      }
    } finally {
      await picker?.close();
      await reward.close();
    }
    return { figures: summariseSeeds(all) };
  }

  private async diversity(): Promise<Found> {
    const text = await this.sequences();
    if (text === undefined) return { reason: needsText };
    const { settings, seeds } = this.options;
    const context = this.subject.base.config.maxPositionEmbeddings;
    const prefixTokens = Math.min(settings.prefix_tokens, text.length, Math.floor(context / 2));
    const ways = {
      prefixes: settings.prefixes,
      prefixTokens,
      samples: settings.continuations,
      tokens: Math.min(settings.continuation_tokens, context - prefixTokens),
      temperatures: settings.temperatures,
    };
    const all: Figures[] = [];
    for (const seed of seeds) all.push(await measureDiversity(this.subject, text, ways, seed));
    return { figures: summariseSeeds(all) };
  }

  private async choice(): Promise<Found> {
    const { text, settings, seeds } = this.options;
    const { context } = this.subject;
    const cola = this.actions('world', 'policy');
    if (text === undefined) return { reason: needsText };
    if (cola === undefined) return { reason: needsActions };
    const pieces = await choicePieces(text, context, settings.choice);
    const { figures, report } = await measureChoice(context, cola, pieces, settings.choice, seeds[0]);
    this.offered = report;
    return once(figures);
  }

  private async agent(): Promise<Found> {
    const { agent, settings, seeds, onProgress, onEach } = this.options;
    if (agent === undefined) return { reason: 'it needs an environment' };
    const all: AgentMeasured[] = [];
    for (const seed of seeds) {
      onProgress?.(`Acting in ${2 * settings.prompts} worlds, seed ${seed}`);
      all.push(await measureAgent(this.subject, agent, settings.prompts, settings.samples, seed));
    }
    for (const side of sides) {
      const { greedy, sampled } = overSeeds(all.map(({ each }) => each[side]));
      onEach?.('agent', `${side}_greedy_each`, greedy);
      onEach?.('agent', `${side}_sampled_each`, sampled);
    }
    return { figures: summariseSeeds(all.map(({ figures }) => figures)) };
  }

  private async marginal(): Promise<Found> {
    const text = await this.sequences();
    const cola = this.actions('world', 'policy');
    if (text === undefined) return { reason: needsText };
    if (cola === undefined) return { reason: needsActions };
    return once(await measureMarginal(this.subject, cola, text, this.options.settings.marginal_states));
  }

  private async codebook(): Promise<Found> {
    const text = await this.sequences();
    const cola = this.actions('idm', 'world');
    if (text === undefined) return { reason: needsText };
    if (cola === undefined) return { reason: needsActions };
    const { figures, usage } = await measureCodebook(this.subject, cola, text, this.options.settings.reach_states);
    this.usage = usage;
    return once(figures);
  }

  private actions(...modules: Parameters<Subject['with']>) {
    return this.subject.decoding === 'actions' ? this.subject.with(...modules) : undefined;
  }

  private async forgetting(): Promise<Found> {
    const { against, device } = this.options;
    if (against === undefined) return { reason: 'it needs the model it was tuned from' };
    const before = await Subject.load(device, against, this.loading);
    try {
      return { figures: await this.change(before) };
    } finally {
      before.dispose();
    }
  }

  private async change(before: Subject): Promise<Record<string, Figure>> {
    const { subject, options } = this;
    const { settings, task, seeds } = options;
    const limits = { marginalStates: settings.marginal_states, divergenceStates: settings.divergence_states };
    const figures = summariseSeeds([await measureForgetting(before, subject, await this.sequences(), limits)]);
    if (task === undefined) return figures;
    this.answers ??= await this.answersOf(subject, task, seeds);
    const earlier = await this.answersOf(before, task, seeds);
    await this.dismiss(before);
    for (const name of ['greedy_solved', 'sampled_solved']) {
      const [x, y] = [earlier.figures[name], this.answers.figures[name]];
      if (x === undefined || y === undefined) continue;
      figures[`${name}_before`] = x;
      figures[`${name}_after`] = y;
    }
    // The same problems: they are compared one by one.
    const { greedy_gained, greedy_lost, sampled_noise } = turned(earlier.each, this.answers.each);
    const compared = { greedy_gained, greedy_lost, sampled_noise, held_out_problems: this.answers.problems };
    return { ...figures, ...summariseSeeds([compared]) };
  }
}
