/** Settings of the stage that learns from searches. */
import { z } from 'zod';
import { rewardSpec } from '../../rewards/schema.ts';
import { count, dataSpec, heldOut, optimisation, rowsOf, setting, share } from './parts.ts';

const notInPaper = 'not in the paper, which searches only to answer';

export const expertSettings = z.strictObject({
  prompts: setting(dataSpec, 'Rows with a prompt and what the reward needs.'),
  held_out: heldOut,
  chat: rowsOf.chat,
  reward: setting(rewardSpec, 'How a finished answer is judged.'),
  steps: setting(count.default(20), 'Rounds of search and update.', { unit: 'steps', paper: notInPaper }),
  batch: setting(count.default(8), 'Prompts that are searched in a round.', { unit: 'prompts', paper: notInPaper }),
  simulations: setting(count.default(32), 'Simulations of the search of a prompt.', {
    unit: 'simulations',
    paper: '64 (section 4.3.2)',
  }),
  breadth: setting(count.default(8), 'Children of a node: so many of its most probable actions.', {
    paper: '4 (code)',
  }),
  root_breadth: setting(count.optional(), 'Children of the prompt; as many as breadth, if not given.', {
    paper: '5 (code)',
  }),
  cpuct: setting(
    z.number().min(0).default(0.7),
    'How much the policy counts against what was found. An action that was not tried counts as reward 0: where rewards are mostly above 0, only a value above breadth times the reward leads to all actions.',
    {
      paper: '0.7 (appendix C)',
    },
  ),
  gamma: setting(share.default(0.99), 'Discount for each edge between a node and a reward.', { paper: '0.99 (code)' }),
  edges: setting(
    z.enum(['steps', 'q']).default('steps'),
    'How far an edge reaches: a fixed number of actions, or as far as Q agrees with itself.',
    { paper: 'MCTS, MCTS-Q (section 4.3.2)' },
  ),
  edge_steps: setting(count.default(1), 'With edges of steps: actions of an edge.', { unit: 'actions', paper: '64' }),
  threshold: setting(z.number().min(0).default(0.01), 'With edges of Q: the Bellman error that ends an edge.', {
    paper: '0.01 (appendix C)',
  }),
  max_extra: setting(z.int().min(0).default(64), 'With edges of Q: most further actions of an edge.', {
    unit: 'actions',
    paper: '64 (appendix C)',
  }),
  temperature: setting(z.number().min(0).default(0), 'Temperature of the actions of rollouts; 0 is greedy.', {
    paper: '1 (code)',
  }),
  lockstep: setting(count.default(4), 'Simulations of a search that run side by side, kept apart by virtual loss.', {
    paper: '1',
  }),
  cache: setting(z.number().positive().default(256), 'Memory for keys and values of branches.', { unit: 'MB' }),
  max_new: setting(count.default(64), 'Longest answer.', { unit: 'tokens', paper: '1024 (code)' }),
  paths: setting(count.default(8), 'Paths of a tree that are learned from, the most visited ones.', {
    paper: notInPaper,
  }),
  least_visits: setting(count.default(2), 'Visits of its children from which on a node is learned from.', {
    unit: 'visits',
    paper: notInPaper,
  }),
  minibatches: setting(count.default(2), 'Updates a round.', { paper: notInPaper }),
  value_weight: setting(
    z.number().min(0).default(0),
    'Weight of the value loss: V learns the mean reward at each node. Above 0 the model gets a value head, if it has none.',
    { paper: notInPaper },
  ),
  q_weight: setting(
    z.number().min(0).default(0),
    'Weight of the Q loss: Q learns the mean reward behind each action. Above 0 the model gets a Q function, if it has none.',
    { paper: notInPaper },
  ),
  solved_at: setting(
    z.number().optional(),
    'A held-out answer counts as solved from this reward on. If not given: the highest that the reward can be, or 1 where that is not known.',
  ),
  evaluate_rows: setting(count.default(200), 'Held-out prompts in a measurement.', { unit: 'prompts' }),
  evaluate_samples: setting(count.default(8), 'Samples a held-out prompt.', { unit: 'samples' }),
  ...optimisation(3e-4, { paper: notInPaper }, 0, [0.9, 0.95]),
  warmup: setting(z.int().min(0).default(2), 'Updates over which the learning rate rises linearly.', {
    unit: 'updates',
  }),
  checkpoint_every: setting(count.default(5), 'How often a checkpoint is saved.', { unit: 'steps' }),
  evaluate_every: setting(count.default(5), 'How often the model is measured on held-out prompts.', { unit: 'steps' }),
});

export type ExpertSettings = z.infer<typeof expertSettings>;
