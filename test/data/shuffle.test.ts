import assert from 'node:assert/strict';
import { epochOrder } from '../../server/data/shuffle.ts';

describe('rows in a random order', () => {
  it('come once an epoch, in an order of the seed and the epoch', () => {
    const n = 20;
    const all = Array.from({ length: n }, (_, i) => i);
    const orders = [0, 1].flatMap((seed) => [0, 1, 2].map((epoch) => [...epochOrder(seed, epoch, n)]));
    for (const order of orders)
      assert.deepEqual(
        order.toSorted((a, b) => a - b),
        all,
      );
    assert.equal(new Set(orders.map(String)).size, orders.length);
    assert.deepEqual([...epochOrder(1, 2, n)], orders[5]);
  });
});
