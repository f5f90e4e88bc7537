/**
 * Experiments: models that are trained and measured in several seeds, and what is claimed of them. Each is a YAML file; what it
 * claims is judged by code (judgement.ts), from figures alone.
 */
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { environmentSpec } from '../environments/spec.ts';
import { evaluationSettings } from '../evaluate/report.ts';
import { limits, readBytes } from '../files/open.ts';
import { namesIn, readable } from '../files/place.ts';
import { rewardSpec } from '../rewards/schema.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { parseSpec } from '../spec/document.ts';
import { excess } from '../spec/limits.ts';
import { measureNames } from '../spec/schema.ts';
import { dataSpec } from '../spec/settings/parts.ts';
import { reproduceErrors } from './errors.ts';
import { madeData } from './made.ts';

const name = z.string().regex(/^[a-z][a-z0-9-]*$/, 'a name has small letters, digits and dashes');

/** Prompts and how answers to them are judged, where the arm has no stage that says so. */
const task = z.strictObject({
  prompts: dataSpec,
  reward: rewardSpec,
  chat: z.boolean().optional(),
  max_new: z.int().positive(),
  temperature: z.number().min(0).default(1),
  top_k: z.int().min(0).default(0),
  solved_at: z.number(),
});

/** A world to act in, where no stage of the arm says so. */
const agent = z.strictObject({
  environment: environmentSpec,
  chat: z.boolean().optional(),
  turns: z.int().positive().max(1000),
  /** Longest turn, and longest episode behind its start, in tokens. */
  max_new: z.int().positive(),
  max_tokens: z.int().positive().optional(),
  temperature: z.number().min(0).default(1),
  top_k: z.int().min(0).default(0),
});

/** Sizes of measures that are given, and no others: what is not said is as a run has it. */
const sizes = evaluationSettings.partial();
const givenSizes = z.record(z.string(), z.unknown()).transform((given, context): z.infer<typeof sizes> => {
  const parsed = sizes.safeParse(given);
  if (parsed.success)
    return Object.fromEntries(Object.entries(parsed.data).filter(([key]) => Object.hasOwn(given, key)));
  const { path, detail } = firstIssue(parsed.error);
  context.addIssue({ code: 'custom', message: path === '' ? detail : `${path}: ${detail}` });
  return z.NEVER;
});

/** Measures of the model of an arm. */
const measurement = z.strictObject({
  /** Stands in the names of the figures, so that a measure can be taken in two ways. */
  name: name.optional(),
  measures: z.array(z.enum(measureNames)).min(1),
  decoding: z.enum(['actions', 'tokens']).optional(),
  /** Text of training, of which the last fiftieth is held out. */
  text: dataSpec.optional(),
  task: task.optional(),
  agent: agent.optional(),
  settings: givenSizes.optional(),
});
export type Measurement = z.infer<typeof measurement>;

const arm = z.strictObject({
  /** What it begins with: the model of an arm before it, or that of the experiment. */
  from: name.optional(),
  /** As in a run spec; without any, the model is measured as it is. Paths `arm:NAME` are models of arms before it. */
  stages: z.array(z.record(z.string(), z.unknown())).min(1).optional(),
  measure: z.array(measurement).default([]),
  /** Figures of steps and measurements whose course is kept. */
  curves: z.array(z.string().min(1)).default([]),
  /** Figures of steps whose onset is kept: the step at which one first reaches a level, and the seconds of the stage up to it. */
  onsets: z.record(z.string().min(1), z.number()).default({}),
});
export type Arm = z.infer<typeof arm>;

const keys = z.union([
  z
    .string()
    .min(1)
    .transform((key) => [key]),
  z.array(z.string().min(1)).min(1),
]);

/** A value, which is the sum of figures less others, and between what it has to lie. */
const check = z
  .strictObject({
    /** What the value is, for people. */
    says: z.string().min(1),
    of: keys,
    less: keys.optional(),
    /** Divides the value of each seed. */
    over: keys.optional(),
    above: z.number().optional(),
    below: z.number().optional(),
    /** `points` are hundredths of a share. */
    unit: z.enum(['points', 'percent', 'nats', 'bits', 'times', 'codes', 'plain']).default('plain'),
  })
  .refine(({ above, below }) => above !== undefined || below !== undefined, 'a check needs above or below');
