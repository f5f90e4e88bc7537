/**
 * Does a policy get better by being used? A simulated person uses the model on some files, the policy learns from that, and
 * is then tried at places of other files. Beside it, as a control, one that learns from the same moments with what
 * happened shuffled among their alternatives. And does a model write more of what is wanted where the files that the person was at
 * have a say (`completion/cache-model`)? Beside it the same files with their tokens shuffled.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheModel } from '../completion/cache-model.ts';
import { LoadedModel, type LoadOptions } from '../completion/loaded-model.ts';
import { documentTokens } from '../completion/prompt.ts';
import { splitOf } from '../data/generators/split.ts';
import { clusteredMean, type Interval } from '../evaluate/choice/statistics.ts';
import { measureMarginal } from '../evaluate/marginal.ts';
import { feedbackErrors } from '../feedback/errors.ts';
import type { FeedbackLine } from '../feedback/lines.ts';
import { FeedbackLog, feedbackFile } from '../feedback/log.ts';
import { PolicyVersions, type PolicyWeights } from '../feedback/versions.ts';
import { uploadWeights } from '../model/language-model.ts';
import { Random, seedFrom } from '../random.ts';
import type { FeedbackSettings } from '../spec/settings/feedback.ts';
import { type BaseTrial, tryBase } from './base-writer.ts';
import {
  placesOf,
  SimulatedPerson,
  type Sitting,
  type SourceText,
  type Usefulness,
  usefulnessOf,
} from './simulated-person.ts';
import { Tuner } from './tuner.ts';

export interface ExperimentOptions extends LoadOptions {
  readonly texts: readonly SourceText[];
  readonly seeds: readonly number[];
  readonly events: number;
  /** Places of the trial; the same for all seeds. */
  readonly places: number;
  readonly settings: FeedbackSettings;
  /** Whether policies are tuned; else files have a say, and that is all. Default true. */
  readonly tune?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface Trial extends Usefulness {
  /** Loss of held-out text under the marginal language model, in nats a token. */
  readonly loss: number;
}

export interface TrialOutcome extends Trial {
  readonly seed: number;
  readonly verdict: string;
  readonly why: string;
  /** Of the updates alone, and of all with reading what is new and judging by what is held back. */
  readonly seconds: number;
  readonly kl: number;
}

/** What the files do that the person was at before, where they have a say. */
export interface TextsOutcome {
  readonly seed: number;
  readonly files: number;
  readonly given: Usefulness;
  /** The same files, the tokens of each in an order of chance. */
  readonly shuffled: Usefulness;
  /** Share of places where the first suggestion is taken: with the files less without them, and less with shuffled ones. */
  readonly more: Interval;
  readonly moreThanShuffled: Interval;
}

export interface ExperimentResult {
  readonly before: Trial;
  readonly texts: readonly TextsOutcome[];
  readonly tuned: readonly TrialOutcome[];
  readonly shuffled: readonly TrialOutcome[];
  /** The base alone, without latent actions, at the same places. */
  readonly base: { readonly greedy: BaseTrial; readonly sampled: BaseTrial };
}

/** Share of the files that are for the trial. */
const trialShare = 0.4;
/** Text for the loss. */
const sequence = 128;
const sequences = 24;
const states = 768;

/** What happened goes to other alternatives of the same moment. */
export function shuffled(lines: readonly FeedbackLine[], random: Random): FeedbackLine[] {
  const orders = new Map<string, Uint32Array>();
  for (const line of lines)
    if (line.kind === 'moment') orders.set(line.id, random.permutation(line.alternatives.length));
  return lines.map((line) =>
    line.kind === 'moment' ? line : { ...line, alternative: orders.get(line.moment)?.[line.alternative] ?? 0 },
  );
}

