import assert from 'node:assert/strict';
import fc from 'fast-check';
import { gradient } from '../../server/graph/gradient.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph, GraphError, type Tensor } from '../../server/graph/tensor.ts';
import { Random } from '../../server/random.ts';
import { onEachDevice } from '../support/devices.ts';
import { evaluate } from '../support/evaluate.ts';
import {
  assertClose,
  differences,
  from,
  map,
  matmul,
  type NdArray,
  reduce,
  rows,
  softmaxRow,
  total,
  transposeLast,
} from '../support/reference.ts';

describe('gradient', () => {
  onEachDevice((device, name) => {
    it('adds up over every use of a tensor', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [2]);
      const y = ops.mul(x, x);
      // y^2 + 3 y + x, with y used three times and x four: 4 x^3 + 6 x + 1.
      const loss = ops.sum(ops.add(ops.add(ops.mul(y, y), ops.mul(y, 3)), x));
      const { d } = await evaluate(device(), { d: gradient(loss, [x])[0] }, { x: Float32Array.of(2, -1) });
      assert.deepEqual(d, [45, -9]);
    });

    it('is zero for a tensor that the loss does not depend on', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [2]);
      const [near, apart, stopped] = gradient(ops.sum(ops.add(x, ops.stopGradient(g.parameter('stopped', [2])))), [
        x,
        g.parameter('apart', [2, 2]),
        g.parameter('stopped', [2]),
      ]);
      const values = await evaluate(device(), { near, apart, stopped }, { x: Float32Array.of(1, 2) });
      assert.deepEqual(values, { near: [1, 1], apart: [0, 0, 0, 0], stopped: [0, 0] });
    });

    it('passes a maximum of equals once', async () => {
      const g = new Graph();
      const [x, y] = [g.input('x', 'float32', [2]), g.input('y', 'float32', [2])];
      const [dx, dy] = gradient(ops.sum(ops.maximum(x, y)), [x, y]);
      const same = Float32Array.of(1, 2);
      const values = await evaluate(device(), { dx, dy }, { x: same, y: same });
      assert.deepEqual(
        values.dx.map((v, i) => v + values.dy[i]),
        [1, 1],
      );
    });

    it('can be taken for tensors in the middle', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', []);
      const middle = ops.exp(x);
      const [dm, dx] = gradient(ops.mul(middle, middle), [middle, x]);
      const { m, n } = await evaluate(device(), { m: dm, n: dx }, { x: Float32Array.of(0.5) });
      assertClose(m, [2 * Math.exp(0.5)], 1e-5);
      assertClose(n, [2 * Math.exp(1)], 1e-5);
    });

    it('is the custom one where there is one', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [3]);
      // The value is a square, the gradient that of 5 x.
      const y = g.withGradient(ops.mul(x, x), { inputs: [x], rule: (dy) => [ops.mul(dy, 5)] });
      const values = await evaluate(device(), { y, d: gradient(ops.sum(y), [x])[0] }, { x: Float32Array.of(1, 2, 3) });
      assert.deepEqual(values, { y: [1, 4, 9], d: [5, 5, 5] });
    });

    it('reaches a tensor only through a custom gradient', async () => {
      const g = new Graph();
      const x = g.input('x', 'float32', [2]);
      const soft = ops.mul(x, 3);
      // A straight-through estimator: the value does not need `soft`, the gradient goes there.
      const hard = g.withGradient(ops.cast(ops.greater(x, 0), 'float32'), { inputs: [soft], rule: (dy) => [dy] });
      const [d] = gradient(ops.sum(ops.mul(hard, 2)), [x]);
      assert.deepEqual((await evaluate(device(), { d }, { x: Float32Array.of(1, -1) })).d, [6, 6]);
    });

    it('matches differences in random graphs', async function () {
      this.timeout(600_000);
      const share = name === 'cpu' ? 1 : 0.25;
      const runs = share * (process.env.COLA_SLOW ? 1000 : 40);
      await fc.assert(
        fc.asyncProperty(expressions, fc.nat(), async (steps, seed) => {
          const random = new Random(seed);
          const leaves = [0, 1, 2].map(() => from([3, 3], () => Math.fround(random.normal())));
          const g = new Graph();
          const inputs = leaves.map((_, i) => g.input(`x${i}`, 'float32', [3, 3]));
          const loss = ops.mean(run(steps, inputs, (kind) => graphOps[kind]));
          const gradients = gradient(loss, inputs);
          const outputs = { loss, ...Object.fromEntries(gradients.map((d, i) => [`d${i}`, d])) };
          const feeds = Object.fromEntries(leaves.map((x, i) => [`x${i}`, Float32Array.from(x.data)]));
          // What the loss does not depend on is no input of the program.
          const given = await evaluate(device(), outputs, feeds);
          const reference = (arrays: readonly NdArray[]) => {
            const { data } = run(steps, arrays, (kind) => plainOps[kind]);
            return total([...data]) / data.length;
          };
          assertClose(given.loss, [reference(leaves)], 1e-4, 'loss');
          for (const [i, leaf] of leaves.entries()) {
            const slopes = differences((x) => reference(leaves.map((y, j) => (i === j ? x : y))), leaf);
            assertClose(given[`d${i}`], slopes, 1e-3, `gradient ${i}`);
          }
        }),
        { numRuns: runs, seed: 7 },
      );
    });
  });

  it('names the op without a rule', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const floor = g.node('Floor' as never, [x], 'float32', [2]);
    assert.throws(() => gradient(ops.sum(floor), [x]), new GraphError('Floor has no gradient'));
  });

  it('needs no rule where no gradient is asked for', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const y = g.input('y', 'float32', [2]);
    const [d] = gradient(ops.sum(ops.mul(g.node('Floor' as never, [x], 'float32', [2]), y)), [y]);
    assert.deepEqual(d.shape, [2]);
  });

  it('is of a scalar', () => {
    const x = new Graph().input('x', 'float32', [2]);
    assert.throws(() => gradient(x, [x]), new GraphError('gradient of a tensor of shape [2]'));
  });

  it('refuses a custom gradient of a wrong shape', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const y = g.withGradient(x, { inputs: [x], rule: (dy) => [ops.sum(dy)] });
    assert.throws(() => gradient(ops.sum(y), [x]), new GraphError('Identity: gradient [] for [2]'));
  });
});

