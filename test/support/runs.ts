/** Runs on a model of a few thousand weights: their data, their specs, and what is compared between them. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { hire } from '../../server/cluster/hire.ts';
import { closingMeasurement } from '../../server/evaluate/closing.ts';
import { type RunSpec, runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { runFolder } from '../../server/store/run.ts';
import type { TrainEvent } from '../../server/train/run/events.ts';
import { resumeRun, startRun } from '../../server/train/run/job.ts';
import type { ResumeChoice } from '../../server/train/run/resume.ts';

export const tokenizerFolder = join(import.meta.dirname, '../fixtures/hf/llama-gqa');

/** Sizes of a new base. */
export const tinyBase = {
  tokenizer: tokenizerFolder,
  hidden: 16,
  intermediate: 32,
  layers: 1,
  heads: 2,
  context: 64,
} as const;

/** Writes what {@link stages} read: running text, and rows with prompt, response and answer, and preferences. */
export function writeData(root: string): void {
  mkdirSync(root, { recursive: true });
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const words = ['one', 'two', 'three', 'four', 'five', 'six'];
  const pick = (i: number) => words[i % words.length];
  const text = (i: number) => `${pick(i)} ${pick(i + 1)} ${pick(i + 2)}. `.repeat(3);
  writeFileSync(join(root, 'text.jsonl'), lines(Array.from({ length: 40 }, (_, i) => ({ text: text(i) }))));
  const row = (i: number) => ({ prompt: `after ${pick(i)}:`, response: ` ${pick(i + 1)}`, answer: pick(i + 1) });
  writeFileSync(join(root, 'rows.jsonl'), lines(Array.from({ length: 24 }, (_, i) => row(i))));
  const pair = (i: number) => ({
    chosen: ` ${pick(i + 1)}`,
    rejected: ` ${pick(i + 2 + (i % 4))}`,
    score: (i % 3) / 2,
  });
  const pairs = Array.from({ length: 40 }, (_, i) => ({ prompt: `after ${pick(i)}:`, ...pair(i) }));
  writeFileSync(join(root, 'pairs.jsonl'), lines(pairs));
}

const keeping = { checkpoint_every: 2, evaluate_every: 3 };
const packed = { data: 'text.jsonl', batch: 4, length: 16, ...keeping };
/** So that a model learns to spell in a few steps. */
const quick = { learning_rate: 1e-2, warmup: 0, checkpoint_every: 100, evaluate_every: 100 };
const heads = { codes: 8, idm_layers: 1, policy_layers: 1, merge_layers: 1 };
const rollouts = { prompts: 'rows.jsonl', reward: { similarity: {} }, batch: 3, max_new: 5, warmup: 0, ...keeping };
const measuring = { evaluate_rows: 2, evaluate_samples: 2, learning_rate: 3e-3 };

/** One of every stage and variant, each of `steps` steps. The guided ones with two parts take that many for each. */
export const stages = (steps: number) =>
  ({
    pretrain: { pretrain: { ...packed, steps, accumulate: 2 } },
    control: { control: { ...packed, ...heads, steps } },
    clone: { clone: { ...packed, steps } },
    'clone marginal': { clone: { ...packed, steps, accumulate: 2, marginal: 2, marginal_states: 6 } },
    'guide policy': { guide: { data: 'rows.jsonl', batch: 4, max_length: 32, steps, ...keeping } },
    'guide inverse': {
      guide: { data: 'rows.jsonl', batch: 4, max_length: 32, steps: steps / 2, variant: 'inverse', ...keeping },
    },
    grpo: { reinforce: { ...rollouts, ...measuring, steps, group: 4, kl: 0.02, top_k: 5, temperature: 1.2 } },
    remax: { reinforce: { ...rollouts, ...measuring, steps, group: 2, algorithm: 'remax' } },
    ppo: { reinforce: { ...rollouts, ...measuring, steps, group: 2, algorithm: 'ppo', lambda: 0.95 } },
    tokens: { tokens: { ...rollouts, ...measuring, steps, group: 4, kl: 0.01, top_k: 50 } },
    'tokens supervised': {
      tokens: { method: 'supervised', data: 'rows.jsonl', batch: 4, max_length: 32, epochs: steps / 6, ...keeping },
    },
    'tokens ppo': { tokens: { ...rollouts, ...measuring, steps, group: 2, algorithm: 'ppo', blocks: 1 } },
    q: { q: { ...rollouts, steps, group: 2, reuse: 2, target_every: 3 } },
    expert: {
      expert: {
        ...rollouts,
        ...measuring,
        steps,
        ...{ simulations: 8, breadth: 3, lockstep: 2, temperature: 1, paths: 3, minibatches: 2, edge_steps: 2 },
        ...{ value_weight: 0.5, q_weight: 0.5 },
      },
    },
    dpo: {
      dpo: { data: 'pairs.jsonl', batch: 6, accumulate: 2, max_length: 32, steps, ...keeping, learning_rate: 1e-3 },
    },
    reward: { reward: { data: 'pairs.jsonl', batch: 6, accumulate: 2, max_length: 32, steps, ...keeping } },
    'reward scores': {
      reward: { loss: 'scores', data: 'pairs.jsonl', batch: 4, max_length: 32, steps, blocks: 0, ...keeping },
    },
  }) as const;

