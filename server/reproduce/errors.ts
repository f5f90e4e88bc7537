/** Errors of experiments and their claims. */
import { catalogue } from '../errors.ts';

const reason = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

export const reproduceErrors = catalogue('reproduce', {
  noClaims: (folder: string) => [
    `There are no experiments in ${folder}.`,
    'Name a folder that has some with --claims FOLDER; those of CoLA Studio lie in the folder claims of its sources.',
  ],
  cannotRead: (file: string, cause: unknown) => [
    `The file ${file} cannot be read (${reason(cause)}).`,
    'Check that it exists and may be read.',
    cause,
  ],
  badExperiment: (file: string, detail: string) => [
    `${file} is no experiment: ${detail}.`,
    'Correct the file. docs/results/README.md says what stands in one.',
  ],
  unknownClaim: (name: string, known: readonly string[]) => [
    `There is no claim "${name}".`,
    `See them with \`cola reproduce --list\`: ${known.join(', ')}.`,
  ],
  badResults: (file: string, detail: string) => [
    `${file} does not hold results of an experiment: ${detail}.`,
    'Move the file away; the same command then does its seeds again.',
  ],
  noFigure: (file: string, figure: string, known: readonly string[]) => [
    `${file} judges by "${figure}", which its runs and measures do not find.`,
    `Correct the name. There are ${known.slice(0, 60).join(', ')}.`,
  ],
});
