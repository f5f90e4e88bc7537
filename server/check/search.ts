/** Checks the search trees of a CoLA folder node by node (test/fixtures/cola/README.md, section 10). */
import { z } from 'zod';
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { BranchedModel } from '../search/branches.ts';
import type { Judge } from '../search/judge.ts';
import { Search } from '../search/search.ts';
import { flag } from '../search/tree.ts';
import type { Comparer } from './comparison.ts';
import { checkErrors } from './errors.ts';
import { parseHyper } from './hyper.ts';
import type { Reference } from './reference.ts';

const ints = z.array(z.number().int());

const node = z.object({
  id: z.number().int(),
  parent: z.number().int().nullable(),
  actions: ints,
  tokens: ints,
  errors: z.array(z.number()),
  N: z.number().int(),
  W: z.number(),
  P: z.number().nullable(),
  reward: z.number().nullable(),
  terminal: z.boolean(),
  children: ints,
});

const simulation = z.object({ path: ints, reward: z.number(), tokens: ints, actions: ints });

const schema = z.array(
  z.object({
    prompt: ints,
    max_extra: z.number().int(),
    nodes: z.array(node),
    simulations: z.array(simulation),
    best: z.object({ node: z.number().int(), reward: z.number(), tokens: ints, actions: ints }),
  }),
);

type ExpectedRun = z.infer<typeof schema>[number];

/** Of W, errors, P and rewards, relative to max(1, |expected|): a small Bellman error is the square of a difference that cancels. */
const limit = 1e-4;

/** The reward of the reference: the share of distinct tokens. */
export const distinctTokens: Judge = ({ tokens }) => ({ value: new Set(tokens).size / tokens.length, parts: {} });

/** @throws check.json */
export async function checkSearch(
  device: Device,
  model: ColaModel,
  reference: Reference,
  comparer: Comparer,
): Promise<void> {
  const parsed = schema.safeParse(reference.json.mcts);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw checkErrors.json(`${model.folder}/expected.json`, `"mcts.${path}": ${detail}`);
  }
  const { mcts } = parseHyper(model.notes, model.folder);
  const longest = Math.max(...parsed.data.map(({ prompt }) => prompt.length));
  const branches = new BranchedModel(device, model, { tokens: longest + mcts.max_new, rows: mcts.breadth });
  for (const [i, run] of parsed.data.entries()) {
    const search = new Search(branches, run.prompt, distinctTokens, {
      breadth: mcts.breadth,
      cpuct: mcts.cpuct,
      gamma: mcts.gamma,
      edge: { kind: 'q', threshold: mcts.threshold, max_extra: run.max_extra, q_gamma: mcts.q_gamma },
      max_new: mcts.max_new,
    });
    const events = search.run({ simulations: mcts.simulations });
    while ((await events.next()).done !== true);
    compareRun(search, run, `run ${i}`, comparer);
  }
  await branches.dispose();
}

function compareRun<S>(search: Search<S>, run: ExpectedRun, name: string, comparer: Comparer): void {
  const { tree } = search;
  const exact = (what: string, actual: readonly number[], expected: readonly number[]) =>
    comparer.compare('search tree', `${name} ${what}`, actual, expected, 'exact', 0);
  const close = (what: string, actual: ArrayLike<number>, expected: readonly number[]) =>
    comparer.compare('search values', `${name} ${what}`, actual, expected, 'scalar', limit);
  const orNone = (value: number) => (Number.isNaN(value) ? -1 : value);
  exact('number of nodes', [tree.count], [run.nodes.length]);
  for (const expected of run.nodes.slice(0, tree.count)) {
    const { id } = expected;
    exact(`parent of ${id}`, [tree.parent[id]], [expected.parent ?? -1]);
    exact(`actions of ${id}`, Array.from(tree.edgeActions(id)), expected.actions);
    exact(`tokens of ${id}`, Array.from(tree.edgeTokens(id)), expected.tokens);
    exact(`children of ${id}`, tree.childrenOf(id), expected.children);
    exact(
      `N, terminal of ${id}`,
      [tree.N[id], Number(tree.has(id, flag.terminal))],
      [expected.N, Number(expected.terminal)],
    );
    close(`errors of ${id}`, tree.edgeErrors(id), expected.errors);
    close(`W of ${id}`, [tree.W[id]], [expected.W]);
    close(`P of ${id}`, [orNone(tree.prior[id])], [expected.P ?? -1]);
    close(`reward of ${id}`, [orNone(tree.reward[id])], [expected.reward ?? -1]);
  }
  exact('number of simulations', [search.log.count], [run.simulations.length]);
  for (const [i, expected] of run.simulations.slice(0, search.log.count).entries()) {
    const { path, reward, actions, tokens } = search.log.at(i);
    exact(`path of simulation ${i}`, path, expected.path);
    exact(`actions of simulation ${i}`, actions, expected.actions);
    exact(`tokens of simulation ${i}`, tokens, expected.tokens);
    close(`reward of simulation ${i}`, [reward ?? Number.NaN], [expected.reward]);
  }
  const best = search.best();
  exact('best node', [best?.node ?? -1], [run.best.node]);
  exact('best actions', best?.actions ?? [], run.best.actions);
  exact('best tokens', best?.tokens ?? [], run.best.tokens);
  close('best reward', [best?.reward ?? Number.NaN], [run.best.reward]);
}
