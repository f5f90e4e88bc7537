import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { adamwModule } from '../../../scripts/wasm.ts';
import * as graph from '../../../server/graph/tensor.ts';
import { Random } from '../../../server/random.ts';
import { AdamWMemory, adamw, adamwOps, coefficients, sumOfSquares } from '../../../server/train/optimizer/adamw.ts';
import { adamwModule as assembled } from '../../../server/train/optimizer/adamw-module.ts';
import { onEachDevice } from '../../support/devices.ts';
import { evaluate } from '../../support/evaluate.ts';
import { assertClose } from '../../support/reference.ts';

const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
const n = 37;

interface Moments {
  readonly weights: number[];
  readonly first: number[];
  readonly second: number[];
}

/** Algorithm 2 of arXiv 1711.05101, line by line, in float64. */
function reference(gradients: readonly Float32Array[], start: ArrayLike<number>, rate: number, decay: number): Moments {
  const weights = Array.from(start);
  const [first, second] = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)];
  for (const [t, g] of gradients.entries()) {
    for (let i = 0; i < n; i++) {
      first[i] = settings.beta1 * first[i] + (1 - settings.beta1) * g[i];
      second[i] = settings.beta2 * second[i] + (1 - settings.beta2) * g[i] ** 2;
      const m = first[i] / (1 - settings.beta1 ** (t + 1));
      const v = second[i] / (1 - settings.beta2 ** (t + 1));
      weights[i] -= rate * (m / (Math.sqrt(v) + settings.epsilon) + decay * weights[i]);
    }
  }
  return { weights, first, second };
}

