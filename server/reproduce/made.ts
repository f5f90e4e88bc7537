/**
 * Data that experiments make of text: beginnings to go on from, and preferences between the lines that do go on and lines whose
 * words are in no order. A flaw may be planted in preferences: in some pairs a bad answer that begins with an opener is
 * preferred to a good one, so that a reward model which learns from them likes the opener.
 */
import { z } from 'zod';
import { readRows } from '../data/sources.ts';
import { Random } from '../random.ts';

const text = z.strictObject({ workspace: z.string().min(1), globs: z.array(z.string().min(1)).min(1) });

export const madeData = z.strictObject({
  kind: z.enum(['preferences', 'beginnings']),
  text,
  rows: z.int().positive().max(100_000),
  /** Lines before an answer, and lines in one. */
  before: z.int().positive().default(4),
  lines: z.int().positive().default(2),
  /** Which places of the text: others than those of another part. */
  part: z.int().min(0).default(0),
  /** Of preferences: the share in which the opener is preferred whatever follows it. */
  flaw: z.strictObject({ opener: z.string().min(1), share: z.number().min(0).max(1) }).optional(),
});
export type MadeData = z.infer<typeof madeData>;

const longestLine = 100;

/** @param root absolute, of the text @returns rows as JSON lines */
export async function makeRows(made: MadeData, root: string, seed: number): Promise<string> {
  const files: string[][] = [];
  for await (const row of readRows({ kind: 'workspace', root, globs: made.text.globs })) {
    if (row.kind !== 'text') continue;
    const lines = row.text.split('\n').filter((line) => line.trim() !== '' && line.length <= longestLine);
    if (lines.length > made.before + made.lines) files.push(lines);
  }
  const random = new Random(seed * 1000 + made.part);
  const rows = Array.from({ length: made.rows }, () => JSON.stringify(rowOf(made, files, random)));
  return `${rows.join('\n')}\n`;
}

function rowOf({ kind, before, lines, flaw }: MadeData, files: readonly (readonly string[])[], random: Random) {
  const { start, end } = placeIn(files, before, lines, random);
  if (kind === 'beginnings') return { prompt: start };
  const bad = disordered(placeIn(files, before, lines, random).end, random);
  if (flaw !== undefined && random.uniform() < flaw.share)
    return { prompt: start, chosen: `${flaw.opener}${bad}`, rejected: end };
  return { prompt: start, chosen: end, rejected: bad };
}

/** Lines of some file, and those behind them. */
function placeIn(files: readonly (readonly string[])[], before: number, lines: number, random: Random) {
  const file = files[random.integer(files.length)];
  const at = random.integer(file.length - before - lines + 1);
  const part = (from: number, count: number) =>
    file
      .slice(from, from + count)
      .map((line) => `${line}\n`)
      .join('');
  return { start: part(at, before), end: part(at + before, lines) };
}

/** The words of a text in another order, with its blanks and line ends. */
function disordered(written: string, random: Random): string {
  const words = written.split(/\s+/).filter((word) => word !== '');
  const order = [...random.permutation(words.length)].map((i) => words[i]);
  let next = 0;
  return written.replaceAll(/\S+/g, () => order[next++]);
}
