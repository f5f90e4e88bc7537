/**
 * Reverse-mode differentiation: a table from op to rule, and one walk. A rule emits nodes; the result is an ordinary graph
 * that holds forward and backward.
 */
import * as ops from './ops.ts';
import { GraphError, type Node, nodeOf, type Op, type Shape, sameShape, size, type Tensor } from './tensor.ts';

/** From the gradient of a node's output to the gradients of its inputs; null where none flows. */
type Rule = (node: Node, dy: Tensor) => readonly (Tensor | null)[];

/** Sums a gradient down to the shape that was broadcast. */
export function unbroadcast(dy: Tensor, shape: Shape): Tensor {
  if (sameShape(dy.shape, shape)) return dy;
  const [width] = shape;
  if (shape.length === 1 && width > 1 && dy.shape[dy.shape.length - 1] === width) {
    // Over all rows, as of a bias: as a product with one row, the fastest reduction there is.
    const rows = size(dy.shape) / width;
    const ones = ops.expand(dy.graph.scalar(1), [1, rows]);
    return ops.reshape(ops.matmul(ones, ops.reshape(dy, [rows, width])), shape);
  }
  const lead = dy.shape.length - shape.length;
  const axes = dy.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && dy.shape[i] !== 1));
  return ops.reshape(ops.sum(dy, axes, true), shape);
}

/** Both gradients of a broadcasting op, each summed down to its own shape. */
function pair(node: Node, da: () => Tensor, db: () => Tensor): readonly (Tensor | null)[] {
  const [a, b] = node.inputs;
  return [unbroadcast(da(), a.shape), unbroadcast(db(), b.shape)];
}

const none: Rule = (node) => node.inputs.map(() => null);

/** `x > y` as float32: which of two a maximum took. Half each at a tie would need a third term; the second is taken. */
const took = (condition: Tensor) => ops.cast(condition, 'float32');

function intOf({ op, attributes }: Node, name: string): number {
  const attribute = attributes[name];
  if (attribute === undefined || !('int' in attribute)) throw new GraphError(`${op} has no integer ${name}`);
  return attribute.int;
}

function floatOf({ op, attributes }: Node, name: string): number {
  const attribute = attributes[name];
  if (attribute === undefined || !('float' in attribute)) throw new GraphError(`${op} has no number ${name}`);
  return attribute.float;
}

function intsOf({ op, attributes }: Node, name: string): readonly number[] {
  const attribute = attributes[name];
  if (attribute === undefined || !('ints' in attribute)) throw new GraphError(`${op} has no integers ${name}`);
  return attribute.ints;
}

/** The values of an input that is part of the graph, such as axes. */
function constantsOf({ op }: Node, { source }: Tensor): number[] {
  if (source.kind !== 'constant') throw new GraphError(`${op}: a gradient needs its axes and bounds to be constant`);
  return Array.from(source.data, Number);
}

function reductionShape(node: Node): number[] {
  const [x, axes] = node.inputs;
  const over = constantsOf(node, axes);
  return x.shape.map((d, i) => (over.includes(i) ? 1 : d));
}

function matmulRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [a, b] = node.inputs;
  return [
    unbroadcast(ops.matmul(dy, ops.transposeLast(b)), a.shape),
    unbroadcast(ops.matmul(ops.transposeLast(a), dy), b.shape),
  ];
}

function gemmRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [a, b] = node.inputs;
  const [transA, transB] = [intOf(node, 'transA') === 1, intOf(node, 'transB') === 1];
  return [
    transA ? ops.gemm(b, dy, transB, true) : ops.gemm(dy, b, false, !transB),
    transB ? ops.gemm(dy, a, true, transA) : ops.gemm(a, dy, !transA, false),
  ];
}

function rmsNormRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [x, weight] = node.inputs;
  const eps = floatOf(node, 'epsilon');
  const width = weight.shape[0];
  const rows = size(x.shape) / width;
  // Sums over the width and over the rows are products with one column and with one row.
  const across = (y: Tensor, factors: Tensor) => ops.matmul(y, ops.reshape(ops.mul(factors, 1 / width), [width, 1]));
  const ones = ops.expand(x.graph.scalar(1), [width]);
  const inverse = ops.reciprocal(ops.sqrt(ops.add(across(ops.mul(x, x), ones), eps)));
  const along = ops.mul(dy, x);
  const back = ops.mul(ops.mul(ops.mul(inverse, inverse), inverse), across(along, weight));
  const dx = ops.sub(ops.mul(ops.mul(dy, weight), inverse), ops.mul(x, back));
  const down = ops.matmul(ops.reshape(inverse, [1, rows]), ops.reshape(along, [rows, width]));
  return [dx, ops.reshape(down, weight.shape)];
}

function sliceRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [x, start, , axes] = node.inputs;
  const [axis] = constantsOf(node, axes);
  const [before] = constantsOf(node, start);
  const after = x.shape[axis] - before - dy.shape[axis];
  const zeros = (n: number) => {
    const shape = x.shape.map((d, i) => (i === axis ? n : d));
    return ops.expand(x.graph.scalar(0), shape);
  };
  const parts = [...(before > 0 ? [zeros(before)] : []), dy, ...(after > 0 ? [zeros(after)] : [])];
  return [ops.concat(parts, axis), null, null, null];
}

function concatRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const axis = intOf(node, 'axis');
  let at = 0;
  return node.inputs.map((part) => {
    const start = at;
    at += part.shape[axis];
    return ops.slice(dy, axis, start, at);
  });
}

function transposeRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const order = intsOf(node, 'perm');
  return [
    ops.transpose(
      dy,
      order.map((_, i) => order.indexOf(i)),
    ),
  ];
}

/** ScatterND, as {@link ops.scatter} emits it: places that are replaced get no gradient, the updates get what arrives there. */
function scatterRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [, indices, updates] = node.inputs;
  const before = ops.scatter(dy, indices, ops.expand(dy.graph.scalar(0), updates.shape));
  return [before, null, dy.graph.node('GatherND', [dy, indices], 'float32', updates.shape)];
}

/** ScatterElements with reduction=add, as {@link ops.addAt} and {@link ops.sumRows} emit it. */
function scatterElementsRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [, index] = node.inputs;
  return [
    dy,
    null,
    dy.graph.node('GatherElements', [dy, index], 'float32', index.shape, { axis: { int: intOf(node, 'axis') } }),
  ];
}

function gatherElementsRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [x, index] = node.inputs;
  const ids = ops.reshape(index, index.shape.slice(0, -1));
  const zeros = ops.expand(x.graph.scalar(0), x.shape);
  return [ops.addAt(zeros, ids, ops.reshape(dy, ids.shape)), null];
}

function gatherRule(node: Node, dy: Tensor): readonly (Tensor | null)[] {
  const [table, ids] = node.inputs;
  const rows = ops.reshape(dy, [size(ids.shape), size(table.shape.slice(1))]);
  return [ops.reshape(ops.sumRows(ops.reshape(ids, [-1]), rows, table.shape[0]), table.shape), null];
}

/** A rule for every op. Null where there is none yet, and a gradient that would have to pass is refused. */
const rules: Readonly<Record<Op, Rule | null>> = {
  Neg: (_, dy) => [ops.neg(dy)],
  Exp: (node, dy) => [ops.mul(dy, node.output)],
  Log: (node, dy) => [ops.div(dy, node.inputs[0])],
  Sqrt: (node, dy) => [ops.div(ops.mul(dy, 0.5), node.output)],
  Reciprocal: (node, dy) => [ops.neg(ops.mul(dy, ops.mul(node.output, node.output)))],
  Abs: (node, dy) => [ops.where(ops.greater(node.inputs[0], 0), dy, ops.neg(dy))],
  Tanh: (node, dy) => [ops.sub(dy, ops.mul(dy, ops.mul(node.output, node.output)))],
  Sigmoid: (node, dy) => [ops.mul(dy, ops.sub(node.output, ops.mul(node.output, node.output)))],
  Add: (node, dy) =>
    pair(
      node,
      () => dy,
      () => dy,
    ),
  Sub: (node, dy) =>
    pair(
      node,
      () => dy,
      () => ops.neg(dy),
    ),
  Mul: (node, dy) =>
    pair(
      node,
      () => ops.mul(dy, node.inputs[1]),
      () => ops.mul(dy, node.inputs[0]),
    ),
  Div: (node, dy) =>
    pair(
      node,
      () => ops.div(dy, node.inputs[1]),
      () => ops.neg(ops.div(ops.mul(dy, node.output), node.inputs[1])),
    ),
  Max: (node, dy) => {
    const first = took(ops.greater(node.inputs[0], node.inputs[1]));
    return pair(
      node,
      () => ops.mul(dy, first),
      () => ops.sub(dy, ops.mul(dy, first)),
    );
  },
  Min: (node, dy) => {
    const first = took(ops.greater(node.inputs[1], node.inputs[0]));
    return pair(
      node,
      () => ops.mul(dy, first),
      () => ops.sub(dy, ops.mul(dy, first)),
    );
  },
  Where: (node, dy) => {
    const [condition, a, b] = node.inputs;
    const zero = dy.graph.scalar(0);
    return [
      null,
      unbroadcast(ops.where(condition, dy, zero), a.shape),
      unbroadcast(ops.where(condition, zero, dy), b.shape),
    ];
  },
  MatMul: matmulRule,
  Gemm: gemmRule,
  ReduceSum: (node, dy) => [ops.expand(ops.reshape(dy, reductionShape(node)), node.inputs[0].shape), null],
  ReduceSumSquare: (node, dy) => {
    const [x] = node.inputs;
    return [ops.mul(ops.mul(x, 2), ops.reshape(dy, reductionShape(node))), null];
  },
  ReduceMean: (node, dy) => {
    const [x] = node.inputs;
    const scaled = ops.mul(dy, size(node.output.shape) / size(x.shape));
    return [ops.expand(ops.reshape(scaled, reductionShape(node)), x.shape), null];
  },
  Softmax: (node, dy) => {
    const weighted = ops.mul(dy, node.output);
    return [ops.sub(weighted, ops.mul(node.output, ops.sum(weighted, [-1], true)))];
  },
  SimplifiedLayerNormalization: rmsNormRule,
  RotaryEmbedding: (node, dy) => {
    const [, positions, cos, sin] = node.inputs;
    return [ops.rotary(dy, positions, cos, ops.neg(sin)), null, null, null];
  },
  Reshape: (node, dy) => [ops.reshape(dy, node.inputs[0].shape), null],
  Transpose: transposeRule,
  Expand: (node, dy) => [unbroadcast(dy, node.inputs[0].shape), null],
  Slice: sliceRule,
  Concat: concatRule,
  Gather: gatherRule,
  GatherElements: gatherElementsRule,
  ScatterElements: scatterElementsRule,
  ScatterND: scatterRule,
  Identity: none,
  Cast: none,
  ReduceMax: none,
  TopK: none,
  ReduceMin: none,
  Equal: none,
  Greater: none,
  And: none,
  Not: none,
  GatherND: null,
};

