import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import { ProgramCache } from '../../server/device/program-cache.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph } from '../../server/graph/tensor.ts';

const twice = (device: Device) => () => {
  const x = new Graph().input('x', 'float32', [2]);
  return device.compile({ y: ops.add(x, x) });
};

describe('the cache of programs', () => {
  it('compiles a key once, and forgets a failure', async () => {
    const device = await Device.open('cpu');
    const cache = new ProgramCache<string>();
    let tries = 0;
    const compile = () => {
      tries++;
      return tries === 1 ? Promise.reject(new Error('out of memory')) : twice(device)();
    };
    const first = await Promise.allSettled([cache.get('a', compile), cache.get('a', compile)]);
    assert.deepEqual(
      first.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(tries, 1);
    const [program, same] = await Promise.all([cache.get('a', compile), cache.get('a', compile)]);
    assert.equal(program, same);
    assert.equal(tries, 2);
    await cache.dispose();
    await device.dispose();
    assert.equal(device.ledger.programs, 0);
  });

  it('ends everything although one program could not be compiled, and one is not ready yet', async () => {
    const device = await Device.open('cpu');
    const cache = new ProgramCache<number>();
    const failing = cache.get(1, () => Promise.reject(new Error('no memory')));
    failing.catch(() => {});
    void cache.get(2, twice(device));
    await cache.dispose();
    assert.equal(device.ledger.programs, 0);
    const again = await cache.get(2, twice(device));
    const { y } = await again.run({ x: Float32Array.of(1, 2) });
    assert.deepEqual([...(await y.readFloats())], [2, 4]);
    y.release();
    await cache.dispose();
    await device.dispose();
  });
});
