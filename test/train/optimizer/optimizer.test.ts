import assert from 'node:assert/strict';
import type { Device } from '../../../server/device/device.ts';
import { ShapedPrograms } from '../../../server/device/shaped-programs.ts';
import { Random } from '../../../server/random.ts';
import { matricesDecay, Optimizer, type OptimizerOptions } from '../../../server/train/optimizer/optimizer.ts';
import type { StepProgram } from '../../../server/train/optimizer/step-program.ts';
import { onEachDevice } from '../../support/devices.ts';
import { assertClose } from '../../support/reference.ts';
import {
  type Batch,
  drawBatch,
  objective,
  Reference,
  readWeights,
  trainable,
  weightState,
} from '../../support/regression.ts';

// An epsilon this large makes the size of the gradients matter, which Adam otherwise divides out.
const options: OptimizerOptions = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 0.1,
  weightDecay: 0.1,
  clipNorm: Number.POSITIVE_INFINITY,
  decays: matricesDecay,
};

/** Weights and optimiser for micro-batches of `rows` rows; what `use` does with them ends with both disposed. */
async function training<T>(
  device: Device,
  rows: number,
  settings: OptimizerOptions,
  use: (optimizer: Optimizer, read: () => Promise<number[]>) => Promise<T>,
): Promise<T> {
  const weights = await weightState(device);
  const optimizer = await Optimizer.create(device, objective(rows), trainable, weights, [], settings);
  try {
    return await use(optimizer, () => readWeights(weights));
  } finally {
    await optimizer.dispose();
    weights.dispose();
  }
}

const feeds = (...batches: Batch[]) => batches.map((batch) => ({ ...batch }));

