import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import { State } from '../../server/device/program.ts';
import { inputName, outputName, writeOnnx } from '../../server/graph/onnx.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { onEachDevice } from '../support/devices.ts';
import { evaluate } from '../support/evaluate.ts';

describe('the ONNX model', () => {
  it('has the inputs that its outputs need, then the parameters that are not frozen', () => {
    const g = new Graph();
    const w = g.parameter('w', [2]);
    const frozen = g.parameter('frozen', [2]);
    const b = g.input('b', 'float32', [2]);
    g.input('unused', 'float32', [2]);
    const a = g.input('a', 'float32', [2]);
    g.parameter('unused weight', [2]);
    const y = ops.add(ops.mul(a, w), ops.mul(b, frozen));
    const model = writeOnnx({ y }, new Map([['frozen', Float32Array.of(1, 2)]]));
    assert.deepEqual(model.inputs.map(inputName), ['b', 'a', 'w']);
    assert.deepEqual(model.outputs, ['y']);
  });

  it('is the same bytes for the same graph', () => {
    const bytes = () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [2, 2]);
      return writeOnnx({ y: ops.softmax(ops.matmul(x, g.parameter('w', [2, 2]))) }).bytes;
    };
    assert.deepEqual(bytes(), bytes());
  });

  it('names outputs apart from inputs', () => {
    assert.notEqual(outputName('x'), inputName(new Graph().input('x', 'float32', [])));
  });

  onEachDevice((device, deviceName) => {
    it('may return inputs, parameters, constants, and one tensor under two names', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [2]);
      const w = g.parameter('w', [2]);
      const frozen = g.parameter('frozen', [2]);
      const y = ops.add(x, 1);
      const outputs = { x, again: x, w, frozen, constant: g.scalar(7), y, z: y, after: ops.mul(y, 2) };
      const values = await evaluate(
        device(),
        outputs,
        { x: Float32Array.of(1, 2), w: Float32Array.of(3, 4) },
        { frozen: new Map([['frozen', Float32Array.of(5, 6)]]) },
      );
      assert.deepEqual(values, {
        x: [1, 2],
        again: [1, 2],
        w: [3, 4],
        frozen: [5, 6],
        constant: [7],
        y: [2, 3],
        z: [2, 3],
        after: [4, 6],
      });
    });

    it('takes names with dots, slashes, blanks and other scripts', async () => {
      const g = new Graph();
      const x = g.input('model.layers.0/q proj ≤ 漢', 'float32', [1]);
      const values = await evaluate(device(), { 'y.ü/ 1': ops.add(x, 1) }, { [inputName(x)]: Float32Array.of(1) });
      assert.deepEqual(values, { 'y.ü/ 1': [2] });
    });

    it('carries integers, negative ones and attributes of every kind', async () => {
      const g = new Graph();
      const x = g.input('x', 'int32', [2, 2]);
      const low = g.constant(Int32Array.of(-(2 ** 31), 2 ** 31 - 1), 'int32', [2]);
      const turned = ops.transpose(x, [1, 0]);
      const values = await evaluate(
        device(),
        { y: ops.add(turned, low), c: ops.concat([turned, x], -1) },
        { x: Int32Array.of(1, 2, -1, -2) },
      );
      assert.deepEqual(values, {
        y: [-(2 ** 31) + 1, 2 ** 31 - 2, -(2 ** 31) + 2, 2 ** 31 - 3],
        c: [1, -1, 1, 2, 2, -2, -1, -2],
      });
    });

    it('takes large frozen weights from memory beside the model, once', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [1, 3]);
      const n = 2048;
      const y = ops.add(ops.matmul(x, g.parameter('w', [3, n])), g.parameter('b', [n]));
      const w = Float32Array.from({ length: 3 * n }, (_, i) => (i < n ? 1 : i < 2 * n ? 2 : 3));
      // A view shows that offsets into its buffer are respected.
      const b = Float32Array.from({ length: n + 2 }, (_, i) => i - 2).subarray(2);
      const program = await device().compile(
        { y },
        {
          frozen: new Map([
            ['w', w],
            ['b', b],
          ]),
        },
      );
      w.fill(0);
      b.fill(0);
      const { y: result } = await program.run({ x: Float32Array.of(1, 10, 100) });
      const values = await result.readFloats();
      assert.deepEqual([values[0], values[7], values[n - 1]], [321, 328, 320 + n]);
      result.release();
      await program.dispose();
    });

    it('shares frozen weights above the limit: one copy, for as long as a program reads it', async () => {
      const own = await Device.open(deviceName, { shareFrom: 16 });
      const g = new Graph();
      const x = g.input('x', 'float32', [1, 3]);
      const wide = ops.matmul(x, g.parameter('w', [3, 2]));
      const frozen = new Map([
        ['w', Float32Array.of(1, 2, 3, 4, 5, 6)],
        ['b', Float32Array.of(0, 0, 100, 200).subarray(2)],
      ]);
      const options = { frozen, shared: true };
      const before = own.ledger.bytes;
      const one = await own.compile({ y: wide }, options);
      const two = await own.compile({ y: ops.add(wide, g.parameter('b', [2])) }, options);
      // w once, and b.
      assert.equal(own.ledger.bytes - before, 6 * 4 + 2 * 4);
      const run = async (program: typeof one) => {
        const { y } = await program.run({ x: Float32Array.of(1, 10, 100) });
        const values = [...(await y.read())];
        y.release();
        return values;
      };
      assert.deepEqual(await run(one), [531, 642]);
      await one.dispose();
      assert.deepEqual(await run(two), [531 + 100, 642 + 200]);
      await two.dispose();
      await new Promise(setImmediate);
      // What moved the weights to the device stays until it is disposed.
      await own.dispose();
      assert.deepEqual({ ...own.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    });

    it('updates a carried state, on the CPU in the memory it has', async () => {
      const g = new Graph();
      const cache = g.input('cache', 'float32', [2, 3, 2]);
      const slots = g.input('slots', 'int64', [1, 2]);
      const row = g.input('row', 'float32', [1, 2]);
      const next = ops.scatter(cache, slots, row);
      const program = await device().compile({ cache: next, total: ops.sum(next) }, { carried: ['cache'] });
      const state = new State();
      const memory = new Float32Array(12);
      state.set('cache', await device().upload(memory, 'float32', [2, 3, 2]));
      const first = state.get('cache');
      for (const [i, slot] of [
        [0, 0],
        [1, 2],
        [0, 1],
      ].entries()) {
        const feeds = { slots: BigInt64Array.from(slot, BigInt), row: Float32Array.of(i + 1, 10 * (i + 1)) };
        const { total, ...rest } = await program.run(feeds, { states: [state] });
        assert.deepEqual(Object.keys(rest), []);
        assert.deepEqual([...(await total.read())], [[11], [33], [66]][i]);
        total.release();
      }
      const expected = [1, 10, 3, 30, 0, 0, 0, 0, 0, 0, 2, 20];
      assert.deepEqual([...(await state.get('cache').read())], expected);
      if (device().onHost) {
        // The very bytes that were uploaded: no copy went between the runs.
        assert.equal(state.get('cache'), first);
        assert.equal(state.get('cache').host, memory);
        assert.deepEqual([...memory], expected);
      } else {
        assert.deepEqual([...memory], new Array(12).fill(0));
      }
      state.dispose();
      await program.dispose();
    });
  });
});