export type StageCase = keyof ReturnType<typeof stages>;

/** The settings of one of {@link stages}, without the name of the stage. */
export function settingsOf(name: StageCase, steps: number): Readonly<Record<string, unknown>> {
  const [settings] = Object.values(stages(steps)[name]) as Record<string, unknown>[];
  return settings;
}

/** What must be there before a stage can run. */
export const makeCola = [
  { pretrain: { ...packed, ...quick, steps: 40 } },
  { control: { ...packed, ...heads, ...quick, steps: 20 } },
  { clone: { ...packed, ...quick, steps: 10 } },
] as const;

/** A complete spec on one thread: runs that are compared must add in the same order. */
export function specOf(
  model: string | Readonly<Record<Exclude<keyof typeof tinyBase, 'tokenizer'>, number> & { tokenizer: string }>,
  list: readonly object[],
  seed = 7,
): RunSpec {
  return toRunSpec(runSpec.parse({ model, device: 'cpu', threads: 1, seed, stages: list }));
}

export interface RunParts {
  readonly root: string;
  readonly id: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

const common = ({ root, id, signal, onEvent }: RunParts) => ({
  root,
  runId: id,
  signal: signal ?? new AbortController().signal,
  measure: closingMeasurement,
  hire,
  ...(onEvent === undefined ? {} : { onEvent }),
});

/** Starts a run whose paths are relative to `root`. @returns the folder of the model */
export async function start(parts: RunParts, spec: RunSpec): Promise<string> {
  return (await startRun({ ...common(parts), spec, specFile: join(parts.root, 'x.cola.yaml') })).model;
}

export async function resume(parts: RunParts, choice: ResumeChoice = {}): Promise<string> {
  return (await resumeRun({ ...common(parts), ...choice })).model;
}

let made: Promise<{ readonly root: string; readonly model: string }> | undefined;

/** What {@link makeCola} makes of {@link tinyBase}: a run named `cola`, made once in a process and copied. @returns the folder of its model */
export async function madeCola(root: string): Promise<string> {
  made ??= (async () => {
    const first = mkdtempSync(join(tmpdir(), 'cola-made-'));
    process.once('exit', () => rmSync(first, { recursive: true, force: true }));
    writeData(first);
    return { root: first, model: await start({ root: first, id: 'cola' }, specOf(tinyBase, makeCola)) };
  })();
  const { root: from, model } = await made;
  cpSync(join(from, '.cola'), join(root, '.cola'), { recursive: true });
  return join(root, relative(from, model));
}

/** The lines of a log of a run without what depends on the clock and the memory. */
export function linesOf(root: string, id: string, file: 'metrics' | 'samples'): Record<string, unknown>[] {
  const text = readFileSync(join(runFolder(root, id), `${file}.jsonl`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const record = JSON.parse(line) as Record<string, unknown>;
      return Object.fromEntries(Object.entries(record).filter(([name]) => !/^(seconds|memory)/.test(name)));
    });
}

/** A folder with data and a small trained model with latent actions, for the tests of a file. */
export class Bench {
  root = '';
  /** Folder of the model. */
  cola = '';
  private runs = 0;

  /** Makes the folder before the tests of the enclosing `describe` or file, and deletes it afterwards. */
  static forTests(): Bench {
    const bench = new Bench();
    before(async function () {
      this.timeout(60_000);
      bench.root = mkdtempSync(join(tmpdir(), 'cola-runs-'));
      writeData(bench.root);
      bench.cola = await madeCola(bench.root);
    });
    after(() => rmSync(bench.root, { recursive: true, force: true }));
    return bench;
  }

  /** A name that no run has. */
  fresh(): string {
    return `run-${++this.runs}`;
  }

  /** Runs stages to the end, on the model with latent actions if no other is given. @returns the folder of the model */
  run(list: readonly object[], model: string | typeof tinyBase = this.cola, id = this.fresh()): Promise<string> {
    return start({ root: this.root, id }, specOf(model, list));
  }

  /** Runs to the end. @returns what was said on the way, which `said` holds also where the run fails */
  async saidBy(
    list: readonly object[],
    model: string | typeof tinyBase = this.cola,
    said: string[] = [],
  ): Promise<string[]> {
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'message') said.push(event.text);
    };
    await start({ root: this.root, id: this.fresh(), onEvent }, specOf(model, list));
    return said;
  }

  /** Writes a file of data. @returns its name */
  write(name: string, content: string): string {
    writeFileSync(join(this.root, name), content);
    return name;
  }
}