describe('the optimiser', () => {
  onEachDevice((device, name) => {
    for (const clipNorm of [Number.POSITIVE_INFINITY, 0.5]) {
      it(`follows a float64 reference, clipped to ${clipNorm}`, async () => {
        const reference = new Reference({ ...options, clipNorm });
        const random = new Random(1);
        await training(device(), 8, { ...options, clipNorm }, async (optimizer, read) => {
          let clipped = 0;
          for (let step = 0; step < 20; step++) {
            const batch = drawBatch(8, random);
            const rate = 0.1 / (step + 1);
            const expected = reference.step(batch, rate);
            const actual = await optimizer.step(feeds(batch), rate);
            // The norm is reported as it was before clipping.
            assertClose([actual.loss, actual.gradientNorm], [expected.loss, expected.gradientNorm], 1e-5, 'loss, norm');
            if (expected.gradientNorm > clipNorm) clipped++;
          }
          assertClose(await read(), reference.weights, 1e-5, 'weights');
          assert(clipNorm === Number.POSITIVE_INFINITY ? clipped === 0 : clipped > 10);
        });
      });
    }

    it('makes one batch of four micro-batches', async () => {
      const whole = drawBatch(8, new Random(2));
      const parts = [0, 1, 2, 3].map((i) => ({
        x: whole.x.slice(i * 6, i * 6 + 6),
        y: whole.y.slice(i * 4, i * 4 + 4),
      }));
      const settings = { ...options, clipNorm: 0.5 };
      const run = (rows: number, batches: Batch[]) =>
        training(device(), rows, settings, async (optimizer, read) => {
          // Twice: what the first step added up must not reach the second.
          await optimizer.step(feeds(...batches), 0.1);
          const { loss, gradientNorm, metrics } = await optimizer.step(feeds(...batches), 0.1);
          return { numbers: [loss, gradientNorm], weights: await read(), errors: metrics.map((m) => [...m.errors]) };
        });
      const [one, four] = [await run(8, [whole]), await run(2, parts)];
      assertClose(four.numbers, one.numbers, 2e-6);
      assertClose(four.weights, one.weights, 2e-6);
      assert.deepEqual(
        four.errors.map((rows) => rows.length),
        [2, 2, 2, 2],
      );
      assertClose(four.errors.flat(), one.errors.flat(), 2e-6);
    });

    it('gives the same bits where programs of other shapes have to end before its own', async () => {
      const run = async (room: number) => {
        const weights = await weightState(device());
        const programs = new ShapedPrograms<StepProgram>(room);
        const optimizer = await Optimizer.create(device(), undefined, trainable, weights, [], options, {}, programs);
        try {
          const random = new Random(4);
          const kept: number[] = [];
          for (const rows of [8, 2, 8, 5, 2]) {
            await optimizer.prepare(`${rows}`, () => objective(rows));
            await optimizer.step(feeds(drawBatch(rows, random)), 0.1, `${rows}`);
            kept.push(programs.count);
          }
          return { kept, weights: await readWeights(weights) };
        } finally {
          await optimizer.dispose();
          weights.dispose();
        }
      };
      const [all, one] = [await run(Number.POSITIVE_INFINITY), await run(0)];
      assert.deepEqual(all.kept, [1, 2, 2, 3, 3]);
      assert.deepEqual(one.kept, [1, 1, 1, 1, 1]);
      assert.deepEqual(one.weights, all.weights);
    });

    for (const [what, spoil] of [
      ['a NaN', Number.NaN],
      ['an infinity', Number.POSITIVE_INFINITY],
    ] as const) {
      it(`stops at ${what} with the weights as they were, and can go on`, async () => {
        const good = [0, 1].map((seed) => drawBatch(8, new Random(seed)));
        const bad = drawBatch(8, new Random(3));
        bad.x[5] = spoil;
        const untroubled = await training(device(), 8, options, async (optimizer, read) => {
          for (const batch of good) await optimizer.step(feeds(batch), 0.1);
          return read();
        });
        await training(device(), 8, options, async (optimizer, read) => {
          await optimizer.step(feeds(good[0]), 0.1);
          const before = await read();
          await assert.rejects(optimizer.step(feeds(bad), 0.1), { id: 'train.diverged' });
          // Also where only a later micro-batch is bad.
          await assert.rejects(optimizer.step(feeds(good[0], bad), 0.1), { id: 'train.diverged' });
          assert.deepEqual(await read(), before);
          await optimizer.step(feeds(good[1]), 0.1);
          assert.deepEqual(await read(), untroubled);
        });
      });
    }

    it('continues from what it saved as if it had not stopped', async () => {
      const batches = Array.from({ length: 6 }, (_, i) => drawBatch(8, new Random(10 + i)));
      const straight = await training(device(), 8, options, async (optimizer, read) => {
        for (const batch of batches) await optimizer.step(feeds(batch), 0.1);
        return read();
      });
      const weights = await weightState(device());
      const first = await Optimizer.create(device(), objective(8), trainable, weights, [], options);
      for (const batch of batches.slice(0, 3)) await first.step(feeds(batch), 0.1);
      const { tensors, updates } = await first.save();
      assert.equal(updates, 3);
      assert.deepEqual([...tensors.keys()].sort(), ['first.b', 'first.w', 'second.b', 'second.w']);
      const copy = new Map([...tensors].map(([key, { shape, data }]) => [key, { shape, data: data.slice() }]));
      await first.dispose();

      const second = await Optimizer.create(device(), objective(8), trainable, weights, [], options);
      await second.restore(copy, updates);
      for (const batch of batches.slice(3)) await second.step(feeds(batch), 0.1);
      // Bit for bit on the CPU.
      if (name === 'cpu') assert.deepEqual(await readWeights(weights), straight);
      else assertClose(await readWeights(weights), straight, 1e-6);
      // The checkpoint is the caller's: training on does not change it.
      for (const batch of batches) await second.step(feeds(batch), 0.1);
      await second.restore(copy, updates);
      for (const [key, { data }] of (await second.save()).tensors) assert.deepEqual(data, copy.get(key)?.data, key);

      for (const key of copy.keys()) {
        const short = new Map([...copy, [key, { shape: [1], data: new Float32Array(1) }]]);
        await assert.rejects(second.restore(short, updates), { id: 'train.checkpointMismatch' });
        short.delete(key);
        await assert.rejects(second.restore(short, updates), { id: 'train.checkpointMismatch' });
      }
      await second.dispose();
      weights.dispose();
    });
  });
});
