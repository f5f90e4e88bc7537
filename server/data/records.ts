/** Rows of a file as objects with named columns, whatever the file's format. */

import { ColaError } from '../errors.ts';
import type { Columns } from '../schemas/columns.ts';
import { utf8Of } from './bytes.ts';
import { dataErrors } from './errors.ts';
import { readList } from './formats/json-list.ts';
import { readWhole } from './formats/json-whole.ts';
import { isParquet, readParquet } from './formats/parquet.ts';
import { readTable } from './formats/table.ts';
import { firstNotBlank, isBlank, readLines } from './lines.ts';
import { refuseOther } from './other-file.ts';
import { columnsOf, parseObject } from './row-object.ts';

/** One row of a file. */
export interface FileRecord {
  /** Its line, from 1; in Parquet its row. */
  readonly number: number;
  /** Throws `data.*` where it cannot be used. */
  read(): Columns;
}

const rowFile = /\.(jsonl|ndjson|json|csv|tsv|parquet)(?:\.gz)?$/i;

/** Whether a file holds rows and not a text, by its name. */
export const holdsRows = (file: string): boolean => rowFile.test(file);

/** What begins a file, white space aside, to tell a list of rows from lines. */
const headBytes = 64 * 1024;

async function headOf(file: string): Promise<string> {
  for await (const chunk of utf8Of(file))
    return chunk
      .subarray(0, headBytes)
      .toString('utf8')
      .replace(/^\ufeff/, '');
  return '';
}

/** Whether a file has several lines with an object or a list each; of one alone nothing can be said. */
async function isLines(file: string, limit: number): Promise<boolean> {
  let first: number | undefined;
  for await (const { bytes } of readLines(file, { limit, skipBlank: true })) {
    if (bytes === undefined) return first !== undefined;
    const at = firstNotBlank(bytes, 0);
    if (at === bytes.length) continue;
    // An object behind a list is one too many.
    if (first !== undefined) return bytes[at] === first;
    try {
      JSON.parse(bytes.toString('utf8'));
    } catch {
      return false;
    }
    first = bytes[at];
  }
  return false;
}

type Format = 'lines' | 'old lines' | 'list' | 'csv' | 'tsv' | 'parquet';

async function formatOf(file: string, limit: number): Promise<Format> {
  if (await isParquet(file)) return 'parquet';
  const ending = rowFile.exec(file)?.[1].toLowerCase();
  if (ending === 'csv' || ending === 'tsv' || ending === 'parquet') return ending;
  const head = await headOf(file);
  const list = /^\s*\[\s*(?:[{\]]|$)/.test(head) || (ending === 'json' && /^\s*[{[]/.test(head));
  if (list && !(await isLines(file, limit))) return 'list';
  // As the first computers of Apple ended lines.
  return !head.includes('\n') && /\}\s*\r\s*\{/.test(head) ? 'old lines' : 'lines';
}

/** The rows of a file of JSON, which are not yet parsed where they stand in lines or in a list. */
async function* readJson(
  file: string,
  limit: number,
  format: Format,
): AsyncGenerator<{ number: number; bytes: Buffer | undefined } | { number: number; value: unknown }> {
  if (format !== 'list') {
    yield* readLines(file, { limit, skipBlank: true, ends: format === 'lines' ? '\n' : '\r' });
    return;
  }
  try {
    yield* readList(file, limit);
  } catch (error) {
    if (!(error instanceof ColaError) || error.id !== 'data.noRows') throw error;
    const rows = await readWhole(file);
    if (rows === undefined) throw error;
    for (const [i, value] of rows.entries()) yield { number: i + 1, value };
  }
}

/**
 * Every row of a file in its order: JSON lines, a JSON list (also under a key of an object), tables in text, Parquet; the
 * first three also packed with gzip.
 *
 * @param limit bytes of the longest row
 * Throws `data.*` where nothing behind can be read any more, `data.emptyFile` where there is nothing.
 */
export async function* readRecords(file: string, limit: number): AsyncGenerator<FileRecord> {
  await refuseOther(file, false);
  const format = await formatOf(file, limit);
  switch (format) {
    case 'lines':
    case 'old lines':
    case 'list': {
      let empty = true;
      for await (const row of readJson(file, limit, format)) {
        const { number } = row;
        if ('value' in row) {
          empty = false;
          yield { number, read: () => columnsOf(row.value, file, number) };
          continue;
        }
        const { bytes } = row;
        if (bytes !== undefined && isBlank(bytes)) continue;
        empty = false;
        const read = () => {
          if (bytes === undefined) throw dataErrors.lineTooLong(file, number, limit, 'rows');
          return parseObject(bytes, file, number);
        };
        yield { number, read };
      }
      if (empty) throw dataErrors.emptyFile(file);
      return;
    }
    case 'csv':
    case 'tsv':
      for await (const { number, columns } of readTable(file, format === 'tsv', limit)) {
        const read = () => {
          if (columns instanceof ColaError) throw columns;
          return columnsOf(columns, file, number);
        };
        yield { number, read };
      }
      return;
    case 'parquet':
      for await (const { number, columns } of readParquet(file))
        yield { number, read: () => columnsOf(columns, file, number) };
  }
}