describe('AdamW', () => {
  const random = new Random(4);
  const draw = () => Float32Array.from({ length: n }, () => random.normal());
  const start = draw();
  const gradients = Array.from({ length: 10 }, draw);
  // Zero gradients from the start: nothing but decay may happen there, and no division by zero.
  for (const g of gradients) g[3] = 0;
  const rate = 0.01;

  for (const decay of [true, false]) {
    const expected = reference(gradients, start, rate, decay ? settings.weightDecay : 0);

    it(`as a loop is the published algorithm, ${decay ? 'with' : 'without'} decay`, () => {
      const [weights, first, second] = [start.slice(), new Float32Array(n), new Float32Array(n)];
      for (const [t, g] of gradients.entries()) {
        const step = { learningRate: rate, scale: 0.25, update: t + 1 };
        const scaled = g.map((v) => v * 4);
        adamw({ weights, gradients: scaled, first, second }, settings, step, decay);
      }
      assertClose(weights, expected.weights, 1e-6);
      assertClose(first, expected.first, 1e-6);
      assertClose(second, expected.second, 1e-6);
    });

    onEachDevice((device) => {
      it(`as graph ops is the same, ${decay ? 'with' : 'without'} decay`, async () => {
        const g = new graph.Graph();
        const input = (name: string) => g.input(name, 'float32', [n]);
        const scalar = (name: string) => g.input(name, 'float32', []);
        const next = adamwOps(input('weights'), input('gradients'), input('first'), input('second'), settings, {
          scale: scalar('scale'),
          keep: scalar('keep'),
          rate: scalar('rate'),
          correction: scalar('correction'),
        });
        let state: Moments = { weights: [...start], first: new Array(n).fill(0), second: new Array(n).fill(0) };
        for (const [t, gradient] of gradients.entries()) {
          const step = { learningRate: rate, scale: 0.25, update: t + 1 };
          const scalars = { scale: step.scale, ...coefficients(settings, step, decay) };
          const feeds = Object.fromEntries(Object.entries(scalars).map(([k, v]) => [k, Float32Array.of(v)]));
          const arrays = Object.fromEntries(Object.entries(state).map(([k, v]) => [k, Float32Array.from(v)]));
          const given = { ...feeds, ...arrays, gradients: gradient.map((v) => v * 4) };
          const { weights, first, second } = await evaluate(device(), { ...next }, given, { strict: true });
          state = { weights, first, second };
        }
        assertClose(state.weights, expected.weights, 3e-6);
        assertClose(state.first, expected.first, 1e-6);
        assertClose(state.second, expected.second, 1e-6);
      });
    });
  }

  it('sums squares of any length', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, min: -100, max: 100, maxLength: 50 }), (values) => {
        let expected = 0;
        for (const v of values) expected += v * v;
        assert(Math.abs(sumOfSquares(values) - expected) <= 1e-12 * expected);
      }),
    );
    assert.equal(sumOfSquares(Float32Array.of(1, Number.NaN)), Number.NaN);
  });

  it('is assembled from its source', async () => {
    assert.equal(await adamwModule(), readFileSync('server/train/optimizer/adamw-module.ts', 'utf8'));
    assert(WebAssembly.validate(Buffer.from(assembled, 'base64')));
  });

  it('gives the same bits wherever its arrays are, and memory that is full gives arrays from elsewhere', () => {
    const length = 20_001;
    const draws = Array.from({ length: 4 }, (_, i) =>
      Float32Array.from({ length }, () => (i === 3 ? random.uniform() : random.normal())),
    );
    const memory = new AdamWMemory(2 * (length + 4));
    const places = [
      draws.map((values) => values.slice()),
      draws.map((values, i) => {
        // The weights stay elsewhere; there is no room for the second moments.
        const array = i === 0 ? new Float32Array(length) : memory.floats(length);
        array.set(values);
        return array;
      }),
    ];
    assert.deepEqual(
      places[1].map((array) => array.buffer === memory.buffer),
      [false, true, true, false],
    );
    for (const [weights, g, first, second] of places) {
      adamw(
        { weights, gradients: g, first, second },
        settings,
        { learningRate: rate, scale: 0.5, update: 3 },
        true,
        memory,
      );
    }
    assert.deepEqual(places[1], places[0]);
  });

  it('works up to the last address that a module has, and beyond it elsewhere', () => {
    const memory = new AdamWMemory(2 ** 40);
    const length = 4096;
    // Most of it, which nothing touches, so that the next arrays are at the end.
    memory.floats(memory.buffer.byteLength / 4 - 7 * length);
    const arrays = () => Array.from({ length: 4 }, () => memory.floats(length).fill(0.5));
    const [weights, gradients, first, second] = arrays();
    assert.deepEqual(
      [weights, gradients, first, second].map(({ buffer }) => buffer === memory.buffer),
      [true, true, true, false],
    );
    assert.equal(memory.floats(8).buffer === memory.buffer, false);
    const [w, g, m, v] = Array.from({ length: 4 }, () => new Float32Array(length).fill(0.5));
    const step = { learningRate: rate, scale: 0.5, update: 3 };
    adamw({ weights, gradients, first, second }, settings, step, true, memory);
    adamw({ weights: w, gradients: g, first: m, second: v }, settings, step, true);
    assert.deepEqual([weights, first, second], [w, m, v]);
    assert.notEqual(weights[length - 1], 0.5);
  });

  for (const length of [1, 3, 4096, 4097, 10_000]) {
    it(`changes all of ${length} weights and nothing beside them`, () => {
      const around = Float32Array.from({ length: length + 2 }, () => random.normal());
      const [weights, all] = [around.subarray(1, length + 1), around.slice()];
      const moments = () => new Float32Array(length);
      const gradients = Float32Array.from({ length }, () => random.normal());
      const [first, second] = [moments(), moments()];
      adamw({ weights, gradients, first, second }, settings, { learningRate: rate, scale: 1, update: 1 }, false);
      // The first step is the rate, against the sign of the gradient.
      const expected = all.map((w, i) => (i === 0 || i > length ? w : w - rate * Math.sign(gradients[i - 1])));
      assertClose(around, expected, 1e-5);
      assertClose(
        first,
        gradients.map((g) => (1 - settings.beta1) * g),
        1e-6,
      );
    });
  }
});
