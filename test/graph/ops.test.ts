import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import type { Feed } from '../../server/device/program.ts';
import * as functions from '../../server/graph/functions.ts';
import { differentiableOps, gradient } from '../../server/graph/gradient.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph, GraphError, nodeOf, size, type Tensor, type TensorData } from '../../server/graph/tensor.ts';
import { Random } from '../../server/random.ts';
import { onEachDevice } from '../support/devices.ts';
import { assertClose, differences, type NdArray } from '../support/reference.ts';
import type { Given, OpCase } from './case.ts';
import { functionCases } from './function-cases.ts';
import { opCases } from './op-cases.ts';
import { shapeCases } from './shape-cases.ts';

const cases: readonly OpCase[] = [...opCases, ...shapeCases, ...functionCases];

/** Single precision against float64, on sums of a few dozen products. */
const valueTolerance = 2e-5;
const gradientTolerance = 1e-4;

function draw(given: Given, random: Random): NdArray {
  const whole = given.dtype !== 'float32';
  const data = Float64Array.from({ length: size(given.shape) }, (_, i) => {
    const value = given.values?.[i] ?? given.low + (given.high - given.low) * random.uniform();
    return whole ? Math.floor(value) : Math.fround(value);
  });
  return { shape: given.shape, data };
}

function typed(given: Given, { data }: NdArray): TensorData {
  if (given.dtype === 'float32') return Float32Array.from(data);
  if (given.dtype === 'int32') return Int32Array.from(data);
  if (given.dtype === 'bool') return Uint8Array.from(data);
  return BigInt64Array.from(data, (v) => BigInt(v));
}

/** The case as a graph: `y`, and the gradients of sum(y * seed) for its float32 inputs. */
function caseGraph(c: OpCase) {
  const graph = new Graph();
  const inputs = c.inputs.map(({ dtype, shape }, i) => graph.input(`x${i}`, dtype, shape));
  const y = c.build(...inputs);
  const outputs: Record<string, Tensor> = { y };
  const wanted = inputs.flatMap((x, i) => (x.dtype === 'float32' && !c.fixed?.includes(i) ? [i] : []));
  if (wanted.length > 0) {
    const seed = graph.input('seed', 'float32', y.shape);
    const loss = ops.sum(ops.mul(ops.cast(y, 'float32'), seed));
    const gradients = gradient(
      loss,
      wanted.map((i) => inputs[i]),
    );
    for (const [k, i] of wanted.entries()) outputs[`d${i}`] = gradients[k];
  }
  return { inputs, y, outputs, wanted };
}

/** Ops through whose own rule a gradient passes from `y` to an input: not those behind a custom gradient. */
function opsOnTheWay(y: Tensor): Set<string> {
  const seen = new Set<string>();
  const stack = [y];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    const node = nodeOf(t);
    if (node === undefined) continue;
    if (node.custom === undefined) seen.add(node.op);
    stack.push(...(node.custom?.inputs ?? node.inputs));
  }
  return seen;
}

