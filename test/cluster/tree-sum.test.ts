import assert from 'node:assert/strict';
import { Random } from '../../server/random.ts';
import { leavesOf, nodesOf, TreeSum } from '../../server/train/shards/tree-sum.ts';

describe('the sum of shards along a tree', () => {
  const lengths = [3, 1];
  const random = new Random(7);
  const leaves = (count: number) =>
    Array.from({ length: count }, () => lengths.map((n) => Float32Array.from({ length: n }, () => random.normal())));
  const shares = (count: number) => Array.from({ length: count }, () => random.uniform());

  const whole = (all: readonly Float32Array[][], weights: readonly number[]): Float32Array[] => {
    const tree = new TreeSum(lengths);
    tree.begin(all.length);
    for (const [i, leaf] of all.entries()) tree.leaf(i, weights[i], leaf);
    return tree.whole.arrays.map((array) => array.slice());
  };

  it('is the sum', () => {
    const all = leaves(6);
    const weights = shares(6);
    const [first] = whole(all, weights);
    for (let j = 0; j < first.length; j++) {
      const expected = all.reduce((sum, [array], i) => sum + weights[i] * array[j], 0);
      assert(Math.abs(first[j] - expected) < 1e-5, `${first[j]} and ${expected}`);
    }
  });

  it('has the same bits whoever adds which leaves, and in whatever order they come', () => {
    for (let count = 1; count <= 17; count++) {
      const [all, weights] = [leaves(count), shares(count)];
      const expected = whole(all, weights);
      const tree = new TreeSum(lengths);
      for (let round = 0; round < 4; round++) {
        const owners = Array.from({ length: count }, () => random.integer(3)).sort(
          round % 2 === 0 ? (a, b) => a - b : () => 0,
        );
        const nodes = nodesOf(owners);
        assert.deepEqual(
          nodes.flatMap((node) => {
            const [from, to] = leavesOf(node, count);
            return Array.from({ length: to - from }, (_, i) => from + i);
          }),
          [...Array(count).keys()],
        );
        tree.begin(count);
        let released = 0;
        for (const at of random.permutation(nodes.length)) {
          const [from, to] = leavesOf(nodes[at], count);
          tree.node(nodes[at], whole(all.slice(from, to), weights.slice(from, to)), () => released++);
        }
        assert.deepEqual(tree.whole.arrays, expected);
        tree.begin(0);
        assert.equal(released, nodes.length);
      }
    }
  });

  it('is asked of each owner in as few parts as there can be', () => {
    assert.deepEqual(nodesOf(['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b']), [
      { level: 2, index: 0 },
      { level: 2, index: 1 },
    ]);
    assert.deepEqual(nodesOf(['a', 'a', 'a']), [{ level: 2, index: 0 }]);
    assert.deepEqual(nodesOf(['a', 'b', 'b']), [
      { level: 0, index: 0 },
      { level: 0, index: 1 },
      { level: 1, index: 1 },
    ]);
  });
});
