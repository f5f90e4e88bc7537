/** What a file of rows holds, for somebody who is about to train on it: its first rows, how they are read, what fits. */
import { basename } from 'node:path';
import { ColaError } from '../errors.ts';
import { type Columns, columnAt, columnNames } from '../schemas/columns.ts';
import { DEFAULT_LINE_LIMIT } from './lines.ts';
import { holdsRows, readRecords } from './records.ts';
import { readRow, refusePiece } from './row-reader.ts';
import { answerOf, type Row } from './rows.ts';
import { type ColumnMap, type ColumnPlan, guess, planOfMap, recognise } from './shapes.ts';

/** Rewards that can judge rows of a file. */
export type FittingReward = 'numeric' | 'maths' | 'code' | 'exact' | 'similarity' | 'countdown';

export interface Inspection {
  /** What the shape is known by; null where it is none that is known. */
  readonly shape: string | null;
  /** Which column plays which role; a guess where the shape is not known. */
  readonly map: Record<string, string>;
  /** Whether the rows are read so without the mapping. */
  readonly implied: boolean;
  readonly columns: string[];
  /** The first rows as they are read. */
  readonly rows: { readonly asks: string; readonly says: string; readonly right: string }[];
  /** Rewards that fit, the best first; none where there is no right answer. */
  readonly rewards: FittingReward[];
  /** Rows that cannot be used, among those looked at, and what is wrong with the first of them. */
  readonly broken: { readonly rows: number; readonly of: number; readonly first: string } | null;
}

const shownRows = 20;
const shownCharacters = 400;
/** Rows that are looked at in any case, and milliseconds in which broken ones are looked for behind them. */
const always = 200;
const patience = 120;

interface Look {
  /** The first rows as objects. */
  readonly first: Columns[];
  readonly broken: Inspection['broken'];
}

/** Looks through a file. Throws `data.*` where not even one row can be read. */
async function lookThrough(file: string): Promise<Look> {
  const first: Columns[] = [];
  const began = performance.now();
  let plan: ColumnPlan | undefined;
  let trouble: ColaError | undefined;
  let bad = 0;
  let seen = 0;
  const note = (error: unknown) => {
    if (!(error instanceof ColaError)) throw error;
    bad++;
    trouble ??= error;
  };
  try {
    for await (const { number, read } of readRecords(file, DEFAULT_LINE_LIMIT)) {
      seen++;
      try {
        const row = read();
        if (first.length === 0) refusePiece(row, file, number);
        if (first.length < shownRows) first.push(row);
        // In a shape that is not known the person says first what is what.
        plan ??= recognise(first[0])?.plan;
        if (plan !== undefined) readRow(row, plan, file, number);
      } catch (error) {
        note(error);
      }
      if (seen >= always && performance.now() - began > patience) break;
    }
  } catch (error) {
    note(error);
  }
  if (first.length === 0 && trouble !== undefined) throw trouble;
  return { first, broken: trouble === undefined ? null : { rows: bad, of: seen, first: trouble.message } };
}

/** Reads the first rows of a file. Undefined for a file that is a text. Throws `data.*` where it cannot be read at all. */
export async function inspectFile(file: string): Promise<Inspection | undefined> {
  if (!holdsRows(file)) return undefined;
  const { first, broken } = await lookThrough(file);
  return { ...inspectRows(first, basename(file)), broken };
}

/** {@link inspectFile} for rows that are at hand. @param file what to call it in errors */
export function inspectRows(rows: readonly Columns[], file: string): Inspection {
  const [first = {}] = rows;
  const known = recognise(first);
  const map = known === undefined ? guess(first) : {};
  const plan = known?.plan ?? planOfMap(map);
  const used: Record<string, string> = {};
  const note = (columns: ColumnMap) => {
    for (const [role, column] of Object.entries(columns)) if (column !== undefined) used[role] ??= column;
  };
  note(map);
  const read = rows.flatMap((row, i): Row[] => {
    try {
      if (plan === undefined) return [];
      const found = readRow(row, plan, file, i + 1);
      note(found.map);
      return [found.row];
    } catch (error) {
      if (error instanceof ColaError) return [];
      throw error;
    }
  });
  return {
    shape: known?.name ?? null,
    map: used,
    implied: known !== undefined,
    columns: columnNames(first),
    rows: read.map(shown),
    rewards: rewardsOf(read, rows),
    broken: null,
  };
}

