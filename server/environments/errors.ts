import { catalogue } from '../errors.ts';

export const environmentErrors = catalogue('environment', {
  unknown: (name: string, known: readonly string[]) => [
    `There is no environment called "${name}".`,
    `Use one of: ${known.join(', ')}; or { module: { path: FILE } } for one of your own.`,
  ],
  late: (name: string, ms: number) => [
    `The environment "${name}" took longer than ${ms} ms for a step.`,
    'Make its steps shorter, or give it more time with "stepMs".',
  ],
  failed: (name: string, problem: string) => [
    `The environment "${name}" failed: ${problem}.`,
    'Mend the module; a message that it throws itself is shown here.',
  ],
  ended: (name: string, problem: string) => [
    `The process of the environment "${name}" ended, and its worlds with it: ${problem}.`,
    'Look at what the module wrote to standard error; it is started again for the next episodes.',
  ],
  badAnswer: (name: string, problem: string) => [
    `The environment "${name}" answered something else than an observation: ${problem}.`,
    'reset returns a text; step returns { observation, reward, done }, with a finite reward.',
  ],
  moduleMissing: (path: string) => [
    `The environment module ${path} does not exist.`,
    'Correct the path; it is relative to the folder of the recipe.',
  ],
  moduleFailed: (path: string, problem: string) => [
    `The environment module ${path} could not be loaded: ${problem}.`,
    'Run "node" on the file to see the problem. It must be JavaScript (.js, .mjs or .cjs) that loads by itself.',
  ],
  moduleShape: (path: string, problem: string) => [
    `The environment module ${path} is no environment: ${problem}.`,
    'Write: export default { instructions: "…", create: () => ({ reset(seed, task) {…}, step(text) {…} }) }',
  ],
});
