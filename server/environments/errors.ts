import { catalogue } from '../errors.ts';

export const environmentErrors = catalogue('environment', {
  unknown: (name: string, known: readonly string[]) => [
    `There is no environment called "${name}".`,
    `Use one of: ${known.join(', ')}; or { module: { path: FILE } } for one of your own; or { openenv: ADDRESS } for a server of OpenEnv.`,
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
  openenvAddress: (url: string, problem: string) => [
    `"${url}" is no address of an OpenEnv server: ${problem}.`,
    'Write it as ws://127.0.0.1:8000.',
  ],
  openenvHost: (host: string) => [
    `The OpenEnv server on ${host} is on another machine, and nobody has allowed it.`,
    `If what the model writes may go there, start again with COLA_OPENENV_HOSTS=${host} in the environment.`,
  ],
  openenvAway: (url: string, problem: string) => [
    `The OpenEnv server at ${url} does not answer: ${problem}.`,
    'Start it, and check the address and the port.',
  ],
  openenvRefused: (url: string, said: string) => [
    `The OpenEnv server at ${url} refused what it was asked: ${said}`,
    'Compare "field" with its actions, and "sessions" with the room that it has.',
  ],
  openenvBroken: (url: string, problem: string) => [
    `The OpenEnv server at ${url} does not keep to the protocol: ${problem}.`,
    'Check that it is one; episodes without an answer are left out.',
  ],
  moduleShape: (path: string, problem: string) => [
    `The environment module ${path} is no environment: ${problem}.`,
    'Write: export default { instructions: "…", create: () => ({ reset(seed, task) {…}, step(text) {…} }) }',
  ],
});