function ruleOf({ op }: Node): Rule {
  const rule = rules[op] ?? null;
  if (rule === null) throw new GraphError(`${op} has no gradient`);
  return rule;
}

/** Where the gradient of a tensor goes next. */
function sources(tensor: Tensor): readonly Tensor[] {
  const node = nodeOf(tensor);
  return node?.custom?.inputs ?? node?.inputs ?? [];
}

/**
 * All tensors that a gradient of `loss` can reach, each after what it comes from. Not what the loss is computed from: a
 * custom gradient may send to a tensor that its value does not need, as straight-through estimators do.
 */
function behind(loss: Tensor): Tensor[] {
  const seen = new Map<number, Tensor>();
  const stack = [loss];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    if (seen.has(t.id)) continue;
    seen.set(t.id, t);
    stack.push(...sources(t));
  }
  return [...seen.values()].sort((a, b) => a.id - b.id);
}

/**
 * Gradients of a scalar with respect to `parameters`, as nodes of the same graph.
 *
 * @param loss shape `[]`
 * @param parameters any tensors that `loss` may depend on
 * @returns one tensor per parameter, of its shape; zeros where the loss does not depend on it
 * @throws GraphError naming the op, where a gradient would have to pass an op without a rule
 */
export function gradient(loss: Tensor, parameters: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw new GraphError(`gradient of a tensor of shape [${loss.shape}]`);
  return pullback(loss, loss.graph.scalar(1), parameters);
}

/**
 * The gradient that arrives at `output`, carried back to `parameters`, as nodes of the same graph.
 *
 * @param arriving of the shape of `output`
 * @returns as {@link gradient}
 */
export function pullback(output: Tensor, arriving: Tensor, parameters: readonly Tensor[]): Tensor[] {
  const order = behind(output);
  const depends = new Set(parameters.map((p) => p.id));
  for (const t of order) {
    const node = nodeOf(t);
    if (
      sources(t).some((i) => depends.has(i.id)) &&
      (node?.custom !== undefined || (node !== undefined && rules[node.op] !== none))
    )
      depends.add(t.id);
  }
  const gradients = new Map<number, Tensor>([[output.id, arriving]]);
  for (const t of order.reverse()) {
    const node = nodeOf(t);
    const dy = gradients.get(t.id);
    if (node === undefined || dy === undefined || !depends.has(t.id)) continue;
    const [inputs, flows] =
      node.custom !== undefined ? [node.custom.inputs, node.custom.rule(dy)] : [node.inputs, ruleOf(node)(node, dy)];
    for (const [i, input] of inputs.entries()) {
      const flow = flows[i];
      if (flow === null || flow === undefined || !depends.has(input.id)) continue;
      if (!sameShape(flow.shape, input.shape))
        throw new GraphError(`${node.op}: gradient [${flow.shape}] for [${input.shape}]`);
      const sofar = gradients.get(input.id);
      gradients.set(input.id, sofar === undefined ? flow : ops.add(sofar, flow));
    }
  }
  return parameters.map((p) => gradients.get(p.id) ?? ops.expand(p.graph.scalar(0), p.shape));
}

/** The ops that have an entry in the table, for the op suite. */
export const differentiableOps: readonly string[] = Object.entries(rules).flatMap(([op, rule]) =>
  rule === null || rule === none ? [] : [op],
);
