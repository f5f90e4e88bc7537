import assert from 'node:assert/strict';
import { State } from '../../server/device/program.ts';
import * as functions from '../../server/graph/functions.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph, size } from '../../server/graph/tensor.ts';
import { Random } from '../../server/random.ts';
import { matricesDecay, Optimizer } from '../../server/train/optimizer/optimizer.ts';
import { onEachDevice } from '../support/devices.ts';

const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1, decays: matricesDecay };
const steps = process.env.COLA_SLOW ? 2000 : 30;
const warmUp = 15;
/**
 * Growth that is allowed after the warm-up, in MiB. Weights and gradients have 256 KiB each, so that one forgotten tensor a step would
 * show as 7.5 MiB in the short form and as 500 MiB in the long one.
 */
const allowed = process.env.COLA_SLOW ? 12 : 6;

const mebibytes = () => {
  globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
};

describe('a training step repeated', () => {
  onEachDevice((device) => {
    it(`does not grow in ${steps} steps`, async function () {
      this.timeout(600_000);
      assert(globalThis.gc !== undefined, 'run with --expose-gc');
      const [rows, width] = [8, 256];
      const graph = new Graph();
      const shape = [width, width];
      const x = graph.input('x', 'float32', [rows, width]);
      const hidden = ops.tanh(functions.linear(x, graph.parameter('a', shape)));
      const error = ops.sub(hidden, x);
      const objective = { loss: ops.mean(ops.mul(error, error)), metrics: { hidden } };
      const random = new Random(1);
      const weights = new State();
      const draw = (n: number) => Float32Array.from({ length: n }, () => 0.1 * random.normal());
      weights.set('a', await device().upload(draw(size(shape)), 'float32', shape));
      const optimizer = await Optimizer.create(device(), objective, ['a'], weights, [], settings);
      const batch = { x: draw(rows * width) };
      const train = async (count: number) => {
        for (let step = 0; step < count; step++) await optimizer.step([batch, batch], 1e-4);
      };

      try {
        await train(warmUp);
        // What is forgotten with every step grows every time; the heap and compiled code of the process may settle once or twice.
        const growths: number[] = [];
        do {
          const [before, ledger] = [mebibytes(), { ...device().ledger }];
          await train(steps);
          growths.push(mebibytes() - before);
          assert.deepEqual({ ...device().ledger }, ledger);
        } while (growths.at(-1)! >= allowed && growths.length < 4);
        const words = growths.map((growth) => growth.toFixed(1)).join(', then ');
        assert(growths.at(-1)! < allowed, `${words} MiB more after ${steps} steps each`);
      } finally {
        await optimizer.dispose();
        weights.dispose();
      }
    });
  });
});
