/**
 * Prints what simple models need for the held-out texts, in bits per byte: gzip and xz over all texts of a kind put
 * one after the other, and a byte 5-gram model of the training texts. Run after `npm run corpus`.
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { ByteNgram } from './ngram.ts';
import { CORPUS, readRows } from './rows.ts';

async function xz(bytes: Uint8Array): Promise<number> {
  const child = spawn('xz', ['-9', '--extreme', '--stdout'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(bytes);
  return (await buffer(child.stdout)).length;
}

/** Texts of a split by kind, generated problems aside, and `all` of them. */
async function texts(split: 'train' | 'heldout'): Promise<Map<string, Buffer[]>> {
  const kinds = new Map<string, Buffer[]>([['all', []]]);
  for await (const { kind, text } of readRows(join(CORPUS, `${split}.jsonl`))) {
    if (kind === 'chat') continue;
    const bytes = Buffer.from(text);
    kinds.get('all')?.push(bytes);
    const same = kinds.get(kind);
    if (same) same.push(bytes);
    else kinds.set(kind, [bytes]);
  }
  return kinds;
}

/** Bits per byte of the simple models, by kind of held-out text. */
export async function baselineBits(): Promise<
  Map<string, { bytes: number; 'gzip -9': number; 'xz -9e': number; '5-gram': number }>
> {
  const model = ByteNgram.train((await texts('train')).get('all') ?? [], 5);
  const found: Awaited<ReturnType<typeof baselineBits>> = new Map();
  for (const [kind, documents] of await texts('heldout')) {
    const whole = Buffer.concat(documents);
    const perByte = (bits: number) => bits / whole.length;
    found.set(kind, {
      bytes: whole.length,
      'gzip -9': perByte(8 * gzipSync(whole, { level: 9 }).length),
      'xz -9e': perByte(8 * (await xz(whole))),
      '5-gram': perByte(documents.reduce((sum, bytes) => sum + model.bits(bytes), 0)),
    });
  }
  return found;
}

if (process.argv[1]?.endsWith('baselines.ts')) {
  for (const [kind, { bytes, ...bits }] of await baselineBits()) {
    const columns = Object.entries(bits).map(([name, value]) => `${name} ${value.toFixed(3)}`);
    process.stdout.write(`${kind} (${bytes} bytes): ${columns.join(', ')} bits per byte\n`);
  }
}
