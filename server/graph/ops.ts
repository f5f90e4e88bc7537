/**
 * The ops: each adds one ONNX node and knows its output's shape. Only ops that run on the CPU and on the WebGPU provider
 * are here. Elementwise binary ops broadcast as NumPy does. Gradients are in `gradient.ts`, one rule an op.
 */
import { type DType, GraphError, nodeOf, type Op, type Shape, sameShape, size, type Tensor } from './tensor.ts';

/** The shape two shapes broadcast to. */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new GraphError(`shapes [${a}] and [${b}] do not broadcast`);
    shape[i] = x === 1 ? y : x;
  }
  return shape;
}

function unary(op: Op, x: Tensor): Tensor {
  return x.graph.node(op, [x], x.dtype, x.shape);
}

function binary(op: Op, a: Tensor, b: Tensor | number, dtype?: DType): Tensor {
  const right = typeof b === 'number' ? a.graph.scalar(b, a.dtype === 'int32' ? 'int32' : 'float32') : b;
  if (a.dtype !== right.dtype) throw new GraphError(`${op}: ${a.dtype} with ${right.dtype}`);
  return a.graph.node(op, [a, right], dtype ?? a.dtype, broadcastShapes(a.shape, right.shape));
}

export const neg = (x: Tensor) => unary('Neg', x);
export const exp = (x: Tensor) => unary('Exp', x);
export const log = (x: Tensor) => unary('Log', x);
export const sqrt = (x: Tensor) => unary('Sqrt', x);
export const reciprocal = (x: Tensor) => unary('Reciprocal', x);
export const abs = (x: Tensor) => unary('Abs', x);
export const tanh = (x: Tensor) => unary('Tanh', x);
export const sigmoid = (x: Tensor) => unary('Sigmoid', x);
export const not = (x: Tensor) => unary('Not', x);
/** The same value; no gradient passes. */
export const stopGradient = (x: Tensor) => unary('Identity', x);

export const add = (a: Tensor, b: Tensor | number) => binary('Add', a, b);
export const sub = (a: Tensor, b: Tensor | number) => binary('Sub', a, b);
export const mul = (a: Tensor, b: Tensor | number) => binary('Mul', a, b);
export const div = (a: Tensor, b: Tensor | number) => binary('Div', a, b);
export const maximum = (a: Tensor, b: Tensor | number) => binary('Max', a, b);
export const minimum = (a: Tensor, b: Tensor | number) => binary('Min', a, b);
export const equal = (a: Tensor, b: Tensor | number) => binary('Equal', a, b, 'bool');
export const greater = (a: Tensor, b: Tensor | number) => binary('Greater', a, b, 'bool');
export const and = (a: Tensor, b: Tensor) => binary('And', a, b);

/** `condition ? a : b`, elementwise. */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  if (condition.dtype !== 'bool' || a.dtype !== b.dtype) throw new GraphError('where: needs bool, and two of one type');
  const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape));
  return a.graph.node('Where', [condition, a, b], a.dtype, shape);
}

const onnxType = { float32: 1, int32: 6, int64: 7, bool: 9 } as const satisfies Record<DType, number>;

export function cast(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x;
  return x.graph.node('Cast', [x], dtype, x.shape, { to: { int: onnxType[dtype] } });
}

/** Batched product `[..., M, K] x [..., K, N] -> [..., M, N]`; batch dimensions broadcast. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const [m, k] = a.shape.slice(-2);
  const [k2, n] = b.shape.slice(-2);
  if (a.shape.length < 2 || b.shape.length < 2 || k !== k2) throw new GraphError(`matmul: [${a.shape}] x [${b.shape}]`);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return a.graph.node('MatMul', [a, b], 'float32', [...batch, m, n]);
}

/** Product of two matrices, either of them transposed: `op(a) [M,K] x op(b) [K,N] -> [M,N]`. */
export function gemm(a: Tensor, b: Tensor, transA = false, transB = false): Tensor {
  if (a.shape.length !== 2 || b.shape.length !== 2) throw new GraphError(`gemm: [${a.shape}] x [${b.shape}]`);
  const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [k2, n] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  if (k !== k2) throw new GraphError(`gemm: [${a.shape}]${transA ? "'" : ''} x [${b.shape}]${transB ? "'" : ''}`);
  return a.graph.node('Gemm', [a, b], 'float32', [m, n], { transA: { int: +transA }, transB: { int: +transB } });
}

function axesOf(x: Tensor, axes: readonly number[]): number[] {
  return axes.map((axis) => {
    const a = axis < 0 ? axis + x.shape.length : axis;
    if (a < 0 || a >= x.shape.length) throw new GraphError(`axis ${axis} of [${x.shape}]`);
    return a;
  });
}

function reduce(op: Op, x: Tensor, axes: readonly number[] | undefined, keep: boolean): Tensor {
  const over = axesOf(x, axes ?? x.shape.map((_, i) => i));
  if (over.length === 0) return x;
  const shape = x.shape.flatMap((d, i) => (over.includes(i) ? (keep ? [1] : []) : [d]));
  return x.graph.node(op, [x, x.graph.int64s(over)], x.dtype, shape, { keepdims: { int: +keep } });
}

