/** What `cola fit` tells of every kind of stage, beside the most memory that a process of its own takes for it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadTokenizer } from '../server/model/tokenizer/tokenizer.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { type FitCase, type FitResult, measureStage } from './fit-stage.ts';
import type { Bench, Measure } from './measure.ts';
import type { ShapeName } from './shapes.ts';

const task = '{ task: countdown, format: compact }';
const judged = `prompts: ${task}, reward: { countdown: { form: compact } }, steps: 2`;
/** Tokens of a prompt of that task and of its answer. */
const [prompt, answer] = [27, 12];

/** Every kind of stage with rows of so many tokens. */
function stagesOf(shape: ShapeName, rows: number, tokens: number, prompts: number): FitCase[] {
  const packed = `{ data: ${task}, steps: 2, batch: ${rows}, length: ${tokens}`;
  const answers = `{ data: rows.jsonl, batch: ${rows}, max_length: ${tokens}, checkpoint: none`;
  const pairs = answers.replace('rows.jsonl', 'pairs.jsonl');
  const rollouts = `${judged}, batch: ${prompts}, max_new: ${answer}`;
  const measured = 'evaluate_rows: 8, evaluate_samples: 2';
  const length = prompt + answer;
  const written: [string, string, number?][] = [
    ['pretrain', `${packed}, checkpoint: none }`],
    ['pretrain, checkpoint: blocks', `${packed}, checkpoint: blocks }`],
    ['control', `${packed} }`],
    ['clone', `${packed} }`],
    ['guide', `${answers}, steps: 2 }`],
    ['guide, lora', `${answers}, steps: 2, lora: {} }`],
    ['tokens', `${answers}, method: supervised }`],
    ['tokens, lora', `${answers}, method: supervised, lora: {} }`],
    ['reward', `${pairs}, steps: 2 }`],
    ['dpo', `${pairs}, steps: 2 }`],
    ['reinforce', `{ ${rollouts}, group: 8, ${measured} }`, length],
    ['tokens, over rollouts', `{ ${rollouts}, group: 8, method: reinforce, ${measured} }`, length],
    ['q', `{ ${rollouts}, group: 8 }`, length],
    ['expert', `{ ${rollouts}, cache: 4, simulations: 64, ${measured} }`, length],
  ];
  return written.map(([name, settings, own]) => ({
    name: `${name} ${shape}, ${own === undefined ? `${rows} x ${tokens}` : `${prompts} prompts`}`,
    shape,
    stage: `${name.split(',')[0]}: ${settings}`,
    ...(own === undefined ? {} : { length: own }),
    tokens,
  }));
}

const cases: readonly FitCase[] = [
  ...stagesOf('7M', 8, 64, 8),
  ...stagesOf('7M', 8, 512, 32),
  ...stagesOf('135M', 4, 128, 4),
  ...stagesOf('360M', 2, 64, 2).filter(({ name }) => /^(pretrain|control|reinforce|guide, lora)/.test(name)),
];

/** Rows whose prompt and answer have as many tokens as the stage takes at most, and pairs of such answers. */
function writeRows(folder: string, tokens: number): void {
  const tokenizer = loadTokenizer(resolveModel('builtin:nano', ''));
  const of = (word: string, count: number) => {
    const one = Math.round(tokenizer.encode(`${word} `.repeat(16)).length / 16);
    return `${word} `.repeat(Math.max(1, Math.floor(count / one)));
  };
  const write = (name: string, row: (i: number) => object) =>
    writeFileSync(join(folder, name), `${Array.from({ length: 40 }, (_, i) => JSON.stringify(row(i))).join('\n')}\n`);
  const prompt = (i: number) => `${of('one', tokens / 4)}${i}`;
  write('rows.jsonl', (i) => ({ prompt: prompt(i), response: of('two', tokens) }));
  // A pair that is longer than an update's rows is left out.
  const answer = tokens - tokens / 4 - 14;
  write('pairs.jsonl', (i) => ({ prompt: prompt(i), chosen: of('three', answer), rejected: of('four', answer) }));
}

/** In a process of its own. */
export async function printFit(text: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cola-bench-'));
  try {
    const given = JSON.parse(text) as FitCase;
    writeRows(folder, given.tokens);
    console.log(JSON.stringify(await measureStage(given, folder)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const fitBench: Bench = {
  name: 'fit',
  about:
    'what fit tells of every kind of stage, by the peak of a process that takes two steps and measures before and behind them',
  async run(device): Promise<Measure[]> {
    if (device !== 'cpu') return [];
    const measures: Measure[] = [];
    const only = process.env.COLA_FIT;
    for (const each of cases.filter(({ name }) => only === undefined || new RegExp(only).test(name))) {
      const given = ['--expose-gc', fileURLToPath(import.meta.url), '--fit', JSON.stringify(each)];
      const child = spawnSync(process.execPath, given, { encoding: 'utf8' });
      const last = child.stdout.trim().split('\n').at(-1) ?? '';
      if (child.status !== 0) throw new Error(`${each.name}: ${child.stderr.slice(-500)}`);
      const { told, measured, parts } = JSON.parse(last) as FitResult;
      console.error(`${each.name}: ${told.toFixed(0)} of ${measured.toFixed(0)} MB, ${JSON.stringify(parts)}`);
      const against = `measured ${measured.toFixed(0)} MB`;
      measures.push({ name: `told of ${each.name}`, value: told, unit: 'MB', against, ratio: told / measured });
    }
    return measures;
  },
};
