import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bestChild } from '../../server/search/selection.ts';
import { type Edge, flag, SearchTree } from '../../server/search/tree.ts';

const edge = (action: number, prior = 0.5, terminal = false): Edge => ({
  actions: [action],
  tokens: [100 + action],
  errors: [action / 10],
  prior,
  terminal,
});

const root: Edge = { actions: [], tokens: [], errors: [], prior: Number.NaN, terminal: false };

/** A random tree: parents[i] is the parent of node i + 1, folded into range. */
function build(parents: readonly number[], gamma: number): SearchTree {
  const tree = new SearchTree(gamma);
  tree.add(-1, root, 0);
  for (const [i, parent] of parents.entries()) tree.add(parent % (i + 1), edge(i % 60), 0);
  return tree;
}

describe('search tree', () => {
  it('keeps parents, children in order, edges and paths while it grows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 200 }), (parents) => {
        const tree = build(parents, 1);
        assert.equal(tree.count, parents.length + 1);
        for (let id = 0; id < tree.count; id++) {
          const children = parents.flatMap((p, i) => (p % (i + 1) === id ? [i + 1] : []));
          assert.deepEqual(tree.childrenOf(id), children);
          assert.equal(tree.children[id], children.length);
          const path = tree.path(id);
          assert.equal(path[0], 0);
          assert.equal(path.at(-1), id);
          assert.equal(tree.length[id], path.length - 1);
          assert.deepEqual(
            tree.response(id).tokens,
            path.slice(1).map((node) => 100 + ((node - 1) % 60)),
          );
          if (id > 0) assert.deepEqual([...tree.edgeErrors(id)], [((id - 1) % 60) / 10]);
        }
      }),
    );
  });

  it('backs up, rescored or not, to what a sum over simulations gives', () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('backup' as const),
        node: fc.nat(),
        value: fc.double({ min: -2, max: 2, noNaN: true }),
      }),
      fc.record({
        kind: fc.constant('score' as const),
        node: fc.nat(),
        value: fc.double({ min: -2, max: 2, noNaN: true }),
      }),
      fc.record({ kind: fc.constant('scored' as const), node: fc.nat(), value: fc.constant(0) }),
      fc.record({ kind: fc.constant('unscore' as const), node: fc.nat(), value: fc.constant(0) }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
        fc.array(action, { maxLength: 40 }),
        (parents, actions) => {
          const tree = build(parents, 0.9);
          // What happened: the values of each node's simulations, null where only a score stands for them.
          const own = Array.from({ length: tree.count }, (): (number | null)[] => []);
          const scores = Array<number | null>(tree.count).fill(null);
          for (const { kind, node, value } of actions) {
            const id = node % tree.count;
            if (kind === 'backup') {
              tree.backup(id, value);
              own[id].push(value);
            } else if (kind === 'score') {
              tree.rescore(id, value);
              scores[id] = value;
            } else if (kind === 'unscore') {
              tree.rescore(id, Number.NaN);
              scores[id] = null;
              own[id] = own[id].filter((v) => v !== null);
            } else if (scores[id] !== null) {
              tree.backupScored(id);
              own[id].push(null);
            }
          }
          const [N, W] = [new Float64Array(tree.count), new Float64Array(tree.count)];
          for (const [id, values] of own.entries()) {
            for (const value of values) {
              for (const [k, node] of tree.path(id).reverse().entries()) {
                N[node]++;
                W[node] += 0.9 ** k * (scores[id] ?? value ?? Number.NaN);
              }
            }
          }
          for (let id = 0; id < tree.count; id++) {
            assert.equal(tree.N[id], N[id]);
            assert.ok(Math.abs(tree.W[id] - W[id]) < 1e-9, `W of ${id}`);
          }
        },
      ),
    );
  });

  it('derives exclusion and closure from what a person marked', () => {
    // 0 -> 1, 2, 3; 1 -> 4, 5; 4 -> 6
    const tree = build([0, 0, 0, 1, 1, 4], 1);
    const excluded = () => Array.from({ length: 7 }, (_, id) => id).filter((id) => tree.has(id, flag.excluded));
    tree.flags[4] |= flag.banned;
    tree.derive();
    assert.deepEqual(excluded(), [4, 6]);
    tree.flags[2] |= flag.forced;
    tree.derive();
    assert.deepEqual(excluded(), [1, 3, 4, 5, 6]);
    tree.flags[2] |= flag.banned;
    tree.derive();
    // A banned node forces nothing.
    assert.deepEqual(excluded(), [2, 4, 6]);
    tree.flags[5] |= flag.banned;
    tree.derive();
    assert.ok(tree.has(1, flag.closed), 'a node whose children are all banned is closed');
    assert.ok(!tree.has(0, flag.closed));
    tree.flags[3] |= flag.banned;
    tree.derive();
    assert.ok(tree.has(0, flag.closed));
    assert.equal(bestChild(tree, 0, { cpuct: 1, virtual_reward: 0 }), -1);
    for (let id = 0; id < 7; id++) tree.flags[id] = 0;
    tree.derive();
    assert.deepEqual(excluded(), []);
    assert.ok(!tree.has(0, flag.closed));
  });

  it('closes ancestors that have nothing else open', () => {
    const tree = build([0, 1, 1], 1);
    tree.close(2);
    assert.ok(!tree.has(1, flag.closed));
    tree.close(3);
    assert.ok(tree.has(1, flag.closed) && tree.has(0, flag.closed));
  });

  it('breaks ties by the lowest first action', () => {
    const tree = new SearchTree(1);
    tree.add(-1, root, 0);
    for (const action of [5, 2, 9]) tree.add(0, edge(action), 0);
    assert.equal(bestChild(tree, 0, { cpuct: 1, virtual_reward: 0 }), 2);
  });

  it('holds a million nodes in less than 300 MB, and is done in seconds', () => {
    const before = process.memoryUsage();
    const tree = new SearchTree(0.99);
    tree.add(-1, root, 0);
    for (let id = 1; id < 1_000_000; id++) tree.add((id - 1) >> 2, edge(id & 63, 0.25), 0);
    for (let id = 0; id < 1_000_000; id += 97) tree.backup(id, 1);
    const after = process.memoryUsage();
    const grown = after.arrayBuffers - before.arrayBuffers + after.heapUsed - before.heapUsed;
    assert.equal(tree.count, 1_000_000);
    assert.equal(tree.N[0], Math.ceil(1_000_000 / 97));
    globalThis.gc?.();
    const kept = process.memoryUsage().arrayBuffers - before.arrayBuffers;
    assert.ok(kept < 300 * 2 ** 20, `${kept / 2 ** 20} MB kept, ${grown / 2 ** 20} MB at the height`);
    const start = performance.now();
    tree.flags[1] |= flag.banned;
    tree.derive();
    assert.ok(performance.now() - start < 20_000);
  }).timeout(60000);
});