/** Sum over `axes` (all, if not given). */
export const sum = (x: Tensor, axes?: readonly number[], keep = false) => reduce('ReduceSum', x, axes, keep);
export const mean = (x: Tensor, axes?: readonly number[], keep = false) => reduce('ReduceMean', x, axes, keep);
/** Sum of the squares over `axes`. */
export const sumOfSquares = (x: Tensor, axes?: readonly number[], keep = false) =>
  reduce('ReduceSumSquare', x, axes, keep);
/** Maximum over `axes`. It has no gradient: it is used to shift exponents, where the gradient cancels. */
export const max = (x: Tensor, axes?: readonly number[], keep = false) => reduce('ReduceMax', x, axes, keep);

/** The largest whole number up to which float32 has all. */
const largestCount = 2 ** 24;

/**
 * Index of the largest entry along the last axis, the lowest among equals: `[..., n] -> [...]`, int32. Entries that equal the maximum
 * count n, n - 1, ... from the first on, the others 0, and the largest count is that of the first: ArgMax returns int64, and a Cast
 * from int64 would leave the GPU; Where is slow on the CPU.
 */
export function argmax(x: Tensor): Tensor {
  const n = x.shape[x.shape.length - 1];
  if (n > largestCount) throw new GraphError(`argmax: ${n} entries are more than float32 can count`);
  const counts = x.graph.constant(
    Float32Array.from({ length: n }, (_, i) => n - i),
    'float32',
    [n],
  );
  const first = max(mul(cast(equal(x, max(x, [-1], true)), 'float32'), counts), [-1]);
  // A row of NaN equals nothing and gets the last index, so that what is looked up with it exists.
  return cast(add(mul(maximum(first, 1), -1), n), 'int32');
}

/** The k-th largest entry of the last axis: `[..., n] -> [..., 1]`. It has no gradient. */
export function kthLargest(x: Tensor, k: number): Tensor {
  const n = x.shape[x.shape.length - 1];
  if (k < 1 || k > n) throw new GraphError(`kthLargest: ${k} of [${x.shape}]`);
  const shape = [...x.shape.slice(0, -1), k];
  const top = x.graph.node('TopK', [x, x.graph.int64s([k])], x.dtype, shape, { axis: { int: -1 } });
  return slice(top, -1, k - 1, k);
}

/** Softmax along the last axis. */
export const softmax = (x: Tensor) => x.graph.node('Softmax', [x], 'float32', x.shape, { axis: { int: -1 } });

/** x / sqrt(mean(x^2) + eps) * weight along the last axis; weight `[d]`. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  if (!sameShape(weight.shape, x.shape.slice(-1))) throw new GraphError(`rmsNorm: [${x.shape}] with [${weight.shape}]`);
  const attributes = { axis: { int: -1 }, epsilon: { float: eps } };
  return x.graph.node('SimplifiedLayerNormalization', [x, weight], 'float32', x.shape, attributes);
}

/**
 * Rotary position embedding with the rotate-half pairing (dimension i with i + D/2).
 *
 * @param x `[B,H,T,D]`
 * @param positions int64 `[B,T]`
 * @param cos `[P, D/2]`
 * @param sin `[P, D/2]`
 */
export function rotary(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor): Tensor {
  if (x.shape.length !== 4 || positions.dtype !== 'int64' || cos.shape[1] * 2 !== x.shape[3]) {
    throw new GraphError(`rotary: [${x.shape}] with [${cos.shape}]`);
  }
  return x.graph.node('RotaryEmbedding', [x, positions, cos, sin], 'float32', x.shape, {}, 'com.microsoft');
}

export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const unknown = shape.indexOf(-1);
  const known = size(shape.filter((d) => d !== -1));
  const full = unknown < 0 ? [...shape] : shape.map((d) => (d === -1 ? size(x.shape) / known : d));
  if (!full.every(Number.isInteger) || size(full) !== size(x.shape))
    throw new GraphError(`reshape: [${x.shape}] to [${shape}]`);
  if (sameShape(full, x.shape)) return x;
  // One behind another is one: each costs a step of a small model some microseconds.
  const before = nodeOf(x);
  if (before?.op === 'Reshape') return reshape(before.inputs[0], full);
  return x.graph.node('Reshape', [x, x.graph.int64s(full)], x.dtype, full);
}

export function transpose(x: Tensor, order: readonly number[]): Tensor {
  // Where axes of size 1 alone change their places nothing moves.
  const moved = order.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1])) {
    return reshape(
      x,
      order.map((axis) => x.shape[axis]),
    );
  }
  return x.graph.node(
    'Transpose',
    [x],
    x.dtype,
    order.map((i) => x.shape[i]),
    { perm: { ints: order } },
  );
}

/** The last two axes swapped. */
export function transposeLast(x: Tensor): Tensor {
  const order = x.shape.map((_, i) => i);
  return transpose(x, [...order.slice(0, -2), order.length - 1, order.length - 2]);
}

