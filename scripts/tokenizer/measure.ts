/** Prints the bytes per token on the held-out texts of each kind. Run after the tokenizer is trained. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { CORPUS, readRows } from '../corpus/rows.ts';

const folder = join('assets', 'nano');
const [file, config] = await Promise.all(
  ['tokenizer.json', 'tokenizer_config.json'].map(async (name) =>
    JSON.parse(await readFile(join(folder, name), 'utf8')),
  ),
);
const tokenizer = new Tokenizer(file, config);

const totals = new Map<string, { bytes: number; tokens: number }>();
for await (const { text, kind } of readRows(join(CORPUS, 'heldout.jsonl'))) {
  const total = totals.get(kind) ?? { bytes: 0, tokens: 0 };
  total.bytes += Buffer.byteLength(text);
  total.tokens += tokenizer.encode(text, { add_special_tokens: false }).ids.length;
  totals.set(kind, total);
}
for (const [kind, { bytes, tokens }] of totals) {
  process.stdout.write(`${kind}: ${bytes} bytes, ${tokens} tokens, ${(bytes / tokens).toFixed(3)} bytes per token\n`);
}
