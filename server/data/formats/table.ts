/** Rows of tables in text: values between commas (or semicolons), or between tabs. */
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { Columns } from '../../schemas/columns.ts';
import { utf8Of } from '../bytes.ts';
import { dataErrors } from '../errors.ts';
import { mostColumns } from '../row-reader.ts';

/** A row of a table, or what is wrong with it. */
export interface TableRow {
  /** Line it begins on, from 1. */
  readonly number: number;
  readonly columns: Columns | Error;
}

/** The text of a file. Throws `data.notUtf8` with the line. */
async function* textOf(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  const decode = (chunk?: Buffer): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw dataErrors.notUtf8(file, line, 'rows');
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

/**
 * Tables from countries that write 1,5 have semicolons, others tabs or bars: the names in the first line tell.
 *
 * @throws data.tooManyColumns, which are seen here before the parser makes an object of each row
 */
async function separatorOf(file: string, tabs: boolean): Promise<string> {
  for await (const text of textOf(file)) {
    const [head] = text.split('\n', 1);
    const separator = tabs ? '\t' : ([',', ';', '\t', '|'].find((each) => head.includes(each)) ?? ',');
    if (head.split(separator, mostColumns + 1).length > mostColumns)
      throw dataErrors.tooManyColumns(file, 1, mostColumns);
    return separator;
  }
  return tabs ? '\t' : ',';
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
  const delimiter = await separatorOf(file, tabs);
  const bad: TableRow[] = [];
  const toError = (error: CsvError) =>
    error.code === 'CSV_MAX_RECORD_SIZE'
      ? dataErrors.lineTooLong(file, Number(error.lines), limit, 'rows')
      : dataErrors.brokenTable(file, Number(error.lines), error.message.replace(/\.$/, ''));
  const parser = parse({
    bom: true,
    columns: (names: string[]) => names.map((name) => name.trim()),
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
