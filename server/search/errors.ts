import { catalogue } from '../errors.ts';

export const searchErrors = catalogue('search', {
  options: (path: string, detail: string) => [
    `The search setting "${path}" is not valid: ${detail}.`,
    'Correct it; every setting has a default that works and may be left out.',
  ],
  budget: (detail: string) => [
    `This search has nothing to spend: ${detail}.`,
    'Give at least one of simulations, tokens or seconds, each above 0; on the command line --simulations 100.',
  ],
  emptyPrompt: () => [
    'The prompt is empty.',
    'Write something to continue from, or select text before you start the search.',
  ],
  promptTooLong: (prompt: number, room: number, context: number) => [
    `The prompt has ${prompt} tokens and the answer may have ${room}, but the model reads at most ${context}.`,
    'Shorten the prompt or lower max_new.',
  ],
  noQ: () => [
    'This search prunes or values with Q, and the model has no Q function.',
    'Train one with the stage q, or search with edges of a fixed number of steps and values from rollouts.',
  ],
  noValue: () => [
    'This search uses the value head, and the model has none.',
    'Train one with PPO, or take values from rollouts or Q.',
  ],
  drawnTurns: () => [
    'Turns that always take what is likeliest are all the same: there is nothing to search among.',
    'Give a temperature above 0, such as --temperature 1, or let each turn begin with another action: --begin actions.',
  ],
  rewardFailed: (simulation: number, cause: unknown) => [
    `The reward failed on simulation ${simulation}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    'The tree so far is kept. Repair the reward and continue the search: the simulation is done again.',
    cause,
  ],
  rewardTimeout: (simulation: number, seconds: number) => [
    `The reward gave no answer to simulation ${simulation} within ${seconds} s.`,
    'The tree so far is kept. Repair the reward or raise reward_seconds, and continue the search.',
  ],
  rewardNotFinite: (simulation: number, value: number) => [
    `The reward answered ${value} to simulation ${simulation}; a reward is a finite number.`,
    'The tree so far is kept. Repair the reward and continue: the simulation is done again.',
  ],
  running: () => [
    'This search is running already.',
    'Pause it, or wait until it has spent its budget, before you start it again.',
  ],
  node: (id: number, count: number) => [
    `There is no node ${id}: the tree has the nodes 0 to ${count - 1}.`,
    'Reload the tree; it may show an older search.',
  ],
  root: () => ['The prompt itself cannot be forced or banned.', 'Choose one of the branches below it.'],
  ended: (id: number) => [
    `The answer at node ${id} has ended: there is no next action.`,
    'Choose a node that is not terminal.',
  ],
  turnActions: () => [
    'In a search over turns an action cannot be tried by itself.',
    'Force or ban a turn that is there, or search on: more turns are drawn.',
  ],
  turnPath: () => [
    'A policy is not tuned from a path of turns.',
    'Train on the environment instead: "CoLA: Train…", An agent for an environment.',
  ],
  score: (value: number) => [
    `${value} is not a score.`,
    'A score is a finite number on the scale of the reward, usually between 0 and 1.',
  ],
  snapshotJson: (file: string, detail: string) => [
    `${file} is not a saved search: ${detail}.`,
    'The file was changed or damaged; start the search again.',
  ],
  snapshotVersion: (file: string, version: number, supported: number) => [
    `${file} was saved in version ${version} of the format; this version reads ${supported}.`,
    'Open it with the version of the extension that wrote it, or start the search again.',
  ],
  snapshotModel: (codes: number, actual: number) => [
    `The saved search is of a model with ${codes} latent actions; this one has ${actual}.`,
    'Continue it with the model it was made with.',
  ],
});
