/** Errors of run specs and of the paths in them. */
import { catalogue } from '../errors.ts';

export const specErrors = catalogue('spec', {
  folder: (path: string) => [
    `${path} is a folder and no run spec.`,
    'Name the YAML file that says what to run; a model is named in it, as in model: FOLDER.',
  ],
  cannotRead: (file: string, cause: unknown) => [
    cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
      ? `There is no run spec ${file}.`
      : `The run spec ${file} cannot be read (${cause instanceof Error ? cause.message : String(cause)}).`,
    'Check the path, and that you may read the file. "CoLA: Train…" in the editor writes a new one.',
    cause,
  ],
  notUtf8: (file: string, cause: unknown) => [
    `The run spec ${file} is no text in UTF-8.`,
    'If it is a run spec, save it as UTF-8: editors offer this as "Save with Encoding".',
    cause,
  ],
  tooLong: (file: string, characters: number) => [
    `The run spec ${file} has more than ${characters} characters.`,
    'Check that it is a run spec. Rows and texts belong into files of their own, which `data` or `prompts` name.',
  ],
  invalid: (file: string, line: number, column: number, problem: string, others: number) => [
    `${file}:${line}:${column}: ${problem}${others === 0 ? '' : ` (and ${others} more ${others === 1 ? 'problem' : 'problems'})`}.`,
    'Correct the spec. In the editor every problem is underlined, and hovering over a setting says what it takes.',
  ],
  unknownBuiltin: (name: string, known: readonly string[]) => [
    `There is no built-in model ${JSON.stringify(name)}.`,
    `Use ${known.map((entry) => `builtin:${entry}`).join(' or ')}, or the path of a model folder.`,
  ],
  noEnvironment: (file: string) => [
    `No stage of the run spec ${file} acts in an environment.`,
    'Name a spec with a stage that has "environment", or the environment itself.',
  ],
  noBuiltin: (name: string, folder: string) => [
    `The built-in model ${JSON.stringify(name)} is not in this installation: ${folder} has no weights.`,
    'Install CoLA Studio again, or give the path of a model folder.',
  ],
});
