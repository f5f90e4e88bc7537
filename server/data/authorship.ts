/** Whether a text file of a folder was written by a person, as a text: nobody should learn to write like a bundler. */
import { basename, extname } from 'node:path';
import { firstBytes } from './bytes.ts';
import { dataErrors } from './errors.ts';

const generatedNames = [
  /\.min\.\w+$/i,
  /\.(?:map|lock|snap|tsbuildinfo)$/i,
  /^(?:package-lock|npm-shrinkwrap|packages\.lock)\.json$/i,
  /^(?:pnpm-lock|pubspec\.lock)\.ya?ml$/i,
  /^(?:go\.sum|bun\.lockb?)$/i,
  /\.(?:pb\.(?:go|cc|h)|g\.dart|freezed\.dart|designer\.cs)$/i,
  /_pb2(?:_grpc)?\.pyi?$/i,
];

/** Where whole paragraphs stand on one line, and nobody says that a file was generated. */
const prose = new Set(['.md', '.mdx', '.txt', '.rst', '.tex', '.adoc', '.org']);

/** What generators write into a comment at the head of a file. */
const comment = /^\s*(?:\/\/|\/\*|\*|#|<!--|--|;|%|"""|''')/;
const header =
  /@generated\b|\bdo not (?:edit|modify)\b|\b(?:auto(?:matically)?[- ]?|code )generated\b|\bthis file (?:is|was) generated\b/i;
const headerLines = 15;

const headBytes = 256 * 1024;
/** Bytes of a line that nobody writes by hand. */
const longestLine = 5000;

/** Rows for programs: as a text they teach braces and quotes. */
const rows = /\.(?:jsonl|ndjson)$/i;

/** Throws `data.rowsFile`, `data.generatedFile`, `data.minifiedFile`, `data.missingFile`. */
export async function mustBeWritten(file: string): Promise<void> {
  if (rows.test(file)) throw dataErrors.rowsFile(file);
  if (generatedNames.some((name) => name.test(basename(file)))) throw dataErrors.generatedFile(file);
  if (prose.has(extname(file).toLowerCase())) return;
  const lines = (await firstBytes(file, headBytes)).toString('latin1').split('\n');
  if (lines.slice(0, headerLines).some((line) => comment.test(line) && header.test(line)))
    throw dataErrors.generatedFile(file);
  if (lines.some(({ length }) => length > longestLine)) throw dataErrors.minifiedFile(file, longestLine);
}
