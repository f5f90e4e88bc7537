/** Errors of data sets. */
import { readdirSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { catalogue } from '../errors.ts';
import { meantPath } from '../files/meant.ts';
import { areRows, patternForm } from '../schemas/data-form.ts';
import { nearest } from '../schemas/issues.ts';
import { onOneLine } from '../schemas/right-form.ts';
import { taskMeant } from './generators/names.ts';

const at = (file: string, line: number): string => `${file}, line ${line}`;
const name = (file: string): string =>
  JSON.stringify(file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1));
/** How rows that cannot be used are left out, as it is written in a run spec. */
const skipping = (file: string): string => `{ jsonl: ${name(file)}, skip_bad_rows: true }`;
const skip = (file: string): string => `Correct the row, or leave such rows out: ${skipping(file)}.`;
const mapping = (file: string, map: string): string =>
  `Say in the run spec which column holds what, for example { jsonl: ${name(file)}, columns: ${map.includes(':') ? map : '{ prompt: question, response: reply }'} }. Without a run spec, rename the columns: prompt and response, or text.`;
const columnsOf = (have: readonly string[]): string => have.slice(0, 40).join(', ') || 'none at all';

/** Whether a cause is that there is nothing of that name. */
const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');

/** A file of nearly the same name in the same folder. */
function besides(file: string, base: string): string | undefined {
  if (!isAbsolute(file)) return undefined;
  try {
    return nearest(base, readdirSync(dirname(file)).slice(0, 1000));
  } catch {
    return undefined;
  }
}

/** What a path that leads nowhere was meant as; often it is none. */
function meantBy(file: string): string {
  const plain = meantPath(file);
  if (plain !== '') return plain;
  if (areRows([file])) return ' Rows are read from one file: put them together, as with cat *.jsonl > all.jsonl.';
  const form = patternForm(file);
  if (form !== undefined) return ` A pattern of files is written as ${onOneLine(form)}.`;
  const base = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
  const other = besides(file, base);
  if (other !== undefined) return ` There is ${JSON.stringify(other)} in that folder.`;
  const task = taskMeant(base);
  if (task !== undefined) return ` The task is called ${task}.`;
  return base.includes('.') ? '' : ' A data set of Hugging Face has to be downloaded first.';
}

