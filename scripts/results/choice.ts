/**
 * Measures what completion offers beside its controls, and writes `docs/results/choice.json` and `choice.md`. It fetches the
 * held-out packages of the corpus, 4 MB, where they are not there yet. Ended before that, it goes on where it was; what the
 * base alone offers is not measured again when completion has changed.
 *
 * Usage: tsx scripts/results/choice.ts [MODEL] [--places 1200] [--seed 7] [--threads 2] [--part 1/2]
 * With `--part` it only measures its share of the places, for several processes; what they found is reported without.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openDevice } from '../../server/device/device.ts';
import { choicePieces, measureChoice } from '../../server/evaluate/choice/choice.ts';
import {
  type ChoiceReport,
  choiceMeasure,
  choiceWays,
  type Quantity,
  quantityNames,
} from '../../server/evaluate/choice/report.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import { resolveModel } from '../../server/spec/document.ts';
import { heldOutFiles } from '../corpus/held-out.ts';
import { CORPUS, writeRows } from '../corpus/rows.ts';
import { KeptOnDisk } from './kept.ts';

const headings: Readonly<Record<Quantity, string>> = {
  word: 'author’s next word',
  line: 'author’s line',
  saved: 'characters saved',
  texts: 'different texts',
  words: 'different first words',
  nats: 'nats a token under the base',
};

const names = {
  actions: 'latent actions',
  first_tokens: 'base: likeliest first tokens',
  'sampled_0.7': 'base: sampled at 0.7',
  sampled_1: 'base: sampled at 1',
  beam: 'base: beam',
} as const;

/** More digits than there is to know take room. */
const rounded = (_: string, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toFixed(4)) : value;

const shares: readonly Quantity[] = ['word', 'line'];
const shown = (quantity: Quantity, x: number) =>
  shares.includes(quantity) ? `${(100 * x).toFixed(1)} %` : x.toFixed(2);

function table(report: ChoiceReport, kind: 'all' | 'line' | 'word' | 'bracket', alternatives: number): string[] {
  const wanted = quantityNames.filter((name) => alternatives > 1 || (name !== 'texts' && name !== 'words'));
  const cell = (way: string, quantity: Quantity) => {
    const row = report.rows.find(
      (each) =>
        each.kind === kind && each.alternatives === alternatives && each.way === way && each.quantity === quantity,
    );
    return row === undefined ? '-' : shown(quantity, row.mean);
  };
  return [
    `| | ${wanted.map((name) => headings[name]).join(' | ')} |`,
    `|---|${wanted.map(() => '---:|').join('')}`,
    ...choiceWays.map((way) => `| ${names[way]} | ${wanted.map((name) => cell(way, name)).join(' | ')} |`),
  ];
}

function pairs(report: ChoiceReport, most: number): string[] {
  const rows = report.paired.filter(({ kind, against }) => kind === 'all' && against === 'first_tokens');
  const cell = (quantity: Quantity, alternatives: number) => {
    const row = rows.find((each) => each.quantity === quantity && each.alternatives === alternatives);
    if (row === undefined) return '-';
    const sign = (x: number) => `${x > 0 ? '+' : ''}${shown(quantity, x)}`;
    return `${sign(row.mean)} (${sign(row.low)} to ${sign(row.high)})`;
  };
  return [
    '| latent actions less the base’s likeliest first tokens | one | all |',
    '|---|---:|---:|',
    ...quantityNames.map((name) => `| ${headings[name]} | ${cell(name, 1)} | ${cell(name, most)} |`),
  ];
}

export function choicePage(report: ChoiceReport, model: string): string {
  const { places, pieces } = report;
  const most = Math.max(...report.rows.map(({ alternatives }) => alternatives));
  return [
    '# What there is to choose from',
    `Written by \`npx tsx scripts/results/choice.ts\` from \`choice.json\`. ${model} at ${places.all} places of ${pieces} pieces of held-out code: ${places.line} beginnings of lines, ${places.word} of words, ${places.bracket} behind an opening bracket. Each text ends with its line. A word at the cursor is completed by every way, and exactly by the base: a first token may go on from what was typed or follow it.`,
    ...[1, most].flatMap((k) => [
      `## ${k === 1 ? 'One suggestion' : `${k} alternatives`}`,
      table(report, 'all', k).join('\n'),
    ]),
    '## Paired, with 95 % intervals',
    `At the same places; places of one piece of text count together.\n\n${pairs(report, most).join('\n')}`,
    ...(['line', 'word', 'bracket'] as const).flatMap((kind) => [
      `## ${most} alternatives: ${{ line: 'beginnings of lines', word: 'beginnings of words', bracket: 'behind an opening bracket' }[kind]}`,
      table(report, kind, most).join('\n'),
    ]),
    '',
  ].join('\n\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      places: { type: 'string', default: '1200' },
      seed: { type: 'string', default: '7' },
      threads: { type: 'string' },
      part: { type: 'string' },
    },
  });
  const [index, of] = values.part?.split('/').map(Number) ?? [];
  const part = index === undefined || of === undefined ? undefined : { index: index - 1, of };
  const name = positionals[0] ?? 'builtin:nano';
  await mkdir(CORPUS, { recursive: true });
  const code = (await heldOutFiles(join(CORPUS, 'packages'))).filter(({ kind }) => kind !== 'md');
  const text = resolve(CORPUS, 'heldout-code.jsonl');
  await writeRows(text, code);
  const { device } = await openDevice('cpu', values.threads === undefined ? {} : { threads: Number(values.threads) });
  const model = resolveModel(name, resolve('from'));
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const subject = await Subject.load(device, model, { cacheFolder: join('.cola', 'cache'), say });
  try {
    const cola = subject.with('world', 'policy');
    if (cola === undefined) throw new Error(`${name} has no latent actions`);
    const settings = choiceMeasure.parse({ places: Number(values.places) });
    const seed = Number(values.seed);
    const pieces = await choicePieces({ data: text, held_out: text }, subject.context, settings);
    const kept = await KeptOnDisk.open({ ...settings, places: null, seed }, model);
    const { report: choice } = await measureChoice(subject.context, cola, pieces, settings, seed, {
      kept,
      ...(part === undefined ? {} : { part }),
    });
    if (part !== undefined) return;
    const folder = join('docs', 'results');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'choice.json'), `${JSON.stringify({ model: name, seed, ...choice }, rounded)}\n`);
    await writeFile(join(folder, 'choice.md'), choicePage(choice, name));
  } finally {
    subject.dispose();
    await device.dispose();
  }
}

if (process.argv[1]?.endsWith('choice.ts')) await main();
