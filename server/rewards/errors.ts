import { catalogue } from '../errors.ts';
import { meantPath } from '../files/meant.ts';

/** What to do about a module in a language that is not JavaScript; undefined for one that is. */
function otherLanguage(path: string): string | undefined {
  if (/\.[cm]?tsx?$/i.test(path))
    return 'TypeScript is run by Node 22.18 and newer where it has types alone to be left out. Otherwise save it as JavaScript: npx tsc FILE.';
  if (/\.[cm]?jsx?$/i.test(path)) return undefined;
  return 'A reward of your own is written in JavaScript (.js, .mjs or .cjs): export default async function score(input) { return 1; }';
}

/** What can be wrong with a reward as a whole. What is wrong with one sample is a `noScore` instead. */
export const rewardErrors = catalogue('reward', {
  unknown: (name: string, known: readonly string[]) => [
    `There is no reward called "${name}".`,
    `Use one of: ${known.join(', ')}.`,
  ],
  badSpec: (problem: string) => [
    `The reward is not described correctly: ${problem}.`,
    'Write a name such as "countdown", or one name with its options, such as { exact: { column: answer } }.',
  ],
  moduleMissing: (path: string) => [
    `The reward module ${path} does not exist.`,
    `Correct the path; it is relative to the folder of the run spec.${meantPath(path)}`,
  ],
  moduleFailed: (path: string, problem: string, cause?: unknown) => [
    `The reward module ${path} could not be loaded: ${problem}.`,
    otherLanguage(path) ??
      'Run "node" on the file to see the problem. It must be JavaScript (.js, .mjs or .cjs) that loads by itself.',
    cause,
  ],
  moduleFolder: (path: string) => [
    `The reward module ${path} is a folder.`,
    `Name the file in it, such as ${path}/index.mjs.`,
  ],
  moduleWithoutFunction: (path: string, has = '') => [
    `The reward module ${path} has no default export that is a function${has === '' ? '' : `; it exports ${has}`}.`,
    'Write: export default async function score(input) { return 1; }',
  ],
  helperFailed: (name: string, problem: string, cause?: unknown) => [
    `The helper process of the reward "${name}" does not start: ${problem}.`,
    'Check that the installation is complete and that there is memory left.',
    cause,
  ],
  closed: (name: string) => [
    `The reward "${name}" was used after it was closed.`,
    'Report this as a defect: a run must close its rewards last.',
  ],
});
