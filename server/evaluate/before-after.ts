/** What a run has changed, to read: the same held-out prompts completed by its model before and after. */
import { basename, join } from 'node:path';
import { Decoder } from '../cola/decoder.ts';
import type { Device } from '../device/device.ts';
import { baseStepper } from '../model/language-model.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import { Random } from '../random.ts';
import { tokenizerOf } from '../train/data.ts';
import { scoreOf } from '../train/reinforce/episode.ts';
import { judge } from '../train/reinforce/rollout.ts';
import { numbered, startsOf } from '../train/reinforce/starts.ts';
import { actionWalker, continueTexts, tokenWalker, type Walker } from './continuations.ts';
import { evaluateErrors } from './errors.ts';
import { type RunDefaults, runDefaults } from './run.ts';
import { Subject } from './subject.ts';
import { heldOutPrompts, rewardOf, type TaskSpec } from './task.ts';
import { heldOutText } from './text.ts';

/** Most tokens of an answer: it is to be read beside another. */
const longestAnswer = 128;
/** Tokens of text that are given, and that are written behind them. */
const given = 32;
const written = 48;

export interface Answer {
  readonly text: string;
  /** Null where nothing judges, or the answer has no score. */
  readonly reward: number | null;
}

export interface BeforeAfterRow {
  readonly prompt: string;
  readonly before: Answer | null;
  readonly after: Answer;
}

export interface BeforeAfter {
  /** Folder of the model before; null where the run made its model from nothing. */
  readonly before: string | null;
  readonly after: string;
  readonly kind: 'answers' | 'text';
  /** Reward from which an answer counts as solved; null where nothing judges. */
  readonly solvedAt: number | null;
  readonly rows: readonly BeforeAfterRow[];
}

export interface BeforeAfterOptions {
  /** Folder of the run. */
  readonly run: string;
  readonly device: Device;
  readonly cacheFolder: string;
  /** Most prompts. */
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly shelf?: WeightShelf | undefined;
  readonly say?: (text: string) => void;
}

type Written = readonly { readonly prompt: string; readonly answer: Answer }[];

/**
 * Completes what the run held out, always taking the most likely choice: the prompts of its last stage that has some,
 * otherwise the beginnings of its text. One model is in memory at a time.
 *
 * @throws evaluate.noModel, evaluate.nothingHeldOut, and what loading the models and their data throws; the signal's reason
 */
export async function compareBeforeAfter(options: BeforeAfterOptions): Promise<BeforeAfter> {
  const { run, cacheFolder } = options;
  const after = join(run, 'model');
  const defaults = await runDefaults(run, after, cacheFolder);
  const { task, text, against } = defaults;
  const write =
    task !== undefined
      ? (subject: Subject) => answers(subject, task, options.limit)
      : text !== undefined
        ? (subject: Subject) => continuations(subject, text, options.limit)
        : undefined;
  if (write === undefined) throw evaluateErrors.nothingHeldOut(basename(run));
  const of = async (folder: string, name: string): Promise<Written> => {
    options.say?.(`The model ${name} writes`);
    const subject = await load(folder, defaults, options);
    try {
      return await write(subject);
    } finally {
      subject.dispose();
    }
  };
  const now = await of(after, 'after the run');
  const earlier = against === undefined ? undefined : await of(against, 'before the run');
  const rows = now.map(({ prompt, answer }, i) => ({ prompt, before: earlier?.[i]?.answer ?? null, after: answer }));
  const kind = task === undefined ? 'text' : 'answers';
  return { before: against ?? null, after, kind, solvedAt: task?.solved_at ?? null, rows };
}

function load(folder: string, defaults: RunDefaults, options: BeforeAfterOptions): Promise<Subject> {
  const { decoding, specFile, cacheFolder, frozen, taskSeed } = defaults;
  const { device, signal, say, shelf } = options;
  return Subject.load(device, folder, {
    decoding,
    specFile,
    cacheFolder,
    frozen,
    signal,
    shelf,
    seed: taskSeed ?? 0,
    ...(say === undefined ? {} : { say }),
  });
}

async function answers(subject: Subject, task: TaskSpec, limit: number): Promise<Written> {
  const prompts = await heldOutPrompts(task, subject, limit);
  const reward = await rewardOf(task, subject);
  const actor = subject.actor(0);
  const { signal } = subject;
  try {
    const settings = { maxNew: Math.min(task.max_new, longestAnswer), temperature: 0, topK: 0 };
    const rows = await actor.sample(startsOf(numbered(prompts), 1, 0, 0), settings, signal);
    const judged = await judge(rows, tokenizerOf(subject.context), reward, signal);
    return judged.map(({ prompt, completion, result }) => ({
      prompt: prompt.text,
      answer: { text: completion, reward: scoreOf(result) ?? null },
    }));
  } finally {
    await actor.dispose();
    await reward.close();
  }
}

async function continuations(
  subject: Subject,
  text: NonNullable<RunDefaults['text']>,
  limit: number,
): Promise<Written> {
  const { context, base, device, signal } = subject;
  const room = base.config.maxPositionEmbeddings;
  const before = Math.max(1, Math.min(given, Math.floor(room / 2)));
  const length = Math.min(written, room - before);
  const { ids, count } = await heldOutText(text, context, before, limit);
  const prefixes = Array.from({ length: count }, (_, i) => ids.subarray(i * before, (i + 1) * before));
  const tokenizer = tokenizerOf(context);
  const read = (tokens: Int32Array) => tokenizer.decode([...tokens], { skipSpecialTokens: true });
  const [walker, close] = walkerOf(subject, device);
  try {
    const all = await continueTexts(walker, prefixes, 1, length, signal);
    return all.map((tokens, i) => {
      // What it writes behind the end of a text is another text.
      const end = tokens.findIndex((token) => base.endIds.has(token));
      return {
        prompt: read(prefixes[i]),
        answer: { text: read(end < 0 ? tokens : tokens.subarray(0, end)), reward: null },
      };
    });
  } finally {
    await close();
  }
}

function walkerOf(subject: Subject, device: Device): [Walker, () => Promise<void>] {
  const cola = subject.decoding === 'actions' ? subject.with('world', 'policy') : undefined;
  if (cola !== undefined) {
    const decoder = new Decoder(device, cola);
    return [actionWalker(decoder, 'greedy', new Random(0)), () => decoder.dispose()];
  }
  const stepper = baseStepper(device, subject.base);
  return [tokenWalker(stepper, subject.base.config.vocabSize, 0, new Random(0)), () => stepper.dispose()];
}
