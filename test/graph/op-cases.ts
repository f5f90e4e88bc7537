/** The cases of the ops in `server/graph/ops.ts` that compute. */
import * as ops from '../../server/graph/ops.ts';
import {
  at,
  from,
  matmul,
  type NdArray,
  reduce,
  rows,
  softmaxRow,
  total,
  transposeLast,
} from '../support/reference.ts';
import {
  average,
  bool,
  each,
  flat,
  identity,
  ids,
  type OpCase,
  positive,
  real,
  sigmoid,
  smooth,
  values,
  wide,
} from './case.ts';

/** Elementwise, one input; also a scalar. */
const unary: OpCase[] = [[2, 3], []].flatMap((shape) => [
  smooth(
    'neg',
    [real(...shape)],
    ops.neg,
    each((x) => -x),
  ),
  smooth('exp', [real(...shape)], ops.exp, each(Math.exp)),
  smooth('log', [positive(...shape)], ops.log, each(Math.log)),
  smooth('sqrt', [positive(...shape)], ops.sqrt, each(Math.sqrt)),
  smooth(
    'reciprocal',
    [positive(...shape)],
    ops.reciprocal,
    each((x) => 1 / x),
  ),
  smooth('abs', [real(...shape)], ops.abs, each(Math.abs)),
  smooth('tanh', [real(...shape)], ops.tanh, each(Math.tanh)),
  smooth('sigmoid', [real(...shape)], ops.sigmoid, each(sigmoid)),
  flat('stopGradient', [real(...shape)], ops.stopGradient, identity),
  flat(
    'not',
    [bool(...shape)],
    ops.not,
    each((x) => 1 - x),
  ),
]);

/** Elementwise, two inputs: of one shape, both broadcast, a scalar, and of lower rank. */
const pairs = [
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[2, 3], []],
  [[3], [4, 3]],
];
const binary: OpCase[] = pairs.flatMap(([a, b]) => [
  smooth(
    'add',
    [real(...a), real(...b)],
    ops.add,
    each((x, y) => x + y),
  ),
  smooth(
    'sub',
    [real(...a), real(...b)],
    ops.sub,
    each((x, y) => x - y),
  ),
  smooth(
    'mul',
    [real(...a), real(...b)],
    ops.mul,
    each((x, y) => x * y),
  ),
  smooth(
    'div',
    [real(...a), positive(...b)],
    ops.div,
    each((x, y) => x / y),
  ),
  smooth('maximum', [real(...a), real(...b)], ops.maximum, each(Math.max)),
  smooth('minimum', [real(...a), real(...b)], ops.minimum, each(Math.min)),
  flat(
    'equal',
    [ids(3, ...a), ids(3, ...b)],
    ops.equal,
    each((x, y) => +(x === y)),
  ),
  flat(
    'greater',
    [real(...a), real(...b)],
    ops.greater,
    each((x, y) => +(x > y)),
  ),
  flat(
    'greater',
    [ids(4, ...a), ids(4, ...b)],
    ops.greater,
    each((x, y) => +(x > y)),
  ),
  flat(
    'and',
    [bool(...a), bool(...b)],
    ops.and,
    each((x, y) => x * y),
  ),
  flat(
    'add',
    [ids(9, ...a), ids(9, ...b)],
    ops.add,
    each((x, y) => x + y),
  ),
]);

/** Elementwise with a number, with itself, and with a condition. */
const elementwise: OpCase[] = [
  smooth(
    'add',
    [real(2, 3)],
    (x) => ops.add(x, 0.5),
    each((x) => x + 0.5),
  ),
  smooth(
    'sub',
    [real(2, 3)],
    (x) => ops.sub(x, -0.5),
    each((x) => x + 0.5),
  ),
  smooth(
    'mul',
    [real(2, 3)],
    (x) => ops.mul(x, x),
    each((x) => x * x),
  ),
  smooth(
    'div',
    [positive(2, 3)],
    (x) => ops.div(x, x),
    each(() => 1),
  ),
  smooth(
    'maximum',
    [real(4, 4)],
    (x) => ops.maximum(x, 0),
    each((x) => Math.max(x, 0)),
  ),
  smooth(
    'minimum',
    [real(4, 4)],
    (x) => ops.minimum(x, 0),
    each((x) => Math.min(x, 0)),
  ),
  smooth(
    'where',
    [bool(2, 3), real(2, 3), real(2, 3)],
    ops.where,
    each((c, x, y) => (c ? x : y)),
  ),
  smooth(
    'where',
    [bool(4, 1, 3), real(3), real(2, 1)],
    ops.where,
    each((c, x, y) => (c ? x : y)),
  ),
  flat(
    'where',
    [bool(2, 3), ids(5, 3), ids(5, 2, 1)],
    ops.where,
    each((c, x, y) => (c ? x : y)),
  ),
  flat('cast', [bool(2, 3)], (x) => ops.cast(x, 'float32'), identity),
  flat('cast', [bool(2, 3)], (x) => ops.cast(x, 'int32'), identity),
  flat('cast', [ids(9, 2, 3)], (x) => ops.cast(x, 'float32'), identity),
  flat('cast', [ids(9, 2, 3)], (x) => ops.cast(x, 'int32'), identity),
  flat('cast', [real(2, 3)], (x) => ops.cast(x, 'int32'), each(Math.trunc)),
];

