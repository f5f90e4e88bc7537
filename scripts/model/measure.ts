/**
 * Measures `nano` with the project's own commands, and writes every figure of the model card to `.cache/model/measured.json`.
 * Usage: tsx scripts/model/measure.ts [--limit COUNT]; a limit is for trying it out.
 */
import { statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ColaModel } from '../../server/cola/model.ts';
import { comparison, type Evaluation } from '../../server/evaluate/report.ts';
import { baselineBits } from '../corpus/baselines.ts';
import { CORPUS, type Row, readRows, writeRows } from '../corpus/rows.ts';
import { type Measured, measured } from './measured.ts';
import { parseRate } from './parse-rate.ts';
import { BOX, colaArguments, MEASURED, output, WORK } from './parts.ts';

const { values } = parseArgs({ options: { limit: { type: 'string' } } });
const limit = values.limit === undefined ? undefined : Number(values.limit);

const cola = async (...args: string[]): Promise<unknown> =>
  JSON.parse(await output(process.execPath, colaArguments([...args, '--json'])));

async function evaluate(...args: string[]): Promise<Evaluation> {
  const limited = limit === undefined ? [] : ['--limit', String(limit)];
  const { columns } = comparison.parse(await cola('evaluate', BOX, ...args, ...limited));
  return columns[0].evaluations[0];
}

/** Held-out texts of a kind in a file of their own, generated problems aside. */
async function textsOf(kind: string): Promise<string> {
  const rows: Row[] = [];
  for await (const row of readRows(join(CORPUS, 'heldout.jsonl'))) {
    if (row.kind !== 'chat' && (kind === 'all' || row.kind === kind)) rows.push(row);
  }
  const file = join(WORK, `heldout-${kind}.jsonl`);
  await writeRows(file, limit === undefined ? rows : rows.slice(0, limit));
  return file;
}

const score = z.looseObject({ bitsPerByte: z.number().optional() });

async function bits(): Promise<Measured['bits']> {
  const found: Measured['bits'] = {};
  for (const [name, baseline] of await baselineBits()) {
    const kind = z.enum(['all', 'ts', 'js', 'md']).parse(name);
    // Half a window of context at least, but at the beginning.
    const result = score.parse(await cola('score', await textsOf(kind), '--model', BOX, '--stride', '256'));
    found[kind] = { ...baseline, model: result.bitsPerByte ?? null };
  }
  return found;
}

await mkdir(WORK, { recursive: true });
const model = await ColaModel.load(BOX);
const count = (weights: ReadonlyMap<string, Float32Array>) =>
  [...weights.values()].reduce((sum, { length }) => sum + length, 0);
const task = [
  '--prompts',
  'countdown:compact',
  '--reward',
  '{countdown: {form: compact, format: 0}}',
  '--max-new',
  '16',
];
const answers = ['--measures', 'accuracy,pass@k', '--seeds', '3'];
const text = await evaluate('--data', await textsOf('all'), '--measures', 'codebook,marginal');
const result: Measured = {
  version: 1,
  date: new Date().toISOString().slice(0, 10),
  device: text.device,
  parameters: { base: count(model.base.weights), added: count(model.weights) },
  bytes: ['model.safetensors', 'cola.safetensors'].reduce((sum, name) => sum + statSync(join(BOX, name)).size, 0),
  bits: await bits(),
  text,
  countdown: await evaluate(...task, ...answers),
  countdownTokens: await evaluate(...task, ...answers, '--tokens'),
  statements: await parseRate(BOX, limit ?? 200, 7),
};
await writeFile(MEASURED, `${JSON.stringify(measured.parse(result), null, 2)}\n`);
process.stderr.write(`Written to ${MEASURED}\n`);