const short = (text: string): string => (text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text);

function shown(row: Row): Inspection['rows'][number] {
  const right = short(row.kind === 'text' ? '' : (answerOf(row) ?? ''));
  if (row.kind === 'text') {
    const parts = row.parts ?? [{ text: row.text, learned: true }];
    const first = parts.findIndex((part) => part.learned);
    const cut = first < 0 ? parts.length : first;
    const joined = (of: typeof parts) => short(of.map(({ text }) => text).join(''));
    return { asks: joined(parts.slice(0, cut)), says: joined(parts.slice(cut)), right };
  }
  if (row.kind === 'prompt') return { asks: short(row.prompt), says: short(row.response ?? ''), right };
  const last = row.messages.at(-1);
  const answered = last?.role === 'assistant';
  const asked = answered ? row.messages.slice(0, -1) : row.messages;
  const asks = asked.map(({ role, content }) => `${role}: ${content}`).join('\n');
  return { asks: short(asks), says: short(answered ? last.content : ''), right };
}

/** Characters of an answer by which its kind is told: expressions take long for long texts. */
const lookedAt = 1000;
const number = /^[-+−]?[$€£]?\d[\d,]*(?:\.\d+)?\s?%?$/;
const maths = /\\(?:boxed|frac|sqrt|pi|text|left)\b|\$.+\$|[\^_]\{/;
/** A formula, and no sentence that has one in it. */
const isFormula = (text: string): boolean =>
  /^[-+\w\s*/^().=,]*[\^=][-+\w\s*/^().=,]*$/.test(text) && (text.match(/\b[A-Za-z]{2,}\b/g) ?? []).length < 3;
/** What a program checks (test cases, constraints), and no answer that somebody could give. */
const isCheck = (text: string): boolean =>
  /^\s*\{\s*"(?:inputs|outputs|fn_name|func_name|instruction_id_list)"/.test(text);
/** What the reward for code can run: JavaScript and TypeScript. */
const code = /^\s*(?:```(?:js|javascript|ts|typescript)\b|(?:export |async )*(?:function|const|let|var) [\w{[])/m;

/** Rewards by what the right answers look like. Most of them decide: a few odd ones are in every set. */
function rewardsOf(read: readonly Row[], rows: readonly Columns[]): FittingReward[] {
  const answers = read.flatMap((row) => (row.kind === 'text' ? [] : (answerOf(row)?.slice(0, lookedAt) ?? [])));
  const most = (test: (text: string) => boolean) =>
    answers.length > 0 && answers.filter(test).length >= 0.8 * answers.length;
  const tested = rows.some((row) => typeof (columnAt(row, 'tests') ?? undefined) === 'string');
  if (tested) return ['code', 'similarity'];
  const isCountdown = (row: Columns) => Array.isArray(row.nums ?? row.numbers) && typeof row.target === 'number';
  if (answers.length === 0) return rows.length > 0 && rows.every(isCountdown) ? ['countdown'] : [];
  if (most((text) => number.test(text.trim()))) return ['numeric', 'maths', 'exact'];
  if (most(isCheck)) return [];
  if (most((text) => maths.test(text) || isFormula(text) || number.test(text.trim())))
    return ['maths', 'exact', 'similarity'];
  if (most((text) => code.test(text))) return ['code', 'similarity', 'exact'];
  return most((text) => text.length <= 40) ? ['exact', 'similarity'] : ['similarity', 'exact'];
}
