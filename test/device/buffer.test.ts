import assert from 'node:assert/strict';
import { giveBack } from '../../server/device/buffer.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph, type TensorData } from '../../server/graph/tensor.ts';
import { onEachDevice } from '../support/devices.ts';

const released = { id: 'device.released' };

describe('buffers', () => {
  onEachDevice((device) => {
    /** What is alive now, beside the transfer programs that the device keeps. */
    const alive = () => ({ buffers: device().ledger.buffers, bytes: device().ledger.bytes });

    const samples: [dtype: 'float32' | 'int32' | 'int64' | 'bool', data: TensorData][] = [
      ['float32', Float32Array.of(1.5, -0, 3.4e38, -1e-38, Number.POSITIVE_INFINITY, Number.NaN)],
      ['int32', Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31), 7, 9)],
      ['int64', BigInt64Array.of(0n, -1n, 2n ** 62n, -(2n ** 63n), 7n, 9n)],
      ['bool', Uint8Array.of(1, 0, 0, 1, 1, 0)],
    ];
    for (const [dtype, data] of samples) {
      it(`bring ${dtype} there and back`, async () => {
        for (const shape of [[6], [2, 3], [1, 6, 1]]) {
          const buffer = await device().upload(data, dtype, shape);
          assert.deepEqual(await buffer.read(), data);
          // Reading is no taking.
          assert.deepEqual(await buffer.read(), data);
          assert.equal(buffer.onHost, device().onHost);
          buffer.release();
        }
        const scalar = await device().upload(data.slice(0, 1), dtype, []);
        assert.deepEqual(await scalar.read(), data.slice(0, 1));
        scalar.release();
      });
    }

    it('are counted, with their bytes', async () => {
      assert.deepEqual(alive(), { buffers: 0, bytes: 0 });
      const a = await device().upload(new Float32Array(6), 'float32', [2, 3]);
      const b = await device().upload(new BigInt64Array(4), 'int64', [4]);
      assert.deepEqual(alive(), { buffers: 2, bytes: 24 + 32 });
      a.release();
      assert.deepEqual(alive(), { buffers: 1, bytes: 32 });
      b.release();
      assert.deepEqual(alive(), { buffers: 0, bytes: 0 });
    });

    it('stay until the last who retained them', async () => {
      const buffer = await device().upload(Float32Array.of(1, 2), 'float32', [2]);
      assert.equal(buffer.retain(), buffer);
      buffer.release();
      assert.deepEqual([...(await buffer.read())], [1, 2]);
      buffer.release();
      assert.deepEqual(alive(), { buffers: 0, bytes: 0 });
    });

    it('give memory of the host back at once, but for what somebody retained, is part of more, or is small', async () => {
      const floats = 2 ** 18;
      const whole = new Float32Array(floats);
      const retained = new Float32Array(floats);
      const more = new Float32Array(2 * floats);
      const given = [whole, retained, more.subarray(floats), new Float32Array(8)];
      const buffers = await Promise.all(given.map((data) => device().upload(data, 'float32', [data.length])));
      buffers[1]!.retain();
      giveBack(buffers);
      assert.deepEqual(alive(), { buffers: 1, bytes: 4 * floats });
      const left = device().onHost ? 0 : floats;
      assert.deepEqual(
        given.map(({ length }) => length),
        [left, floats, floats, 8],
      );
      giveBack([buffers[1]!]);
      assert.equal(retained.length, left);
      assert.deepEqual(alive(), { buffers: 0, bytes: 0 });
    });

    it('say so when they are used after their release', async () => {
      const g = new Graph();
      const program = await device().compile({ y: ops.add(g.input('x', 'float32', [2]), 1) });
      const buffer = await device().upload(Float32Array.of(1, 2), 'float32', [2]);
      buffer.release();
      await assert.rejects(buffer.read(), released);
      await assert.rejects(program.run({ x: buffer }), released);
      assert.throws(() => buffer.handle, released);
      assert.throws(() => buffer.retain(), released);
      assert.throws(() => buffer.release(), released);
      assert.deepEqual(alive(), { buffers: 0, bytes: 0 });
      await program.dispose();
    });

    it('are read as what they hold', async () => {
      const floats = await device().upload(Float32Array.of(1), 'float32', [1]);
      const ints = await device().upload(Int32Array.of(1), 'int32', [1]);
      assert.deepEqual([...(await floats.readFloats())], [1]);
      assert.deepEqual([...(await ints.readInts())], [1]);
      await assert.rejects(ints.readFloats(), /int32 buffer was read as float32/);
      await assert.rejects(floats.readInts(), /float32 buffer was read as int32/);
      if (device().onHost) assert.equal(floats.host.length, 1);
      else assert.throws(() => floats.host, /not in host memory/);
      floats.release();
      ints.release();
    });

    it('that nobody released stay in the ledger', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [3]);
      const program = await device().compile({ y: ops.add(x, 1), z: ops.mul(x, 2) }, { resident: ['z'] });
      const forgotten = [];
      for (let step = 1; step <= 4; step++) {
        const { y, z } = await program.run({ x: new Float32Array(3) });
        y.release();
        forgotten.push(z);
        assert.deepEqual(alive(), { buffers: step, bytes: 12 * step });
      }
      for (const z of forgotten) z.release();
      assert.deepEqual(alive(), { buffers: 0, bytes: 0 });
      await program.dispose();
    });
  });
});
