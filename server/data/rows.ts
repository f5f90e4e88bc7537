/** Rows of a data set, whatever file they came from. */
import { ColaError } from '../errors.ts';
import type { Columns } from '../schemas/columns.ts';
import type { Message } from './conversation.ts';

/** What somebody wrote, without the columns it came from. */
export type Written =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'prompt'; readonly prompt: string; readonly response?: string }
  | { readonly kind: 'chat'; readonly messages: readonly Message[] };

/** A piece of a text, and whether it is learned or only read. */
export interface Part {
  readonly text: string;
  readonly learned: boolean;
}

interface AnyRow {
  /** Of a preference: the same with the answer that was not preferred. */
  readonly rejected?: Written;
  /** Columns that have no role of their own, as they were. */
  readonly columns: Columns;
}
export interface TextRow extends AnyRow {
  readonly kind: 'text';
  readonly text: string;
  /** The same text in parts, where not all of it is learned. Control tokens are written out in them. */
  readonly parts?: readonly Part[];
}
export interface PromptRow extends AnyRow {
  readonly kind: 'prompt';
  readonly prompt: string;
  /** What the model should say after the prompt, to be learned by heart. */
  readonly response?: string;
  /** The right result, for a reward to compare with; several where any of them is right. */
  readonly answer?: string | readonly string[];
}
export interface ChatRow extends AnyRow {
  readonly kind: 'chat';
  readonly messages: readonly Message[];
  readonly answer?: string | readonly string[];
  /** An episode: every turn of the assistant is learned, as an agent writes it, with a chat template or without. */
  readonly episode?: true;
}
export type Row = TextRow | PromptRow | ChatRow;

/** Where rows come from, beside them: a row is what it holds, wherever it stands. */
const places = new WeakMap<Row, string>();

/**
 * Whether text of a row that spells a control token is that token: only where the row says so with `"control_tokens": true`,
 * or is in parts, which stand for what a template would write. A document that mentions `<|im_end|>` is no end of a turn.
 */
export function hasControlTokens(row: Row): boolean {
  return row.columns.control_tokens === true || (row.kind === 'text' && row.parts !== undefined);
}

/** File and line that a row was read from; undefined for one that was made up. */
export const placeOf = (row: Row): string | undefined => places.get(row);

/** Notes where a row comes from. @returns the row */
export function placed<T extends Row>(row: T, place: string | undefined): T {
  if (place !== undefined) places.set(row, place);
  return row;
}

/** The right answer of a row, the first of several. */
export function answerOf({ answer }: Pick<PromptRow, 'answer'>): string | undefined {
  return typeof answer === 'string' ? answer : answer?.[0];
}

/** Errors about a single row, which others can be used without. */
const rowError = /^(?:data|chat)\.|^train\.promptTooLong$/;

/** Rows that are named of each reason. */
const namedRows = 3;

/** Counts the rows of a data set, and those left out with their reasons. */
export class RowReport {
  used = 0;
  /** Error id -> number of rows left out for it. */
  readonly skipped = new Map<string, number>();
  /** Error id -> the first such rows, in words. */
  readonly examples = new Map<string, string>();

  /** Counts a row as left out, if `error` is about a row at all; throws it otherwise. */
  skip(error: unknown): void {
    if (!(error instanceof ColaError) || !rowError.test(error.id)) throw error;
    this.skipped.set(error.id, (this.skipped.get(error.id) ?? 0) + 1);
    if ((this.skipped.get(error.id) ?? 0) > namedRows) return;
    const before = this.examples.get(error.id);
    this.examples.set(error.id, before === undefined ? error.message : `${before} ${error.message}`);
  }

  copy(): RowReport {
    const copy = new RowReport();
    copy.used = this.used;
    for (const [id, count] of this.skipped) copy.skipped.set(id, count);
    for (const [id, words] of this.examples) copy.examples.set(id, words);
    return copy;
  }

  /** {@link skip} for a row that was counted as used. */
  drop(error: unknown): void {
    this.skip(error);
    this.used--;
  }

  /** How many rows were left out for which reason, in words; empty if none. */
  describe(): string {
    return [...this.skipped].map(([id, count]) => `${count} x ${id}: ${this.examples.get(id)}`).join('; ');
  }
}
