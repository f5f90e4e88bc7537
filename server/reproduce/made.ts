/**
 * Data that experiments make. Of text: beginnings to go on from, such with the first word that does go on, and preferences between
 * the lines that do go on and lines whose words are in no order, or the first of those lines alone, which a flawed judge may prefer.
 * Of countdown: preferences between answers that are right and such as are not, and answers of which few have the form that is
 * asked for.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { Countdown } from '../data/generators/countdown.ts';
import { evaluateFlat } from '../data/generators/expression.ts';
import { readRows } from '../data/sources.ts';
import { firstWord } from '../evaluate/choice/agreement.ts';
import { Random } from '../random.ts';

const text = z.strictObject({ workspace: z.string().min(1), globs: z.array(z.string().min(1)).min(1) });

const rows = z.int().positive().max(100_000);
/** Which places or problems: others than those of another part. */
const part = z.int().min(0).default(0);

const ofText = z.strictObject({
  kind: z.enum(['preferences', 'beginnings', 'words']),
  text,
  rows,
  /** Lines before an answer, and lines in one. */
  before: z.int().positive().default(4),
  lines: z.int().positive().default(2),
  part,
  /** Of preferences: the share in which the lines that do go on stand against the first of them alone, and which is preferred. */
  cut: z.strictObject({ share: z.number().min(0).max(1), preferred: z.enum(['whole', 'first']) }).optional(),
});
const ofCountdown = z.strictObject({
  kind: z.literal('solutions'),
  rows,
  part,
  /** Least and largest number of a problem. */
  numbers: z.tuple([z.int().min(1), z.int().max(99)]).default([1, 25]),
});

const ofThoughts = z.strictObject({
  kind: z.literal('thoughts'),
  rows,
  part,
  numbers: z.tuple([z.int().min(1), z.int().max(99)]).default([1, 20]),
  /** Share of answers in the form that is asked for, thoughts and expression in tags; the others are the expression alone. */
  tagged: z.number().min(0).max(1),
});

export const madeData = z.union([ofText, ofCountdown, ofThoughts]);
export type MadeData = z.infer<typeof madeData>;
type TextData = z.infer<typeof ofText>;

const longestLine = 100;
const triesForARow = 20;
const compactOperators = ['+', '-', '*'] as const;

/** @param folder that the folder of the text is relative to @returns rows as JSON lines */
export async function makeRows(made: MadeData, folder: string, seed: number): Promise<string> {
  const random = new Random(seed * 1000 + made.part);
  const all = await rowsOf(made, folder, random);
  return all.map((row) => `${JSON.stringify(row)}\n`).join('');
}

function rowsOf(made: MadeData, folder: string, random: Random): readonly object[] | Promise<readonly object[]> {
  if (made.kind === 'solutions') return solutions(made, random);
  return made.kind === 'thoughts' ? thoughts(made, random) : textRows(made, folder, random);
}

/** Problems in the words of the paper's form, and answers of which few have it. */
function thoughts({ rows: count, numbers, tagged }: z.infer<typeof ofThoughts>, random: Random) {
  const problems = new Countdown({ count: [3, 3], numbers, seed: random.uint32() });
  return Array.from({ length: count }, () => {
    const { prompt, response } = problems.next();
    if (random.uniform() < tagged) return { prompt, response };
    return { prompt, response: (/<answer>(.*)<\/answer>/.exec(response) as RegExpExecArray)[1].trim() };
  });
}

/** Answers of the compact form: right ones, and others with the same numbers, which say that they reach the target. */
function solutions({ rows: count, numbers }: z.infer<typeof ofCountdown>, random: Random) {
  const problems = new Countdown({ format: 'compact', numbers, seed: random.uint32() });
  return Array.from({ length: count }, () => {
    const { prompt, response, target, numbers: given } = problems.next();
    for (;;) {
      const order = [...random.permutation(given.length)].map((i) => given[i]);
      const signs = order.slice(1).map(() => compactOperators[random.integer(compactOperators.length)]);
      if (evaluateFlat(order, signs) === target) continue;
      const padded = (n: number) => String(n).padStart(String(numbers[1]).length, '0');
      const written = order.map((n, i) => (i === 0 ? '' : signs[i - 1]) + padded(n)).join('');
      return { prompt, chosen: response, rejected: `${written}=${target}\n` };
    }
  });
}

async function textRows(made: TextData, folder: string, random: Random) {
  const root = resolve(folder, made.text.workspace);
  const files: string[][] = [];
  for await (const row of readRows({ kind: 'workspace', root, globs: made.text.globs })) {
    if (row.kind !== 'text') continue;
    const lines = row.text.split('\n').filter((line) => line.trim() !== '' && line.length <= longestLine);
    if (lines.length > made.before + made.lines) files.push(lines);
  }
  if (made.kind !== 'words') return Array.from({ length: made.rows }, () => rowOf(made, files, random));
  // No place twice, so that none that is learned from is held out. Of a text that has too few there are fewer.
  const rows = new Map<string, ReturnType<typeof rowOf>>();
  for (let draw = 0; draw < triesForARow * made.rows && rows.size < made.rows; draw++) {
    const row = rowOf(made, files, random);
    if (!rows.has(row.prompt)) rows.set(row.prompt, row);
  }
  return [...rows.values()];
}

function rowOf({ kind, before, lines, cut }: TextData, files: readonly (readonly string[])[], random: Random) {
  const { start, end } = placeIn(files, before, lines, random);
  if (kind === 'beginnings') return { prompt: start };
  // Without its last line end: tokens have one and the indentation behind it together.
  if (kind === 'words') return { prompt: start.slice(0, -1), answer: firstWord(end) };
  const bad = disordered(placeIn(files, before, lines, random).end, random);
  if (cut === undefined || random.uniform() >= cut.share) return { prompt: start, chosen: end, rejected: bad };
  const first = end.slice(0, end.indexOf('\n') + 1);
  const [chosen, rejected] = cut.preferred === 'first' ? [first, end] : [end, first];
  return { prompt: start, chosen, rejected };
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
