/**
 * The texts of the second part of nano's base: whole documents, the same cut for filling in the middle, and more of the
 * problems that reinforcement starts from. Writes `.cache/corpus/anneal.jsonl`. Run by `npm run make-model`.
 */
import { join } from 'node:path';
import { Random } from '../../server/random.ts';
import { orderKey } from '../corpus/packages.ts';
import { CORPUS, type Row, readRows, writeRows } from '../corpus/rows.ts';

/** Bytes of each sort of text: about a half, a quarter and a quarter of the tokens. */
const BYTES = { document: 8_000_000, fill: 4_000_000, chat: 3_600_000 };
/** Longest cut for filling in, in characters: it fits the context of 512 tokens with room to spare. */
const WINDOW = 1_150;
const SEED = 99;

/**
 * A piece of a document with its middle moved behind its end, in the order prefix, suffix, middle. Half of the middles are the rest of a
 * line, as where a person types; the others go over a few lines.
 *
 * @returns undefined where the document is too short
 */
export function fillText(text: string, random: Random): string | undefined {
  if (text.length < 200) return undefined;
  const from = random.integer(Math.max(1, text.length - WINDOW));
  const start = from === 0 ? 0 : text.indexOf('\n', from) + 1;
  const piece = text.slice(start, start + WINDOW);
  if (piece.length < 200) return undefined;
  const cut = 20 + random.integer(Math.floor(piece.length * 0.75));
  const lineEnd = piece.indexOf('\n', cut);
  if (lineEnd < 0) return undefined;
  const lines = random.uniform() < 0.5 ? 0 : 1 + random.integer(3);
  let end = lineEnd;
  for (let line = 0; line < lines; line++) {
    const next = piece.indexOf('\n', end + 1);
    if (next < 0) break;
    end = next;
  }
  const middle = piece.slice(cut, end);
  if (middle.trim() === '') return undefined;
  return `<|fim_prefix|>${piece.slice(0, cut)}<|fim_suffix|>${piece.slice(end)}<|fim_middle|>${middle}`;
}

async function main(): Promise<void> {
  const random = new Random(SEED);
  const rows: Row[] = [];
  const bytes = { document: 0, fill: 0, chat: 0 };
  const add = (sort: keyof typeof bytes, row: Row): void => {
    const size = Buffer.byteLength(row.text);
    if (bytes[sort] + size > BYTES[sort]) return;
    bytes[sort] += size;
    rows.push(row);
  };
  const all: Row[] = [];
  for await (const row of readRows(join(CORPUS, 'train.jsonl'))) all.push(row);
  // Another order than that of the corpus, so that no package is preferred.
  const keyed = all.map((row) => ({ row, key: orderKey(`anneal/${row.path}`) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { row } of keyed) {
    if (row.kind === 'chat') {
      // Mostly the short problems: what reinforcement starts from must be solved now and then.
      const keep = row.path.includes('countdown-compact') ? 1 : 0.15;
      if (random.uniform() < keep) add('chat', row);
      continue;
    }
    // Small files before large ones cannot crowd them out: every file may give a piece.
    if (row.text.length < 20_000) add('document', row);
    const filled = fillText(row.text, random);
    if (filled !== undefined) add('fill', { ...row, path: `fill/${row.path}`, text: filled, control_tokens: true });
    for (let more = 0; more < Math.min(3, Math.floor(row.text.length / 8_000)); more++) {
      const again = fillText(row.text, random);
      if (again !== undefined)
        add('fill', { ...row, path: `fill/${row.path}/${more}`, text: again, control_tokens: true });
    }
  }
  const shuffled = rows.map((row) => ({ row, key: orderKey(`mixed/${row.path}`) }));
  shuffled.sort((a, b) => (a.key < b.key ? -1 : 1));
  await writeRows(
    join(CORPUS, 'anneal.jsonl'),
    shuffled.map(({ row }) => row),
  );
  process.stdout.write(`${JSON.stringify({ rows: rows.length, ...bytes })}\n`);
}

if (process.argv[1]?.endsWith('anneal-data.ts')) await main();