export function expand(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes(x.shape, shape), shape)) throw new GraphError(`expand: [${x.shape}] to [${shape}]`);
  if (sameShape(x.shape, shape)) return x;
  return x.graph.node('Expand', [x, x.graph.int64s(shape)], x.dtype, shape);
}

/** Entries `start <= i < end` along one axis. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  const [a] = axesOf(x, [axis]);
  if (start < 0 || end > x.shape[a] || start >= end) throw new GraphError(`slice ${start}..${end} of [${x.shape}]`);
  if (start === 0 && end === x.shape[a]) return x;
  const g = x.graph;
  const shape = x.shape.map((d, i) => (i === a ? end - start : d));
  if (x.dtype === 'int32') {
    // WebGPU has no Slice of int32; it has Gather.
    const index = Int32Array.from({ length: end - start }, (_, i) => start + i);
    return g.node('Gather', [x, g.constant(index, 'int32', [end - start])], 'int32', shape, { axis: { int: a } });
  }
  return g.node('Slice', [x, g.int64s([start]), g.int64s([end]), g.int64s([a])], x.dtype, shape);
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0];
  const [a] = axesOf(first, [axis]);
  for (const p of parts) {
    const fits = p.shape.length === first.shape.length && p.shape.every((d, i) => i === a || d === first.shape[i]);
    if (!fits) throw new GraphError(`concat: [${p.shape}] to [${first.shape}]`);
  }
  if (parts.length === 1) return first;
  const shape = first.shape.map((d, i) => (i === a ? parts.reduce((n, p) => n + p.shape[a], 0) : d));
  return first.graph.node('Concat', parts, first.dtype, shape, { axis: { int: a } });
}

/** Rows of `table` `[V, ...]` by index: ids `[...]` int32 -> `[...ids, ...]`. */
export function gather(table: Tensor, ids: Tensor): Tensor {
  // With int64 the gradient would leave the GPU.
  if (ids.dtype !== 'int32') throw new GraphError(`gather: ids are int32, not ${ids.dtype}`);
  const shape = [...ids.shape, ...table.shape.slice(1)];
  return table.graph.node('Gather', [table, ids], table.dtype, shape, { axis: { int: 0 } });
}

/** Indices int64 `[...]` as float32, each below `count`; a Cast from int64 would leave the GPU. */
export function numbers(indices: Tensor, count: number): Tensor {
  if (indices.dtype !== 'int64') throw new GraphError(`numbers: indices are int64, not ${indices.dtype}`);
  const all = indices.graph.constant(
    Float32Array.from({ length: count }, (_, i) => i),
    'float32',
    [count],
  );
  return stopGradient(indices.graph.node('Gather', [all, indices], 'float32', indices.shape, { axis: { int: 0 } }));
}

/** One entry of the last axis per row: x `[..., n]`, ids `[...]` int32 -> `[...]`. */
export function pick(x: Tensor, ids: Tensor): Tensor {
  if (!sameShape(ids.shape, x.shape.slice(0, -1))) throw new GraphError(`pick: [${ids.shape}] of [${x.shape}]`);
  const index = reshape(ids, [...ids.shape, 1]);
  const picked = x.graph.node('GatherElements', [x, index], x.dtype, index.shape, { axis: { int: -1 } });
  return reshape(picked, ids.shape);
}

/** `base + update` at one entry of the last axis per row: base `[..., n]`, ids and update `[...]`. The inverse of {@link pick}. */
export function addAt(base: Tensor, ids: Tensor, update: Tensor): Tensor {
  const shape = [...ids.shape, 1];
  const attributes = { axis: { int: base.shape.length - 1 }, reduction: { string: 'add' } };
  return base.graph.node(
    'ScatterElements',
    [base, reshape(ids, shape), reshape(update, shape)],
    base.dtype,
    base.shape,
    attributes,
  );
}

/** Sums rows into a table: ids `[n]` int32, rows `[n,d]` -> `[count,d]`. The gradient of {@link gather}. */
export function sumRows(ids: Tensor, rows: Tensor, count: number): Tensor {
  const [n, d] = rows.shape;
  const zeros = expand(rows.graph.scalar(0), [count, d]);
  // Not ScatterND, though it needs no index for every entry: on the CPU the runtime deals its rows out to threads, and two that add
  // to one place at once lose what one of them adds (onnxruntime 18048, 23396).
  const index = expand(reshape(ids, [n, 1]), [n, d]);
  const attributes = { axis: { int: 0 }, reduction: { string: 'add' } };
  return rows.graph.node('ScatterElements', [zeros, index, rows], 'float32', [count, d], attributes);
}

/**
 * A copy of `x` in which slices are replaced: indices int64 `[..., k]` name the first k axes, updates
 * `[..., ...x.shape.slice(k)]`. With the output bound to the input's memory, on the CPU it happens in place.
 */
export function scatter(x: Tensor, indices: Tensor, updates: Tensor): Tensor {
  if (indices.dtype !== 'int64') throw new GraphError('scatter: indices are int64');
  return x.graph.node('ScatterND', [x, indices, updates], x.dtype, x.shape);
}
