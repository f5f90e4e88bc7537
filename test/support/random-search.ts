/** Random trees as the engine would tell of them, with simulations that agree with their figures. */
import type { Growth } from '../../server/protocol/search.ts';
import { Random } from '../../server/random.ts';

export const gamma = 0.9;

/** A search of so many simulations, each of which visits a node; a node that is visited gets up to `breadth` children. */
export function randomGrowth(simulations: number, breadth: number, seed: number): Growth {
  const random = new Random(seed);
  const below = (limit: number) => random.integer(limit);
  const nodes: Growth['nodes'] = { parent: [], born: [], action: [], length: [], prior: [], flags: [], score: [] };
  const children: number[][] = [];
  const visits: number[] = [];
  const total: number[] = [];
  const add = (parent: number, action: number, born: number) => {
    const id = nodes.parent.push(parent) - 1;
    nodes.born.push(born);
    nodes.action.push(action);
    nodes.length.push(parent < 0 ? 0 : 1 + below(20));
    nodes.prior.push(parent < 0 ? null : random.uniform());
    nodes.flags.push(0);
    nodes.score.push(null);
    children.push([]);
    visits.push(0);
    total.push(0);
    if (parent >= 0) children[parent].push(id);
  };
  add(-1, -1, 0);
  const simulated: Growth['simulated'] = { node: [], value: [], reward: [] };
  for (let done = 0; done < simulations; done++) {
    let at = 0;
    while (visits[at] > 0 || at === 0) {
      if (children[at].length === 0) {
        const first = below(64);
        for (let i = 0; i < 1 + below(breadth); i++) add(at, (first + i) % 64, done);
      }
      const [a, b] = [children[at][below(children[at].length)], children[at][below(children[at].length)]];
      // Mostly where others went, as a search does.
      at = visits[a] >= visits[b] ? a : b;
    }
    const counted = random.uniform() > 0.05;
    const value = random.uniform();
    simulated.node.push(at);
    simulated.value.push(counted ? value : null);
    simulated.reward.push(counted ? value : null);
    for (let id = at, share = value; id >= 0 && counted; id = nodes.parent[id], share *= gamma) {
      visits[id]++;
      total[id] += share;
    }
  }
  const visited = visits.flatMap((n, id) => (n > 0 ? [id] : []));
  return {
    count: nodes.parent.length,
    simulations,
    nodes,
    simulated,
    visited: {
      node: visited,
      visits: visited.map((id) => visits[id]),
      q: visited.map((id) => total[id] / visits[id]),
    },
  };
}