/** What is computed entry by entry of two. */
const entrywise = new Set(['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'equal', 'greater', 'and', 'or']);

/**
 * Without those entrywise functions at shapes that another was tried at, once they were tried at some: on a WebGPU in software each is a
 * shader more that is compiled. Every function and every pair of shapes stays.
 */
function withoutRepetitions(): Set<OpCase> {
  const seen = new Set<string>();
  return new Set(
    cases.filter(({ of, inputs }) => {
      if (!entrywise.has(of)) return true;
      const keys = [`${of} ${inputs.map(({ dtype }) => dtype)}`, inputs.map(({ shape }) => `[${shape}]`).join()];
      const fresh = keys.some((key) => !seen.has(key));
      for (const key of keys) seen.add(key);
      return fresh;
    }),
  );
}

function title(c: OpCase): string {
  return `${c.of} of ${c.inputs.map((g) => `${g.dtype}[${g.shape}]`).join(' ')}`;
}

describe('ops and functions', () => {
  onEachDevice((device, name) => {
    const tried = name === 'cpu' || process.env.COLA_SLOW === '1' ? new Set(cases) : withoutRepetitions();
    for (const [number, c] of cases.entries()) {
      if (!tried.has(c)) continue;
      it(`${title(c)} (case ${number})`, async () => {
        const random = new Random(number + 1);
        const arrays = c.inputs.map((given) => draw(given, random));
        const { y, outputs, wanted } = caseGraph(c);
        const seed: NdArray = {
          shape: y.shape,
          data: Float64Array.from({ length: size(y.shape) }, () => Math.fround(random.normal())),
        };
        const feeds: Record<string, Feed> = { seed: Float32Array.from(seed.data) };
        for (const [i, given] of c.inputs.entries()) feeds[`x${i}`] = typed(given, arrays[i]);

        // Strict: every node, forward and backward, runs on the device under test.
        const program = await device().compile(outputs, { strict: true });
        const results = await program.run(feeds);
        const read = async (name: string) => [...(await results[name].read())].map(Number);

        const expected = c.reference(...arrays);
        assert.deepEqual([...y.shape], [...expected.shape]);
        assertClose(await read('y'), expected.data, valueTolerance, 'y');
        for (const i of wanted) {
          const loss = (x: NdArray) =>
            c.reference(...arrays.map((a, j) => (j === i ? x : a))).data.reduce((n, v, k) => n + v * seed.data[k], 0);
          const slopes = c.smooth ? differences(loss, arrays[i]) : new Float64Array(arrays[i].data.length);
          assertClose(await read(`d${i}`), slopes, gradientTolerance, `gradient of input ${i}`);
        }
        for (const buffer of Object.values(results)) buffer.release();
        await program.dispose();
      });
    }
  });

  it('the table has every export, and each case builds with the one it is named after', () => {
    const exports = new Map<string, unknown>([...Object.entries(ops), ...Object.entries(functions)]);
    // Works on shapes only; it has a test of its own below.
    exports.delete('broadcastShapes');
    const missing = [...exports.keys()].filter((name) => !cases.some((c) => c.of === name));
    assert.deepEqual(missing, []);
    for (const c of cases) {
      const calls = new RegExp(`\\b${c.of}\\(`).test(c.build.toString());
      assert(c.build === exports.get(c.of) || calls, title(c));
    }
  });

  it('every rule of the gradient table is compared with differences', () => {
    const covered = new Set<string>();
    for (const c of cases.filter((each) => each.smooth)) {
      for (const op of opsOnTheWay(caseGraph(c).y)) covered.add(op);
    }
    assert.deepEqual(
      differentiableOps.filter((op) => !covered.has(op)),
      [],
    );
  });

  it('broadcastShapes aligns on the right', () => {
    assert.deepEqual(ops.broadcastShapes([2, 1, 3], [4, 1]), [2, 4, 3]);
    assert.deepEqual(ops.broadcastShapes([], [2]), [2]);
    assert.deepEqual(ops.broadcastShapes([0, 1], [3]), [0, 3]);
    assert.throws(() => ops.broadcastShapes([2, 3], [2]), new GraphError('shapes [2,3] and [2] do not broadcast'));
  });
});

describe('rows that are summed into a table', () => {
  it('are added one after the other where two go to one place, whatever number of threads there is', async () => {
    const [n, d, count] = [900, 320, 2000];
    const random = new Random(7);
    // Most of them to few places, as tokens of a text.
    const ids = Int32Array.from({ length: n }, () => Math.floor(random.uniform() ** 3 * 300));
    const rows = Float32Array.from({ length: n * d }, () => random.normal());
    const expected = new Float32Array(count * d);
    for (const [i, id] of ids.entries()) for (let j = 0; j < d; j++) expected[id * d + j] += rows[i * d + j];
    for (const threads of [1, 2, 4]) {
      const device = await Device.open('cpu', { threads });
      const program = await device.program((graph) => ({
        y: ops.sumRows(graph.input('ids', 'int32', [n]), graph.input('rows', 'float32', [n, d]), count),
      }));
      for (let round = 0; round < 10; round++) {
        const { y } = await program.run({ ids, rows });
        const got = await y.readFloats();
        y.release();
        assert.ok(
          got.every((value, i) => value === expected[i]),
          `${threads} threads, round ${round}`,
        );
      }
      await program.dispose();
      await device.dispose();
    }
  });
});

describe('ops refuse', () => {
  const g = new Graph();
  const x = g.input('x', 'float32', [2, 3]);
  const ids = g.input('ids', 'int32', [2]);
  const wide = g.input('wide', 'int64', [2, 1]);
  const flag = g.input('flag', 'bool', [2, 3]);
  const refusals: [what: string, make: () => unknown, says: RegExp][] = [
    ['two dtypes', () => ops.add(x, g.input('i', 'int32', [2, 3])), /^Add: float32 with int32$/],
    ['shapes that do not broadcast', () => ops.mul(x, g.input('y', 'float32', [2])), /\[2,3\] and \[2\]/],
    ['where without a condition', () => ops.where(x, x, x), /^where/],
    ['where of two dtypes', () => ops.where(flag, x, ids), /^where/],
    ['matmul of wrong inner sizes', () => ops.matmul(x, x), /^matmul: \[2,3\] x \[2,3\]$/],
    ['matmul of a vector', () => ops.matmul(x, g.input('v', 'float32', [3])), /^matmul/],
    ['gemm of wrong inner sizes', () => ops.gemm(x, x), /^gemm: \[2,3\] x \[2,3\]$/],
    [
      'gemm of turned wrong inner sizes',
      () => ops.gemm(x, g.input('m', 'float32', [4, 4]), true, true),
      /^gemm: \[2,3\]' x \[4,4\]'$/,
    ],
    ['gemm of a cube', () => ops.gemm(g.input('c', 'float32', [1, 2, 3]), x), /^gemm/],
    ['an axis that is not there', () => ops.sum(x, [2]), /^axis 2 of \[2,3\]$/],
    ['a negative axis too far', () => ops.mean(x, [-3]), /^axis -3 of/],
    ['rmsNorm with another width', () => ops.rmsNorm(x, g.parameter('w', [2]), 1e-5), /^rmsNorm: \[2,3\] with \[2\]$/],
    ['rotary of three axes', () => ops.rotary(x, wide, x, x), /^rotary/],
    ['a rank beyond the row', () => ops.kthLargest(x, 4), /^kthLargest: 4 of \[2,3\]$/],
    ['reshape to another size', () => ops.reshape(x, [4]), /^reshape: \[2,3\] to \[4\]$/],
    ['reshape that does not divide', () => ops.reshape(x, [-1, 4]), /^reshape: \[2,3\] to \[-1,4\]$/],
    ['expand to a smaller shape', () => ops.expand(x, [3]), /^expand: \[2,3\] to \[3\]$/],
    ['an empty slice', () => ops.slice(x, 1, 1, 1), /^slice 1\.\.1 of \[2,3\]$/],
    ['a slice beyond the end', () => ops.slice(x, 1, 0, 4), /^slice 0\.\.4/],
    [
      'concat of other widths',
      () => ops.concat([x, g.input('z', 'float32', [2, 4])], 0),
      /^concat: \[2,4\] to \[2,3\]$/,
    ],
    ['gather with int64 ids', () => ops.gather(x, wide), /^gather: ids are int32, not int64$/],
    ['pick with other rows', () => ops.pick(x, g.input('j', 'int32', [3])), /^pick: \[3\] of \[2,3\]$/],
    ['scatter with int32 indices', () => ops.scatter(x, ids, x), /^scatter: indices are int64$/],
    [
      'a tensor of another graph',
      () => ops.add(x, new Graph().input('x', 'float32', [2, 3])),
      /^Add: a tensor of another graph$/,
    ],
    ['a name twice', () => g.input('x', 'float32', []), /^the name x is taken$/],
    [
      'a parameter of two shapes',
      () => [g.parameter('p', [1]), g.parameter('p', [2])],
      /^parameter p is \[1\] and \[2\]$/,
    ],
    ['a parameter named as an input', () => g.parameter('x', [2]), /^the name x is taken$/],
    [
      'a constant of the wrong length',
      () => g.constant(new Float32Array(3), 'float32', [2]),
      /^constant of 3 elements for shape \[2\]$/,
    ],
    ['a shape that is no shape', () => g.input('bad', 'float32', [1.5]), /^bad shape \[1\.5\]$/],
  ];
  for (const [what, make, says] of refusals) {
    it(what, () => {
      assert.throws(make, (error: unknown) => error instanceof GraphError && says.test(error.message));
    });
  }
});
