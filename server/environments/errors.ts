import { catalogue } from '../errors.ts';

export const environmentErrors = catalogue('environment', {
  unknown: (name: string, known: readonly string[]) => [
    `There is no environment called "${name}".`,
    `Use one of: ${known.join(', ')}; or { module: { path: FILE } } for one of your own; or { openenv: ADDRESS } for a server of OpenEnv; or { mcp: { command, prompts, reward } } for the tools of an MCP server.`,
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
    'Correct the path; in a run spec it counts from its folder, in a command from where you are.',
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
  mcpFolder: (folder: string) => [
    `There is no folder ${folder}, in which the MCP server is to be started.`,
    'Correct "folder"; it counts from the folder of the run spec.',
  ],
  mcpStart: (name: string, problem: string) => [
    `The MCP server "${name}" did not start: ${problem}.`,
    'Run its command in a terminal, in the same folder. Each argument is an entry of the list "command", no shell reads them, and variables that it needs stand in "env"; "startMs" gives it more time.',
  ],
  mcpEnded: (name: string, problem: string) => [
    `The MCP server "${name}" ended in the middle: ${problem}.`,
    'Mend the server, or look at what it was asked; episodes without an answer are left out.',
  ],
  mcpBroken: (name: string, problem: string) => [
    `The MCP server "${name}" does not keep to the protocol: ${problem}.`,
    'Check that the command starts a server that speaks over standard input and output, and prints nothing else there.',
  ],
  mcpTool: (name: string, tool: string, known: readonly string[]) => [
    `The MCP server "${name}" has no tool called "${tool}".`,
    `Name some of those that it has in "tools": ${known.join(', ')}.`,
  ],
  mcpTools: (name: string, count: number, most: number) => [
    `The MCP server "${name}" has ${count} tools, and an agent is told of ${most} at most.`,
    'Name those that the tasks need in "tools".',
  ],
  unrepeatable: (name: string) => [
    `The environment "${name}" cannot be searched: its turns cannot be taken again, as what a tool does may stay done.`,
    'Search in one that is built in, such as household, in a module of your own, or on a server of OpenEnv; for tools, compare samples with "cola evaluate --measures agent".',
  ],
  /** @param turn 0 is the start */
  changed: (name: string, turn: number) => [
    `The environment "${name}" did not answer the same to the same: ${turn === 0 ? 'its world began otherwise' : `turn ${turn} led elsewhere`} when it was taken again.`,
    'Make it depend on its seed, its task and its steps alone; a search has to come back to a place that it has seen.',
  ],
  unjudged: (name: string, reason: string) => [
    `An answer in the environment "${name}" could not be judged: ${reason}.`,
    'Check that the rows have what the reward compares with.',
  ],
  moduleShape: (path: string, problem: string) => [
    `The environment module ${path} is no environment: ${problem}.`,
    'Write: export default { instructions: "…", create: () => ({ reset(seed, task) {…}, step(text) {…} }) }',
  ],
});
