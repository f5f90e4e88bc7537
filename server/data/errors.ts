/** Errors of data sets. */
import { catalogue } from '../errors.ts';

const at = (file: string, line: number): string => `${file}, line ${line}`;
const SKIP = 'Correct the row, or leave such rows out: write `skip_bad_rows: true` beside `jsonl` in the run spec.';

export const dataErrors = catalogue('data', {
  missingFile: (file: string, cause: unknown) => [
    `${file} cannot be read.`,
    'Check the path and that you may read the file.',
    cause,
  ],
  noFiles: (folder: string, globs: readonly string[]) => [
    `No file in ${folder} matches ${globs.join(', ')}.`,
    'Check the patterns. Files that .gitignore names are left out.',
  ],
  emptyFile: (file: string) => [`${file} is empty.`, 'Choose a file with at least one row.'],
  brokenJson: (file: string, line: number, cause: unknown) => [
    `${at(file, line)} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}.`,
    SKIP,
    cause,
  ],
  notAnObject: (file: string, line: number) => [`${at(file, line)} is not a JSON object with named columns.`, SKIP],
  unknownColumns: (file: string, line: number, have: readonly string[]) => [
    `${at(file, line)} has none of the columns text, prompt and messages; it has ${have.join(', ') || 'none at all'}.`,
    'Say in `columns`, beside `jsonl` in the run spec, which column holds what: `columns: { prompt: question, response: answer }`.',
  ],
  missingColumn: (file: string, line: number, column: string, have: readonly string[]) => [
    `${at(file, line)} has no column ${JSON.stringify(column)}; it has ${have.join(', ') || 'none at all'}.`,
    SKIP,
  ],
  wrongType: (file: string, line: number, column: string, expected: string, found: string) => [
    `${at(file, line)}: column ${JSON.stringify(column)} should be ${expected} and is ${found}.`,
    SKIP,
  ],
  emptyText: (file: string, line: number, column: string) => [
    `${at(file, line)}: column ${JSON.stringify(column)} is empty.`,
    SKIP,
  ],
  lineTooLong: (file: string, line: number, limit: number) => [
    `${at(file, line)} is longer than ${limit} bytes.`,
    'Break the text into shorter lines. Rows of JSON are left out with `skip_bad_rows: true` beside `jsonl` in the run spec.',
  ],
  notUtf8: (file: string, line: number) => [
    `${at(file, line)} has bytes that are not UTF-8.`,
    'Save the file as UTF-8. Rows of JSON are left out with `skip_bad_rows: true` beside `jsonl` in the run spec.',
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
  promptTooLong: (row: number, length: number, limit: number) => [
    `The prompt of row ${row + 1} has ${length} tokens, which leaves no room for an answer in ${limit}.`,
    'Shorten the prompt, or allow longer sequences.',
  ],
  cacheNotWritable: (folder: string, cause: unknown) => [
    `The tokens cannot be kept in ${folder}.`,
    'Check that the folder can be written and the disk is not full.',
    cause,
  ],
  noTemplate: () => [
    'The data has conversations, but the model has no chat template.',
    'Use rows with a prompt and a response, or a model with a chat template.',
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