export async function simulate(options: ExperimentOptions): Promise<ExperimentResult> {
  const { texts, seeds, events, settings, signal, onProgress } = options;
  const isTrial = ({ name }: SourceText) => splitOf(name, trialShare) === 'test';
  const trialTexts = texts.filter(isTrial);
  const places = placesOf(trialTexts, options.places, new Random(1));
  const learned = texts.filter((text) => !isTrial(text));
  if (places.length === 0 || placesOf(learned, events, new Random(1)).length === 0)
    throw feedbackErrors.tooLittle(texts.length);
  const model = await LoadedModel.load(options);
  const tuner = new Tuner(model.device, model.cola, model.policy.own);
  const folder = mkdtempSync(join(tmpdir(), 'cola-simulate-'));
  const person = new SimulatedPerson(model);
  const sitEverywhere = async (who: SimulatedPerson, label: string): Promise<Sitting[]> => {
    const sittings: Sitting[] = [];
    for (const [i, place] of places.entries()) {
      signal.throwIfAborted();
      sittings.push(await who.sit(place, `${label}-${i}`, 0));
      if (i % 50 === 49) onProgress(`${label}: ${i + 1} of ${places.length} places`);
    }
    return sittings;
  };
  const put = (version: string, weights: PolicyWeights | undefined) =>
    model.policy.replace(version, weights, () => model.forget());
  const trialOf = async (sittings: readonly Sitting[]): Promise<Trial> => {
    return { ...usefulnessOf(sittings), loss: await lossOf(model, trialTexts, signal) };
  };
  const trial = async (label: string) => trialOf(await sitEverywhere(person, label));
  const withTexts = async (seed: number, names: ReadonlySet<string>, before: readonly Sitting[]) => {
    const seen = learned.filter(({ name }) => names.has(name));
    const [given, mixed] = [new CacheModel(), new CacheModel()];
    for (const [i, { name, text }] of seen.entries()) {
      const tokens = documentTokens(model.tokenizer, text);
      given.set(name, tokens);
      const order = new Random(seedFrom(seed, i)).permutation(tokens.length);
      mixed.set(
        name,
        Array.from(order, (at) => tokens[at]),
      );
    }
    const sitWith = (cache: CacheModel, label: string) =>
      sitEverywhere(new SimulatedPerson(model, undefined, undefined, cache), `seed ${seed}, ${label}`);
    const [own, control] = [await sitWith(given, 'other files'), await sitWith(mixed, 'other files, shuffled')];
    const files = places.map(({ name }) => places.findIndex((place) => place.name === name));
    const less = (others: readonly Sitting[]) =>
      clusteredMean(
        own.map(({ taken }, i) => Number(taken === 0) - Number(others[i].taken === 0)),
        files,
      );
    const found = { given: usefulnessOf(own), shuffled: usefulnessOf(control) };
    return { seed, files: seen.length, ...found, more: less(before), moreThanShuffled: less(control) };
  };
  try {
    const untouched = await sitEverywhere(person, 'before');
    const before = await trialOf(untouched);
    const alone = (how: 'greedy' | 'sampled') => tryBase(model, places, how, person.maxTokens, signal);
    const base = { greedy: await alone('greedy'), sampled: await alone('sampled') };
    onProgress(`base alone: ${places.length} of ${places.length} places`);
    const tuned: TrialOutcome[] = [];
    const control: TrialOutcome[] = [];
    const outcomes: TextsOutcome[] = [];
    for (const seed of seeds) {
      await put('original', undefined);
      const lines: FeedbackLine[] = [];
      const used = placesOf(learned, events, new Random(100 + seed));
      outcomes.push(await withTexts(seed, new Set(used.map(({ name }) => name)), untouched));
      if (options.tune === false) continue;
      for (const [i, place] of used.entries()) {
        signal.throwIfAborted();
        lines.push(...(await person.sit(place, `s${seed}-${i}`, i + 1)).lines);
        if (i % 100 === 99) onProgress(`seed ${seed}: ${i + 1} of ${used.length} moments`);
      }
      for (const [name, log] of [
        ['tuned', lines],
        ['shuffled', shuffled(lines, new Random(seed))],
      ] as const) {
        const root = join(folder, `${seed}-${name}`);
        const file = new FeedbackLog(feedbackFile(root));
        file.append(log);
        const started = performance.now();
        const { version, weights } = await tuner.tune(file, new PolicyVersions(root), { settings, signal });
        const seconds = (performance.now() - started) / 1000;
        await put(name, weights);
        const result = await trial(`seed ${seed}, ${name}`);
        const { verdict, why, kl } = version;
        (name === 'tuned' ? tuned : control).push({ seed, verdict, why, seconds, kl, ...result });
        onProgress(`seed ${seed}, ${name}: ${verdict}. ${why}`);
      }
    }
    return { before, texts: outcomes, tuned, shuffled: control, base };
  } finally {
    await tuner.dispose();
    await model.release();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function lossOf(model: LoadedModel, texts: readonly SourceText[], signal: AbortSignal): Promise<number> {
  const ids = new Int32Array(sequences * sequence);
  let count = 0;
  for (const { text } of texts) {
    const tokens = model.tokenizer.encode(text.slice(0, 8 * sequence), { controlTokens: false });
    if (tokens.length < sequence || count === sequences) continue;
    ids.set(tokens.subarray(0, sequence), count++ * sequence);
  }
  if (count === 0) return Number.NaN;
  const { cola, device } = model;
  const weights = await uploadWeights(device, cola.allWeights, [...cola.base.plainTensors, ...cola.tensors]);
  try {
    const text = { ids: ids.slice(0, count * sequence), count, length: sequence };
    const figures = await measureMarginal({ device, base: cola.base, weights, signal }, cola, text, states);
    return figures.cross_entropy;
  } finally {
    weights.dispose();
  }
}

/** Rows of a table: a line before, then mean and range over the seeds. */
export function experimentTable({ before, texts, tuned, shuffled: control, base }: ExperimentResult): string[][] {
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  type Figure = (trial: Usefulness & { readonly loss?: number }) => number;
  const columns: readonly (readonly [string, Figure, (x: number) => string])[] = [
    ['acceptance@1', ({ first }) => first, percent],
    ['acceptance@8', ({ any }) => any, percent],
    ['characters saved, first', ({ savedFirst }) => savedFirst, (x) => x.toFixed(2)],
    ['characters saved, taken', ({ saved }) => saved, (x) => x.toFixed(2)],
    ['held-out marginal loss', ({ loss }) => loss ?? Number.NaN, (x) => x.toFixed(3)],
    ['median latency, ms', ({ milliseconds }) => milliseconds, (x) => x.toFixed(0)],
  ];
  const cell = (trials: readonly Usefulness[], of: Figure, show: (x: number) => string) => {
    const values = trials.map(of).filter((value) => !Number.isNaN(value));
    if (values.length === 0) return '-';
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    if (values.length === 1) return show(mean);
    return `${show(mean)} (${show(Math.min(...values))} to ${show(Math.max(...values))})`;
  };
  // The base offers one text, and no list to choose from.
  const alone: Readonly<Record<string, (trial: BaseTrial) => string>> = {
    'acceptance@1': ({ first }) => percent(first),
    'characters saved, first': ({ savedFirst }) => savedFirst.toFixed(2),
  };
  return [
    ['', 'before', 'other files', 'the same, shuffled', 'tuned', 'shuffled rewards', 'base, greedy', 'base, sampled'],
    ...columns.map(([name, of, show]) => [
      name,
      cell([before], of, show),
      cell(
        texts.map(({ given }) => given),
        of,
        show,
      ),
      cell(
        texts.map((outcome) => outcome.shuffled),
        of,
        show,
      ),
      cell(tuned, of, show),
      cell(control, of, show),
      alone[name]?.(base.greedy) ?? '-',
      alone[name]?.(base.sampled) ?? '-',
    ]),
  ];
}

/** What other files change in the first suggestion, a line a seed, with 95 % intervals over files. */
export function textsLines({ texts }: ExperimentResult): string[] {
  const points = (x: number) => `${x < 0 ? '' : '+'}${(100 * x).toFixed(1)}`;
  const said = ({ mean, low, high }: Interval) => `${points(mean)} points (${points(low)} to ${points(high)})`;
  return texts.map(
    ({ seed, files, more, moreThanShuffled }) =>
      `seed ${seed}, ${files} other files: acceptance@1 ${said(more)}, over shuffled ones ${said(moreThanShuffled)}`,
  );
}
