import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Judge } from '../../server/search/judge.ts';
import type { SearchSettings } from '../../server/search/options.ts';
import { Search } from '../../server/search/search.ts';
import { type VisitPath, visitPaths } from '../../server/search/visits.ts';
import { finish, hash, ToyModel, type ToyState, wildWorld } from './toy.ts';

const judge: Judge = ({ tokens }) => ({ value: hash(9, ...tokens), parts: {} });
const searched = async (settings: SearchSettings, simulations: number, seed = 3) => {
  const search = new Search(new ToyModel(wildWorld(seed)), [7], judge, { max_new: 6, cpuct: 2, ...settings });
  await finish(search, simulations);
  return search;
};
const all = { paths: 1000, leastVisits: 1 };

/** Tokens up to the last state a path needs. */
const reach = ({ tree }: Search<ToyState>, { node, beyond }: VisitPath) => tree.length[node] + beyond.length;

describe('what a search says about the policy', () => {
  it('is at every node the shares of visits of its first actions, each node once, by its visits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ max: 1000 }), fc.integer({ min: 1, max: 3 }), async (seed, steps) => {
        const { tree } = await searched({ breadth: 3, edge: { kind: 'steps', steps } }, 40, seed);
        const points = visitPaths(tree, all).flatMap((path) => path.points);
        const nodes = points.filter(({ value }) => value !== undefined);
        const expected = Array.from({ length: tree.count }, (_, id) => id).flatMap((id) => {
          const visited = tree.childrenOf(id).filter((child) => tree.N[child] > 0);
          if (visited.length === 0) return [];
          const below = visited.reduce((n, child) => n + tree.N[child], 0);
          const shares = visited.map((child) => ({ code: tree.firstAction(child), share: tree.N[child] / below }));
          return [JSON.stringify([tree.length[id], below / tree.N[0], tree.mean(id), shares])];
        });
        const found = nodes.map(({ length, weight, value, shares }) => JSON.stringify([length, weight, value, shares]));
        assert.deepEqual(found.sort(), expected.sort());
        for (const { shares } of points) assert.ok(Math.abs(shares.reduce((n, { share }) => n + share, 0) - 1) < 1e-12);
      }),
      { numRuns: 25 },
    );
  });

  it('teaches the actions behind the first of an edge as they were taken, where the paths lead along it', async () => {
    let seen = 0;
    for (const seed of [3, 4, 5, 6]) {
      const { tree } = await searched({ breadth: 3, edge: { kind: 'steps', steps: 3 } }, 40, seed);
      const [first] = visitPaths(tree, all);
      const along = first.points.filter(({ value }) => value === undefined);
      seen += along.length;
      let child = 0;
      const most = (id: number) => tree.childrenOf(id).reduce((a, b) => (tree.N[b] > tree.N[a] ? b : a));
      for (let id = 0; tree.children[id] > 0; id = child) {
        child = most(id);
        if (tree.N[child] === 0) break;
        const inner = [...tree.edgeActions(child)].slice(1);
        for (const [i, code] of inner.entries()) {
          const point = along.find(({ length }) => length === tree.length[id] + 1 + i);
          assert.deepEqual(point?.shares, [{ code, share: 1 }]);
          assert.equal(point?.weight, tree.N[child] / tree.N[0]);
        }
      }
    }
    assert.ok(seen > 0);
  });

  it('needs states no further than its last point, and the path leads there', async () => {
    for (const steps of [1, 4]) {
      const search = await searched({ breadth: 3, edge: { kind: 'steps', steps } }, 50);
      for (const path of visitPaths(search.tree, all)) {
        assert.ok(path.points.length > 0);
        assert.equal(
          reach(search, path),
          Math.max(...path.points.map(({ length }) => length), search.tree.length[path.node]),
        );
        const lengths = path.points.map(({ length }) => length);
        assert.deepEqual(
          lengths,
          [...lengths].sort((a, b) => a - b),
        );
        assert.equal(new Set(lengths).size, lengths.length, 'one point a position');
      }
    }
  });

  it('begins with the most visited path, keeps to its limits, and is nothing where nothing was visited', async () => {
    const { tree } = await searched({ breadth: 4 }, 60);
    const paths = visitPaths(tree, { paths: 3, leastVisits: 4 });
    assert.equal(paths.length, 3);
    assert.equal(paths[0].points[0].length, 0);
    for (const { weight } of paths.flatMap(({ points }) => points)) assert.ok(weight * tree.N[0] >= 4);
    const none = new Search(new ToyModel(wildWorld(1)), [7], () => ({ noScore: 'closed' }), { max_new: 3 });
    await finish(none, 10);
    assert.deepEqual(visitPaths(none.tree, all), []);
    assert.deepEqual(visitPaths((await searched({}, 1)).tree, all), []);
  });
});