export const dataErrors = catalogue('data', {
  missingFile: (file: string, cause: unknown) => [
    isMissing(cause) ? `There is no ${file}.` : `${file} cannot be read.`,
    isMissing(cause)
      ? `Check the path; in a run spec it counts from its folder, in a command from where you are.${meantBy(file)}`
      : 'Check that you may read the file.',
    cause,
  ],
  notPlain: (file: string) => [
    `${file} is a device, a pipe or a socket, which may have no end.`,
    'Write what it gives to a file, and name that.',
  ],
  otherFile: (file: string, what: string, way: string) => [`${file} is ${what}.`, `${way}`],
  noFiles: (folder: string, globs: readonly string[]) => [
    `No file in ${folder} matches ${globs.join(', ')}.`,
    `Check the patterns. ${globs.some((glob) => /^!?(?:\/|\.\.|~|[A-Za-z]:)|\\/.test(glob)) ? 'They count from that folder, with / between folders, and lead nowhere else. ' : ''}Files that .gitignore names are left out.`,
  ],
  emptyFile: (file: string) => [`${file} is empty.`, 'Choose a file with at least one row.'],
  brokenJson: (file: string, line: number, cause: unknown) => [
    `${at(file, line)} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}.`,
    skip(file),
    cause,
  ],
  notAnObject: (file: string, line: number) => [
    `${at(file, line)} is not a JSON object with named columns.`,
    skip(file),
  ],
  tooDeep: (file: string, line: number, limit: number) => [
    `${at(file, line)} has lists and objects inside of each other, more than ${limit} deep.`,
    skip(file),
  ],
  tooManyColumns: (file: string, line: number, limit: number) => [
    `${at(file, line)} has more than ${limit} columns.`,
    'Save the file with the columns that are to be learnt from.',
  ],
  noRows: (file: string, keys: readonly string[]) => [
    `${file} is one JSON object, and none of its keys holds a list of rows; it has ${columnsOf(keys)}.`,
    "Put the rows into a list of their own: [{…}, {…}], or one row a line; from pandas by df.to_json(path, orient='records', lines=True).",
  ],
  brokenTable: (file: string, line: number, detail: string) => [
    `${at(file, line)} does not fit the table: ${detail}.`,
    `Quote cells that have line ends, quotes or the separator in them, or leave such rows out: ${skipping(file)}.`,
  ],
  brokenParquet: (file: string, detail: string, cause?: unknown) => [
    `${file} cannot be read as Parquet: ${detail}.`,
    'Download or write the file again; if it stays so, save the rows as JSON lines.',
    cause,
  ],
  brokenArchive: (file: string, cause: unknown) => [
    `${file} cannot be unpacked.`,
    'Download or pack the file again, or unpack it by hand.',
    cause,
  ],
  unpacksTooLarge: (file: string, bytes: number) => [
    `${file} unpacks to more than ${Math.round(bytes / 2 ** 20)} MiB, which its size does not let expect.`,
    'Unpack it by hand if you trust where it comes from, and name the unpacked file.',
  ],
  tooLarge: (file: string, bytes: number) => [
    `${file} has more than ${Math.round(bytes / 2 ** 20)} MiB of rows, more than are kept in memory.`,
    'Split the file and name a part of it.',
  ],
  unknownColumns: (file: string, line: number, known: readonly string[], have: readonly string[], map: string) => [
    `${at(file, line)} has none of the columns that are known (${known.join(', ')} and others); it has ${columnsOf(have)}.`,
    mapping(file, map),
  ],
  notARow: (file: string, line: number, what: string, way: string) => [`${at(file, line)} is ${what}.`, `${way}`],
  missingColumn: (file: string, line: number, column: string, have: readonly string[], map: string) => [
    `${at(file, line)} has no column ${JSON.stringify(column)}; it has ${columnsOf(have)}.`,
    `${skip(file)} ${mapping(file, map)}`,
  ],
  wrongType: (file: string, line: number, column: string, expected: string, found: string) => [
    `${at(file, line)}: column ${JSON.stringify(column)} should be ${expected} and is ${found}.`,
    skip(file),
  ],
  emptyText: (file: string, line: number, column: string) => [
    `${at(file, line)}: column ${JSON.stringify(column)} is empty.`,
    skip(file),
  ],
  lineTooLong: (file: string, line: number, limit: number, of: 'rows' | 'text') => [
    `${at(file, line)} is longer than ${limit} bytes.`,
    `Break the text into shorter ${of === 'rows' ? `rows, or leave such rows out: ${skipping(file)}` : 'lines'}.`,
  ],
  notUtf8: (file: string, line: number, of: 'rows' | 'text') => [
    `${at(file, line)} has bytes that are not UTF-8.`,
    `Save the file as UTF-8${of === 'rows' ? `, or leave such rows out: ${skipping(file)}` : ', or leave it out of the data'}.`,
  ],
  rowsFile: (file: string) => [
    `${file} holds rows; a folder is read as text, and rows are read where the file itself is named.`,
    `To learn from them, write data: ${name(file)}. Of a folder such files are left out.`,
  ],
  generatedFile: (file: string) => [
    `${file} was written by a program.`,
    'Nothing needs to be done: such files of a folder are left out.',
  ],
  minifiedFile: (file: string, limit: number) => [
    `${file} has lines of more than ${limit} characters, as packed programs and data have.`,
    'Nothing needs to be done: such files of a folder are left out.',
  ],
  binaryFile: (file: string) => [`${file} is not a text file.`, 'Leave it out of the patterns.'],
  noUsableRows: (file: string, reasons: string) => [
    `${file} has no usable row${reasons === '' ? '' : ` (${reasons})`}.`,
    'Correct the rows, or choose another file.',
  ],
  ambiguousColumns: () => [
    'The columns of a data set must name exactly one of text, prompt and messages.',
    'Name the column of the whole text, of the prompt, or of the messages.',
  ],
  staleState: (problem: string) => [
    `The saved position does not fit the data: ${problem}.`,
    'Continue with the data the run was started with, or start the run again.',
  ],
  tooFewTokens: (have: number, need: number) => [
    `The data has ${have} tokens, and at least ${need} are needed for one sequence.`,
    'Add data, or shorten the sequences.',
  ],
  promptTooLong: (place: string, length: number, limit: number) => [
    `The prompt of ${place} has ${length} tokens, which leaves no room for an answer in ${limit}.`,
    'Shorten the prompt, raise "max_length", or leave such rows out with "skip_bad_rows: true".',
  ],
  noAnswer: (place: string, column: string) => [
    `${place} has nothing in the column ${JSON.stringify(column)} that the reward compares with.`,
    'Name the column in the reward, fill it, or leave such rows out with "skip_bad_rows: true".',
  ],
  cacheNotWritable: (folder: string, cause: unknown) => [
    `The tokens cannot be kept in ${folder}.`,
    'Check that the folder can be written and the disk is not full.',
    cause,
  ],
  badSettings: (task: string, where: string, problem: string) => [
    `The settings of the task ${task} are not valid${where === '' ? '' : ` (at ${where})`}: ${problem}.`,
    'Correct the setting.',
  ],
  noProblem: (task: string) => [
    `The settings of the task ${task} allow no problem.`,
    'Widen the ranges of numbers and targets, or allow more operators.',
  ],
});