/** Binary steps on 3 x 3 matrices that keep numbers small and have no kinks; unary ones ignore the second. */
type Binary<T> = (a: T, b: T) => T;

const graphOps = {
  add: ops.add,
  sub: ops.sub,
  gate: (a, b) => ops.mul(a, ops.sigmoid(b)),
  ratio: (a, b) => ops.div(a, ops.add(ops.exp(ops.tanh(b)), 0.5)),
  product: (a, b) => ops.tanh(ops.matmul(a, b)),
  turned: (a, b) => ops.tanh(ops.gemm(a, b, true, false)),
  softmax: (a) => ops.softmax(a),
  centred: (a) => ops.sub(a, ops.mean(a, [1], true)),
  columns: (a, b) => ops.add(ops.mul(ops.sum(a, [0]), 0.3), b),
  mixed: (a, b) => ops.concat([ops.slice(a, 1, 1, 3), ops.slice(b, 1, 0, 1)], 1),
  logs: (a, b) => ops.mul(ops.log(ops.add(ops.mul(a, a), 1)), ops.sqrt(ops.add(ops.mul(b, b), 1))),
} satisfies Record<string, Binary<Tensor>>;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const plainOps: Record<keyof typeof graphOps, Binary<NdArray>> = {
  add: (a, b) => map((x, y) => x + y, a, b),
  sub: (a, b) => map((x, y) => x - y, a, b),
  gate: (a, b) => map((x, y) => x * sigmoid(y), a, b),
  ratio: (a, b) => map((x, y) => x / (Math.exp(Math.tanh(y)) + 0.5), a, b),
  product: (a, b) => map(Math.tanh, matmul(a, b)),
  turned: (a, b) => map(Math.tanh, matmul(transposeLast(a), b)),
  softmax: (a) => rows(a, softmaxRow),
  centred: (a) => map((x, mean) => x - mean / 3, a, reduce(a, [1], true, total)),
  columns: (a, b) => map((x, y) => 0.3 * x + y, reduce(a, [0], false, total), b),
  mixed: (a, b) => from([3, 3], ([i, j]) => (j < 2 ? a.data[i * 3 + j + 1] : b.data[i * 3])),
  logs: (a, b) => map((x, y) => Math.log(x * x + 1) * Math.sqrt(y * y + 1), a, b),
};

interface Step {
  readonly kind: keyof typeof graphOps;
  readonly a: number;
  readonly b: number;
}

const kinds = Object.keys(graphOps) as (keyof typeof graphOps)[];
const expressions = fc.array(fc.record({ kind: fc.constantFrom(...kinds), a: fc.nat(), b: fc.nat() }), {
  minLength: 1,
  maxLength: 8,
});

/** Each step takes two of the values so far; the result is the sum of the last and of the one before it. */
function run<T>(steps: readonly Step[], leaves: readonly T[], op: (kind: Step['kind']) => Binary<T>): T {
  const values = [...leaves];
  for (const { kind, a, b } of steps) values.push(op(kind)(values[a % values.length], values[b % values.length]));
  return op('add')(values[values.length - 1], values[values.length - 2]);
}
