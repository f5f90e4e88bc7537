/** Data sets as streams of rows, in constant memory. */

import { join } from 'node:path';
import { ColaError } from '../errors.ts';
import { mustBeWritten } from './authorship.ts';
import { dataErrors } from './errors.ts';
import { countLineEnds, DEFAULT_LINE_LIMIT, firstNotBlank, readPassages } from './lines.ts';
import { refuseOther } from './other-file.ts';
import { readRecords } from './records.ts';
import { decodeUtf8 } from './row-object.ts';
import { planFrom, planOf, rowFrom } from './row-reader.ts';
import { placed, type Row, RowReport } from './rows.ts';
import type { ColumnMap, ColumnPlan } from './shapes.ts';
import { listWorkspace } from './workspace.ts';

/** Where rows come from. */
export type Source =
  /** A file of rows: JSON lines, a JSON list, a table in text, Parquet. Without `columns` the first row decides what is what. */
  | { readonly kind: 'jsonl'; readonly file: string; readonly columns?: ColumnMap }
  /** Plain text: each file is a row, a large one several. */
  | { readonly kind: 'text'; readonly files: readonly string[] }
  /** The text files of a folder that match the patterns, without those that git ignores. */
  | {
      readonly kind: 'workspace';
      readonly root: string;
      readonly globs: readonly string[];
      /** Whether a file that is not UTF-8 ends the reading. Default false: it is left out. */
      readonly strict?: boolean;
    };

export interface ReadOptions {
  /** Leave out rows that cannot be used, and count them, instead of stopping at the first. Default false. */
  readonly skipBadRows?: boolean;
  /** Bytes of the longest line. Default 16 MiB. */
  readonly maxLineBytes?: number;
  /** Filled in while reading. */
  readonly report?: RowReport;
}

/** A text file is cut at the next line end after so many bytes, so that no row grows without bound. */
const TEXT_ROW_BYTES = 1024 * 1024;
/** Git's measure: a file with a zero byte near its start is not text. */
const BINARY_PROBE_BYTES = 8000;

/** The files a source reads, in order. */
export function sourceFiles(source: Source): string[] {
  switch (source.kind) {
    case 'jsonl':
      return [source.file];
    case 'text':
      return [...source.files];
    case 'workspace':
      return listWorkspace(source.root, source.globs).map((path) => join(source.root, path));
  }
}

/** What a source is called in errors about all of it. */
function sourceName(source: Source): string {
  return source.kind === 'jsonl' ? source.file : source.kind === 'workspace' ? source.root : source.files.join(', ');
}

/**
 * Every row of a source, in its order. Errors name file and line: `data.missingFile`, `data.emptyFile`, `data.brokenJson`,
 * `data.missingColumn`, `data.wrongType`, `data.lineTooLong`, `data.notUtf8` and so on, and `data.noUsableRows` at the end
 * where there was none.
 */
export async function* readRows(source: Source, options: ReadOptions = {}): AsyncGenerator<Row> {
  const report = options.report ?? new RowReport();
  const before = report.used;
  const rows =
    source.kind === 'jsonl'
      ? readRowFile(source.file, source.columns, options, report)
      : readTexts(source, options, report);
  for await (const row of rows) {
    report.used++;
    yield row;
  }
  if (report.used === before) throw dataErrors.noUsableRows(sourceName(source), report.describe());
}

async function* readRowFile(
  file: string,
  columns: ColumnMap | undefined,
  { skipBadRows = false, maxLineBytes = DEFAULT_LINE_LIMIT }: ReadOptions,
  report: RowReport,
): AsyncGenerator<Row> {
  let plan: ColumnPlan | undefined = columns === undefined ? undefined : planOf(columns);
  try {
    for await (const { number, read } of readRecords(file, maxLineBytes)) {
      let row: Row;
      try {
        const object = read();
        plan ??= planFrom(object, file, number);
        row = placed(rowFrom(object, plan, file, number), `${file}, line ${number}`);
      } catch (error) {
        if (!skipBadRows) throw error;
        report.skip(error);
        continue;
      }
      yield row;
    }
  } catch (error) {
    // Half a file is better than none only where rows may be left out.
    if (!skipBadRows || (report.used === 0 && report.skipped.size === 0)) throw error;
    report.skip(error);
  }
}

async function* readTexts(
  source: Source,
  { skipBadRows = false, maxLineBytes = DEFAULT_LINE_LIMIT }: ReadOptions,
  report: RowReport,
): AsyncGenerator<Row> {
  for (const file of sourceFiles(source)) {
    try {
      if (source.kind === 'workspace') await mustBeWritten(file);
      else await refuseOther(file, true);
      yield* readText(file, maxLineBytes);
    } catch (error) {
      if (!skipBadRows && !(source.kind === 'workspace' && isUsual(error, source.strict === true))) throw error;
      report.skip(error);
    }
  }
}

/** What folders hold as a matter of course: empty files and images, packed programs, old files in another encoding. */
function isUsual(error: unknown, strict: boolean): boolean {
  if (!(error instanceof ColaError)) return false;
  if (/^data\.(emptyFile|binaryFile|rowsFile|generatedFile|minifiedFile|lineTooLong)$/.test(error.id)) return true;
  return error.id === 'data.notUtf8' && !strict;
}

async function* readText(file: string, maxLineBytes: number): AsyncGenerator<Row> {
  let parts: Buffer[] = [];
  let size = 0;
  let first = 1;
  let blank = true;
  const finish = (): Row => {
    const text = decodeUtf8(Buffer.concat(parts), file, first, 'text');
    parts = [];
    size = 0;
    blank = true;
    return { kind: 'text', text, columns: { file } };
  };
  let seen = 0;
  let empty = true;
  for await (const { bytes, number } of readPassages(file, maxLineBytes)) {
    if (bytes === undefined) throw dataErrors.lineTooLong(file, number, maxLineBytes, 'text');
    if (seen < BINARY_PROBE_BYTES && bytes.subarray(0, BINARY_PROBE_BYTES - seen).includes(0))
      throw dataErrors.binaryFile(file);
    seen += bytes.length;
    for (let from = 0; from < bytes.length; ) {
      if (size === 0) first = number + countLineEnds(bytes.subarray(0, from));
      const said = blank ? firstNotBlank(bytes, from) : from;
      if (said < bytes.length) blank = false;
      // A row ends with the line in which it is long enough and has said something.
      const enough = Math.max(said, from + TEXT_ROW_BYTES - size - 1);
      const end = enough < bytes.length ? bytes.indexOf(0x0a, enough) : -1;
      const behind = end === -1 ? bytes.length : end + 1;
      parts.push(bytes.subarray(from, behind));
      size += behind - from;
      from = behind;
      if (end === -1) continue;
      empty = false;
      yield finish();
    }
  }
  if (!blank) {
    empty = false;
    yield finish();
  }
  if (empty) throw dataErrors.emptyFile(file);
}