const factors = [
  [
    [3, 4],
    [4, 2],
  ],
  [
    [2, 3, 4],
    [2, 4, 2],
  ],
  [
    [2, 1, 3, 4],
    [3, 4, 2],
  ],
  [
    [3, 4],
    [2, 4, 1],
  ],
];
const turn = (flip: boolean, x: NdArray) => (flip ? transposeLast(x) : x);
const flags = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
];
const products: OpCase[] = [
  ...factors.map(([a, b]) => smooth('matmul', [real(...a), real(...b)], ops.matmul, matmul)),
  ...flags.map(([ta, tb]) =>
    smooth(
      'gemm',
      [real(...(ta ? [4, 3] : [3, 4])), real(...(tb ? [2, 4] : [4, 2]))],
      (a, b) => ops.gemm(a, b, ta, tb),
      (a, b) => matmul(turn(ta, a), turn(tb, b)),
    ),
  ),
];

/** All axes, one, the last by -1, two; kept or not. */
const reductionAxes = [
  [undefined, [0, 1, 2], false],
  [undefined, [0, 1, 2], true],
  [[1], [1], false],
  [[-1], [2], true],
  [[0, 2], [0, 2], false],
  [[0, -1], [0, 2], true],
] as const;
const largest = (list: readonly number[]) => Math.max(...list);
const reductions: OpCase[] = [
  ...reductionAxes.flatMap(([axes, over, keep]) => [
    smooth(
      'sum',
      [real(2, 3, 4)],
      (x) => ops.sum(x, axes, keep),
      (x) => reduce(x, over, keep, total),
    ),
    smooth(
      'mean',
      [real(2, 3, 4)],
      (x) => ops.mean(x, axes, keep),
      (x) => reduce(x, over, keep, average),
    ),
    smooth(
      'sumOfSquares',
      [real(2, 3, 4)],
      (x) => ops.sumOfSquares(x, axes, keep),
      (x) => reduce(x, over, keep, (list) => total(list.map((v) => v * v))),
    ),
    flat(
      'max',
      [real(2, 3, 4)],
      (x) => ops.max(x, axes, keep),
      (x) => reduce(x, over, keep, largest),
    ),
  ]),
  smooth('sum', [real()], (x) => ops.sum(x), identity),
];

const firstMax = (x: NdArray) => reduce(x, [x.shape.length - 1], false, (row) => row.indexOf(largest(row)));
const normalise = (x: NdArray, weight: NdArray) =>
  rows(x, (row) => {
    const scale = 1 / Math.sqrt(average(row.map((v) => v * v)) + 1e-5);
    return row.map((v, i) => v * scale * weight.data[i]);
  });
const alongRows: OpCase[] = [
  flat('argmax', [real(6)], ops.argmax, firstMax),
  flat('argmax', [real(3, 5)], ops.argmax, firstMax),
  flat('argmax', [real(2, 2, 300)], ops.argmax, firstMax),
  // The lowest index among equals.
  flat('argmax', [values(real(3, 4), 1, 7, 7, 0, 3, 3, 3, 3, -1, -2, -2, -1)], ops.argmax, firstMax),
  flat('argmax', [values(real(2, 3), Number.NaN, Number.NaN, Number.NaN, 0, 2, 1)], ops.argmax, () => ({
    shape: [2],
    data: Float64Array.of(2, 1),
  })),
  ...[1, 2, 5].map((k) =>
    flat(
      'kthLargest',
      [real(3, 5)],
      (x) => ops.kthLargest(x, k),
      (x) => reduce(x, [1], true, (row) => row.sort((a, b) => b - a)[k - 1]),
    ),
  ),
  smooth('softmax', [real(2, 3, 4)], ops.softmax, (x) => rows(x, softmaxRow)),
  smooth('rmsNorm', [real(2, 3, 4), real(4)], (x, w) => ops.rmsNorm(x, w, 1e-5), normalise),
  smooth('rmsNorm', [real(2, 2, 3, 4), real(4)], (x, w) => ops.rmsNorm(x, w, 1e-5), normalise),
  smooth(
    'rotary',
    [real(2, 3, 4, 6), wide(5, 2, 4), real(5, 3), real(5, 3)],
    ops.rotary,
    (x, positions, cos, sin) =>
      from(x.shape, ([b, h, t, i]) => {
        const p = at(positions, [b, t]);
        const low = i < 3;
        const other = at(x, [b, h, t, low ? i + 3 : i - 3]);
        return at(x, [b, h, t, i]) * at(cos, [p, i % 3]) + (low ? -other : other) * at(sin, [p, i % 3]);
      }),
    [2, 3],
  ),
];

export const opCases: readonly OpCase[] = [
  ...unary,
  ...binary,
  ...elementwise,
  ...products,
  ...reductions,
  ...alongRows,
];