export type Check = z.infer<typeof check>;

const claim = z.strictObject({
  says: z.string().min(1),
  /** What the paper has. */
  paper: z.string().min(1),
  checks: z.record(name, check).refine((checks) => Object.keys(checks).length > 0, 'a claim needs a check'),
});
export type Claim = z.infer<typeof claim>;

const document = z.strictObject({
  about: z.string().min(1),
  /** About how long a seed takes on two cores that do nothing else; the shorter come first. */
  minutes: z.number().positive(),
  model: z.string().min(1).default('builtin:nano'),
  /** Data that is made of text; paths `made:NAME` mean it. */
  made: z.record(name, madeData).default({}),
  arms: z.record(name, arm),
  claims: z.record(name, claim),
});

export interface Experiment extends z.infer<typeof document> {
  readonly name: string;
  /** Absolute; relative paths in it count from its folder. */
  readonly file: string;
  /** What evidence depends on beside the weights, as it is written: what is not written may change its default. */
  readonly content: string;
}

const ending = '.yaml';

/** @throws reproduce.* */
export function readExperiment(file: string): Experiment {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readBytes(file, limits.document));
  } catch (error) {
    throw readable(error, (cause) => reproduceErrors.cannotRead(file, cause));
  }
  const tooMuch = excess(text);
  if (tooMuch !== undefined) throw reproduceErrors.badExperiment(file, tooMuch.message);
  let value: unknown;
  try {
    value = parse(text, { merge: true });
  } catch (error) {
    throw reproduceErrors.badExperiment(file, firstLine(error));
  }
  const parsed = document.safeParse(value);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw reproduceErrors.badExperiment(file, path === '' ? detail : `${path}: ${detail}`);
  }
  const { arms, made } = value as { arms: unknown; made?: unknown };
  const content = JSON.stringify([parsed.data.model, arms, made]);
  const experiment = { ...parsed.data, name: basename(file, ending), file, content };
  for (const [i, [named, { from, stages }]] of Object.entries(experiment.arms).entries()) {
    const before = Object.keys(experiment.arms).slice(0, i);
    if (from !== undefined && !before.includes(from))
      throw reproduceErrors.badExperiment(file, `the arm ${named} begins with "${from}", which is no arm before it`);
    if (stages === undefined) continue;
    const { problems } = parseSpec(stringify({ model: experiment.model, stages }), file);
    if (problems[0] !== undefined)
      throw reproduceErrors.badExperiment(file, `the arm ${named}: ${problems[0].message.replace(/\.$/, '')}`);
  }
  return experiment;
}

const firstLine = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0];

/** Experiments of a folder, the cheapest first. @throws reproduce.* */
export function readExperiments(folder: string): Experiment[] {
  const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  const files = (isThere ? (namesIn(folder) ?? []) : []).filter((file) => file.endsWith(ending)).sort();
  if (files.length === 0) throw reproduceErrors.noClaims(folder);
  return files
    .map((file) => readExperiment(join(folder, file)))
    .sort((a, b) => a.minutes - b.minutes || a.name.localeCompare(b.name));
}

/** Those that are named, by themselves or by one of their claims; all, if none is. @throws reproduce.unknownClaim */
export function chosen(experiments: readonly Experiment[], names: readonly string[]): Experiment[] {
  for (const wanted of names) {
    if (experiments.some((each) => isNamed(each, wanted))) continue;
    const known = experiments.flatMap((each) => [each.name, ...Object.keys(each.claims)]);
    throw reproduceErrors.unknownClaim(wanted, [...new Set(known)]);
  }
  return experiments.filter((each) => names.length === 0 || names.some((wanted) => isNamed(each, wanted)));
}

const isNamed = (experiment: Experiment, wanted: string) =>
  experiment.name === wanted || Object.hasOwn(experiment.claims, wanted);
