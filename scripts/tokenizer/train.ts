/**
 * Trains the tokenizer of `nano` on a sample of the training corpus and writes `assets/nano/tokenizer.json` and
 * `tokenizer_config.json`. The same corpus gives the same files. Run by `npm run corpus`.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CORPUS, readRows } from '../corpus/rows.ts';
import { learnBpe } from './bpe.ts';
import { ADDED_TOKENS, SPLIT, tokenizerConfig, tokenizerFile, VOCABULARY } from './format.ts';

/** Most bytes of each kind the merges are learnt from. */
const SAMPLE = { ts: 17e6, js: 10e6, md: 3e6, chat: 0 };
/** Most bytes taken from one package, so that no project's own words become tokens. */
const PACKAGE_SAMPLE = 800_000;

/** Counts the words of a sample of the rows, most TypeScript. */
export async function countWords(path: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const left = { ...SAMPLE };
  const split = new RegExp(SPLIT, 'gu');
  const taken = new Map<string, number>();
  for await (const { path: from, text, kind } of readRows(path)) {
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from;
    const before = taken.get(name) ?? 0;
    if (left[kind] <= 0 || before >= PACKAGE_SAMPLE) continue;
    taken.set(name, before + Buffer.byteLength(text));
    left[kind] -= Buffer.byteLength(text);
    for (const word of text.match(split) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

async function main(): Promise<void> {
  const counts = await countWords(join(CORPUS, 'train.jsonl'));
  let bytes = 0;
  for (const [word, count] of counts) bytes += Buffer.byteLength(word) * count;
  process.stdout.write(`${counts.size} different words in ${(bytes / 1e6).toFixed(1)} MB\n`);
  const size = VOCABULARY - ADDED_TOKENS.length;
  const learnt = learnBpe(counts, { size, longest: 24, leastCount: 2 });
  const folder = join('assets', 'nano');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'tokenizer.json'), `${JSON.stringify(tokenizerFile(learnt), null, 1)}\n`);
  await writeFile(join(folder, 'tokenizer_config.json'), `${JSON.stringify(tokenizerConfig(), null, 2)}\n`);
}

if (process.argv[1]?.endsWith('train.ts')) await main();
