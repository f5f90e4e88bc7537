import assert from 'node:assert/strict';
import fc from 'fast-check';
import { gradient } from '../../server/graph/gradient.ts';
import { liveness } from '../../server/graph/liveness.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph, type Tensor } from '../../server/graph/tensor.ts';

describe('liveness', () => {
  it('counts two tensors of a chain of products at a time', () => {
    const graph = new Graph();
    const a = graph.input('a', 'float32', [10, 10]);
    let x = a;
    for (let i = 0; i < 5; i++) x = ops.matmul(x, a);
    assert.deepEqual(liveness([x]), { peak: 800, at: 'MatMul', constants: 0, computed: 2000 });
  });

  it('lets some kernels write over what nobody needs', () => {
    const graph = new Graph();
    const a = graph.input('a', 'float32', [100]);
    const x = ops.tanh(ops.sigmoid(ops.tanh(a)));
    assert.equal(liveness([x]).peak, 400);
    const y = ops.tanh(ops.exp(a));
    assert.equal(liveness([ops.sigmoid(y), y]).peak, 800);
    // The kernels of arithmetic do not.
    assert.equal(liveness([ops.exp(ops.exp(a))]).peak, 800);
    assert.equal(liveness([ops.tanh(ops.add(y, ops.sqrt(y)))]).peak, 1200);
  });

  it('counts a view with what it shows', () => {
    const graph = new Graph();
    const a = graph.input('a', 'float32', [10, 10]);
    const x = ops.reshape(ops.matmul(a, a), [100]);
    const { peak, constants, computed } = liveness([x]);
    assert.deepEqual([peak - constants, computed], [400, 400]);
  });

  it('keeps what is read later, and outputs to the end', () => {
    const graph = new Graph();
    const a = graph.input('a', 'float32', [10, 10]);
    const early = ops.matmul(a, a);
    const late = ops.matmul(ops.matmul(ops.transposeLast(a), a), early);
    assert.equal(liveness([late]).peak, 3 * 400);
    assert.equal(liveness([late, early]).peak, 3 * 400);
    const other = ops.matmul(late, a);
    assert.equal(liveness([other]).peak, 3 * 400);
    assert.equal(liveness([other, early, late]).peak, 3 * 400);
  });

  it('counts nothing for outputs in memory of the caller, nor for inputs', () => {
    const graph = new Graph();
    const a = graph.input('a', 'float32', [10, 10]);
    const w = graph.parameter('w', [10, 10]);
    const x = ops.matmul(a, w);
    assert.equal(liveness([x], { outside: [x] }).peak, 0);
  });

  it('counts constants all the time', () => {
    const graph = new Graph();
    const c = graph.constant(new Float32Array(50), 'float32', [50]);
    const { peak, constants } = liveness([ops.exp(c)]);
    assert.deepEqual([peak, constants], [400, 200]);
  });

  it('is at least the largest tensor and at most all of them, with gradients too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 12 }),
        (kinds, picks) => {
          const graph = new Graph();
          const w = graph.parameter('w', [6, 6]);
          const made: Tensor[] = [w];
          for (const [i, kind] of kinds.entries()) {
            const a = made[picks[i]! % made.length]!;
            const b = made[picks[picks.length - 1 - i]! % made.length]!;
            made.push([ops.matmul(a, b), ops.add(a, b), ops.sigmoid(a), ops.transposeLast(a), ops.mul(a, 2)][kind]!);
          }
          const loss = ops.sum(made.at(-1)!);
          const outputs = [loss, ...gradient(loss, [w])];
          const { peak, computed, constants } = liveness(outputs);
          assert(peak <= computed + constants);
          assert(peak - constants >= 6 * 6 * 4);
        },
      ),
    );
  });
});
