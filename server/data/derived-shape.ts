/** What a published shape is read into, and what all of them look for in a row. */
import { parseJson } from '../jinja/json-text.ts';
import { type Columns, columnAt } from '../schemas/columns.ts';
import { type Message, messagesFrom } from './conversation.ts';
import type { Part } from './rows.ts';

/** What a row says, by role, and the columns it was made of. */
export interface Derived {
  readonly parts?: readonly Part[];
  readonly prompt?: string | Message[];
  readonly response?: string;
  readonly rejected?: string;
  readonly answer?: string | readonly string[];
  readonly messages?: readonly Message[];
  readonly from: Readonly<Record<string, string>>;
}

export interface DerivedShape {
  readonly name: string;
  /** Columns that begin it, to be named where a later row lacks them. */
  readonly columns: readonly string[];
  /** Whether later rows may be of another shape, and are then read by their columns. */
  readonly loose?: true;
  /** Undefined for a row that is not of this shape. */
  derive(row: Columns): Derived | undefined;
}

export const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
export const isObject = (value: unknown): value is Columns =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The first of `names` that holds a text or a conversation. */
export function asked(
  row: Columns,
  names: readonly string[],
): { value: string | Message[]; column: string } | undefined {
  for (const column of names) {
    const value = columnAt(row, column);
    if (isText(value)) return { value, column };
    const talk = Array.isArray(value) ? messagesFrom(value) : undefined;
    if (talk !== undefined) return { value: talk, column };
  }
  return undefined;
}

export const questions = [
  'prompt',
  'instruction',
  'question',
  'question.full_text',
  'history',
  'context',
  'query',
  'input',
];

/** A list as it is, or as JSON in a text; undefined for anything else. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (!isText(value) || !/^\s*\[/.test(value)) return undefined;
  try {
    const parsed: unknown = parseJson(value, ['arguments']);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
