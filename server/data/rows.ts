/** Rows of a data set, and how a line of JSON becomes one. */
import { z } from 'zod';
import { ColaError } from '../errors.ts';
import { dataErrors } from './errors.ts';

/** Columns of the JSON object that have no role of their own, as they were. */
export type Columns = Readonly<Record<string, unknown>>;

export interface TextRow {
  readonly kind: 'text';
  readonly text: string;
  readonly columns: Columns;
}
export interface PromptRow {
  readonly kind: 'prompt';
  readonly prompt: string;
  /** What the model should say after the prompt, to be learned by heart. */
  readonly response?: string;
  /** The right result, for a reward to compare with. */
  readonly answer?: string;
  readonly columns: Columns;
}
export interface ChatRow {
  readonly kind: 'chat';
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly columns: Columns;
}
export type Row = TextRow | PromptRow | ChatRow;

/**
 * Whether text of a row that spells a control token is that token: only where the row says so with `"control_tokens": true`.
 * A document that mentions `<|im_end|>` is no end of a turn.
 */
export function hasControlTokens(row: Row): boolean {
  return row.columns.control_tokens === true;
}

/** Which column of a file plays which role. Exactly one of `text`, `prompt` and `messages`. */
export const columnMap = z
  .strictObject({
    text: z.string().optional(),
    prompt: z.string().optional(),
    response: z.string().optional(),
    answer: z.string().optional(),
    messages: z.string().optional(),
  })
  .readonly();
export type ColumnMap = z.infer<typeof columnMap>;

type Role = keyof ColumnMap;

/** Roles with their columns, and those that every row must have. */
export interface ColumnPlan {
  readonly columns: ColumnMap;
  readonly required: ReadonlySet<Role>;
}

/** The plan for a named mapping: every column it names must be there. Throws `data.ambiguousColumns`. */
export function planOf(columns: ColumnMap): ColumnPlan {
  const roles = (Object.keys(columns) as Role[]).filter((role) => columns[role] !== undefined);
  if (roles.filter((role) => role !== 'response' && role !== 'answer').length !== 1)
    throw dataErrors.ambiguousColumns();
  return { columns, required: new Set(roles) };
}

/** The plan for a file without a mapping, from the names its first row has. Throws `data.unknownColumns`. */
export function planFrom(first: Columns, file: string, line: number): ColumnPlan {
  if (Object.hasOwn(first, 'messages')) return { columns: { messages: 'messages' }, required: new Set(['messages']) };
  if (Object.hasOwn(first, 'prompt')) {
    return { columns: { prompt: 'prompt', response: 'response', answer: 'answer' }, required: new Set(['prompt']) };
  }
  if (Object.hasOwn(first, 'text')) return { columns: { text: 'text' }, required: new Set(['text']) };
  throw dataErrors.unknownColumns(file, line, Object.keys(first));
}

const typeOf = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`;

/** The text of a line. Throws `data.notUtf8`. */
export function decodeUtf8(bytes: Uint8Array, file: string, line: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw dataErrors.notUtf8(file, line);
  }
}

/** The object on a line of JSON. Throws `data.notUtf8`, `data.brokenJson`, `data.notAnObject`. */
export function parseObject(bytes: Uint8Array, file: string, line: number): Columns {
  const text = decodeUtf8(bytes, file, line);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw dataErrors.brokenJson(file, line, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw dataErrors.notAnObject(file, line);
  return value as Columns;
}

const messages = z.array(z.object({ role: z.string().min(1), content: z.string() })).min(1);

/**
 * The row an object stands for. Throws `data.missingColumn`, `data.wrongType`, `data.emptyText`.
 *
 * @param plan which column plays which role
 */
export function rowFrom(object: Columns, plan: ColumnPlan, file: string, line: number): Row {
  const { columns, required } = plan;
  const value = (role: Role): unknown => {
    const column = columns[role];
    if (column === undefined) return undefined;
    const found = Object.hasOwn(object, column) ? object[column] : undefined;
    // A null in an optional column is as good as none.
    if (found === undefined || (found === null && !required.has(role))) {
      if (required.has(role)) throw dataErrors.missingColumn(file, line, column, Object.keys(object));
      return undefined;
    }
    return found;
  };
  const text = (role: Role): string | undefined => {
    const found = value(role);
    if (found === undefined) return undefined;
    // Results are often written as numbers.
    if (role === 'answer' && typeof found === 'number') return String(found);
    if (typeof found !== 'string')
      throw dataErrors.wrongType(file, line, columns[role] ?? role, 'a string', typeOf(found));
    if (found === '' && role !== 'response') throw dataErrors.emptyText(file, line, columns[role] ?? role);
    return found;
  };
  const taken = new Set(Object.values(columns));
  const rest = Object.fromEntries(Object.entries(object).filter(([column]) => !taken.has(column)));
  const whole = text('text');
  if (whole !== undefined) return { kind: 'text', text: whole, columns: rest };
  const prompt = text('prompt');
  if (prompt !== undefined) {
    const response = text('response');
    const answer = text('answer');
    return {
      kind: 'prompt',
      prompt,
      ...(response === undefined ? {} : { response }),
      ...(answer === undefined ? {} : { answer }),
      columns: rest,
    };
  }
  const found = value('messages');
  const parsed = messages.safeParse(found);
  if (!parsed.success) {
    throw dataErrors.wrongType(file, line, columns.messages ?? 'messages', 'a list of {role, content}', typeOf(found));
  }
  return { kind: 'chat', messages: parsed.data, columns: rest };
}

/** Counts the rows of a data set, and those left out with their reasons. */
export class RowReport {
  used = 0;
  /** Error id -> number of rows left out for it. */
  readonly skipped = new Map<string, number>();
  /** Error id -> the first such row, in words. */
  readonly examples = new Map<string, string>();

  /** Counts a row as left out, if `error` is about a row at all; throws it otherwise. */
  skip(error: unknown): void {
    if (!(error instanceof ColaError) || !error.id.startsWith('data.')) throw error;
    this.skipped.set(error.id, (this.skipped.get(error.id) ?? 0) + 1);
    if (!this.examples.has(error.id)) this.examples.set(error.id, error.message);
  }

  /** How many rows were left out for which reason, in words; empty if none. */
  describe(): string {
    return [...this.skipped].map(([id, count]) => `${count} x ${id}: ${this.examples.get(id)}`).join('; ');
  }
}
