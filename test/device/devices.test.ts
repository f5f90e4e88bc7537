import assert from 'node:assert/strict';
import { candidates } from '../../server/device/device.ts';
import { Devices } from '../../server/device/devices.ts';
import { deviceNames } from '../../server/device/names.ts';
import * as ops from '../../server/graph/ops.ts';
import { errorOf } from '../store/scratch.ts';
import { onEachDevice } from '../support/devices.ts';

describe('the devices of a process', () => {
  it('are open once, from the first who takes them until the last lets go', async () => {
    const devices = new Devices();
    const [one, two] = await Promise.all([devices.take('cpu', { threads: 1 }), devices.take('cpu', { threads: 2 })]);
    assert.equal(one.device.ledger, two.device.ledger);
    assert.deepEqual(devices.names, ['cpu']);
    await one.release();
    await one.release();
    assert.deepEqual(devices.names, ['cpu']);
    const again = await devices.take('auto');
    assert.equal(again.attempts.at(-1)?.name, again.device.name);
    assert.equal(again.device.ledger === two.device.ledger, again.device.name === 'cpu');
    await again.release();
    await two.release();
    assert.deepEqual(devices.names, []);
    const anew = await devices.take('cpu');
    assert.notEqual(anew.device.ledger, two.device.ledger);
    await anew.release();
  });

  it('keep nothing of one that could not be opened', async () => {
    const devices = new Devices();
    const foreign = deviceNames.find((name) => !candidates().includes(name));
    assert(foreign !== undefined);
    await assert.rejects(devices.take(foreign), errorOf('device.unavailable', /cannot be used/));
    await assert.rejects(devices.take('tpu'), errorOf('device.unknown', /tpu/));
    assert.deepEqual(devices.names, []);
  });

  onEachDevice((device) => {
    it('have memory that is never written once, for programs and for all who hold it', async () => {
      const before = device().ledger.buffers;
      const made = () => device().ledger.buffers - before;
      const values = Float32Array.of(1, 2, 3, 4);
      const [one, other] = await Promise.all([device().hold(values, [2, 2]), device().hold(values, [2, 2])]);
      assert.equal(one, other);
      const computes = device().with({ threads: 1, shareFrom: 1 });
      const program = await computes.program(
        (graph) => ({ y: ops.matmul(graph.input('x', 'float32', [2, 2]), graph.parameter('w', [2, 2])) }),
        { frozen: new Map([['w', values]]), shared: true },
      );
      assert.equal(made(), 1);
      one.release();
      const { y } = await program.run({ x: Float32Array.of(1, 0, 0, 2) });
      assert.deepEqual([...(await y.readFloats())], [1, 2, 6, 8]);
      y.release();
      await program.dispose();
      assert.equal(made(), 1);
      assert.deepEqual([...(await other.readFloats())], [1, 2, 3, 4]);
      other.release();
      assert.equal(made(), 0);
      // Whoever comes later finds what the memory holds then.
      values[0] = 5;
      const later = await device().hold(values, [2, 2]);
      assert.deepEqual([...(await later.readFloats())], [5, 2, 3, 4]);
      later.release();
    });
  });
});
