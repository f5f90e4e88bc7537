/** The shape of a tree and the worth of its simulations, in columns. */
import type { Growth } from '../protocol/search.ts';
import type { Search } from '../search/search.ts';
import { ownFlags } from '../search/tree.ts';

const finite = (value: number) => (Number.isFinite(value) ? value : null);

/**
 * @param nodes ids of the nodes to tell of
 * @param simulations their orders
 * @param room tokens that a card has room for at least
 */
export function growthOf<S>(
  { tree, log }: Pick<Search<S>, 'tree' | 'log'>,
  nodes: readonly number[],
  simulations: readonly number[],
  room = 0,
): Growth {
  const entries = simulations.map((order) => log.entries[order]);
  const seen = new Set<number>();
  for (const { node } of entries) {
    // Those above a node that was seen were seen with it.
    for (let id = node; id >= 0 && !seen.has(id); id = tree.parent[id]) seen.add(id);
  }
  const visited = [...seen];
  return {
    count: tree.count,
    simulations: log.count,
    nodes: {
      parent: nodes.map((id) => tree.parent[id]),
      born: nodes.map((id) => tree.born[id]),
      action: nodes.map((id) => tree.firstAction(id)),
      length: nodes.map((id) => (id === 0 ? 0 : Math.max(room, tree.edgeLength[id]))),
      prior: nodes.map((id) => finite(tree.prior[id])),
      flags: nodes.map((id) => tree.flags[id] & ownFlags),
      score: nodes.map((id) => finite(tree.score[id])),
    },
    simulated: {
      node: entries.map(({ node }) => node),
      value: entries.map(({ value }) => value),
      reward: entries.map(({ reward }) => reward),
    },
    visited: {
      node: visited,
      visits: visited.map((id) => tree.N[id]),
      q: visited.map((id) => (tree.N[id] === 0 ? null : finite(tree.W[id] / tree.N[id]))),
    },
  };
}
