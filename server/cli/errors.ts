/** Errors of the command line itself. */
import { catalogue } from '../errors.ts';

/** What the system says, in words; as it says it where there are none. */
function reason(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder';
  return cause instanceof Error ? cause.message : String(cause);
}

export const cliErrors = catalogue('cli', {
  usage: (problem: string, command: string) => [
    `${problem}.`,
    `Run \`${command} --help\` to see what it takes, with examples.`,
  ],
  promptFile: (file: string, cause: unknown) => [
    `The prompt file ${file} cannot be read (${reason(cause)}).`,
    'Check the path; it counts from where you are. The file has to be text in UTF-8.',
    cause,
  ],
  noFolder: (folder: string, cwd: string) => [
    `There is no folder ${folder}.`,
    `Name one that is there; a path counts from where you are, ${cwd}.`,
  ],
  onePrompt: () => [
    'There should be exactly one of --prompt, --prompt-file, --chat and --ids.',
    'Give the text to continue with --prompt, or what to say to the model with --chat.',
  ],
  topP: (folder: string) => [
    `--top-p cuts tokens, and ${folder} answers by latent actions.`,
    'Cut the actions with --top-k, or add --tokens to let the base choose tokens.',
  ],
  noIds: (text: string) => [
    `${JSON.stringify(text)} is not a list of token ids.`,
    'Write whole numbers with commas between them, such as --ids 1,15,72.',
  ],
  resumeWhat: () => [
    'There is nothing to continue: --resume needs the name of a run.',
    'Name the run, as in cola train --resume countdown, or its spec: cola train FILE --resume. Runs are the folders in .cola/runs.',
  ],
  output: (cause: unknown) => [
    `The results could not be written to standard output (${reason(cause)}).`,
    'Check that the disk has free space, or write somewhere else. What the command saves in files is saved.',
    cause,
  ],
  died: (run: string) => [
    `The run ${run} was ended from outside, by the system if memory ran out; it is saved up to its last checkpoint.`,
    `Go on with it: cola train --resume ${run}. What it takes, \`cola fit\` says.`,
  ],
  noExpert: (environment: string) => [
    `The environment "${environment}" has no expert, and does not say what can be done in it.`,
    'Play it yourself, or let a model act with --model.',
  ],
  noText: () => [
    'The sources of CoLA Studio are not beside it, so there is no text to watch.',
    'Name one that the model has not learned: --text FILE.',
  ],
  noPretrain: () => [
    'The first stage of the spec is not pretrain.',
    'Use `cola train` to run the whole spec, or put a pretrain stage first.',
  ],
});
