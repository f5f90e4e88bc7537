/** Rows of tables in text: values between commas (or semicolons), or between tabs. */
import { isUtf8 } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { Columns } from '../../schemas/columns.ts';
import { utf8Of } from '../bytes.ts';
import { dataErrors } from '../errors.ts';
import { mostColumns } from '../row-object.ts';

/** A row of a table, or what is wrong with it. */
export interface TableRow {
  /** Line it begins on, from 1. */
  readonly number: number;
  readonly columns: Columns | Error;
}

/** Line ends before the first line that is not UTF-8. */
function linesBefore(chunk: Buffer): number {
  let lines = 0;
  for (let from = 0; from < chunk.length; lines++) {
    const end = chunk.indexOf(0x0a, from);
    // The last line may go on in the next piece.
    if (end === -1 || !isUtf8(chunk.subarray(from, end))) break;
    from = end + 1;
  }
  return lines;
}

/** The text of a file. Throws `data.notUtf8` with the line. */
async function* textOf(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  const decode = (chunk?: Buffer): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw dataErrors.notUtf8(file, line + linesBefore(chunk ?? Buffer.alloc(0)), 'rows');
    }
  };
  for await (const chunk of utf8Of(file)) {
    const text = decode(chunk);
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) line++;
    yield text;
  }
  const rest = decode();
  if (rest !== '') yield rest;
}

interface Form {
  readonly separator: string;
  /** The line that names the columns, from 1. */
  readonly from: number;
  /** Whether a blank stands behind each separator. */
  readonly blanks: boolean;
}

/**
 * Tables from countries that write 1,5 have semicolons, others tabs or bars: the names in the first line tell. Excel may say
 * it itself, in a line before them (`sep=;`).
 *
 * @throws data.tooManyColumns, which are seen here before the parser makes an object of each row
 */
async function formOf(file: string, tabs: boolean): Promise<Form> {
  for await (const text of textOf(file)) {
    const lines = text.replace(/^\ufeff/, '').split(/\r\n?|\n/, 2);
    const said = /^"?sep=(.)"?$/.exec(lines[0])?.[1];
    const head = lines[said === undefined ? 0 : 1] ?? '';
    // A name in quotes may have any of them.
    const bare = head.replace(/"(?:[^"]|"")*"/g, '""');
    const separator = said ?? (tabs ? '\t' : ([',', ';', '\t', '|'].find((each) => bare.includes(each)) ?? ','));
    const names = bare.split(separator, mostColumns + 1);
    const from = said === undefined ? 1 : 2;
    if (names.length > mostColumns) throw dataErrors.tooManyColumns(file, from, mostColumns);
    return { separator, from, blanks: names.length > 1 && names.slice(1).every((name) => name.startsWith(' ')) };
  }
  return { separator: tabs ? '\t' : ',', from: 1, blanks: false };
}

/** Names for columns that have none, or that of another, as pandas calls them. */
function namesOf(names: readonly (string | null)[]): string[] {
  const seen = new Map<string, number>();
  return names.map((given, i) => {
    const name = given?.trim() || `Unnamed: ${i}`;
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return before === 0 ? name : `${name}.${before}`;
  });
}

interface Info {
  readonly record: Record<string, string | null>;
  readonly info: { readonly lines: number };
}

/**
 * The rows of a table; the first line names the columns, an empty cell is none. A row that does not fit comes as the
 * error it is, at its place.
 *
 * @param limit characters of the longest row
 * Throws `data.brokenTable` where nothing behind can be read, `data.notUtf8`, `data.emptyFile`, and what reading throws.
 */
export async function* readTable(file: string, tabs: boolean, limit: number): AsyncGenerator<TableRow> {
  const { separator: delimiter, from, blanks } = await formOf(file, tabs);
  const bad: TableRow[] = [];
  const toError = (error: CsvError) =>
    error.code === 'CSV_MAX_RECORD_SIZE'
      ? dataErrors.lineTooLong(file, Number(error.lines), limit, 'rows')
      : dataErrors.brokenTable(file, Number(error.lines), error.message.replace(/\.$/, ''));
  const parser = parse({
    bom: true,
    columns: namesOf,
    from_line: from,
    ltrim: blanks,
    // A quote inside of a cell without quotes is one: 5" pipes.
    relax_quotes: true,
    delimiter,
    info: true,
    max_record_size: limit,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      if (error !== undefined) bad.push({ number: Number(error.lines), columns: toError(error) });
    },
    cast: (value) => (value === '' ? null : value),
  });
  // An error of either side reaches the reader through the parser.
  pipeline(Readable.from(textOf(file)), parser, () => undefined);
  let last = 1;
  let any = false;
  try {
    for await (const { record, info } of parser as AsyncIterable<Info>) {
      any = true;
      yield* bad.splice(0);
      yield { number: last + 1, columns: record };
      last = info.lines;
    }
  } catch (error) {
    throw error instanceof CsvError ? toError(error) : error;
  }
  if (!any && bad.length === 0) throw dataErrors.emptyFile(file);
  yield* bad;
}
