/** Functions made of several ops, with gradients written by hand where the automatic one would be larger or less exact. */
import * as ops from './ops.ts';
import { size, type Tensor } from './tensor.ts';

/** x * sigmoid(x). */
export function silu(x: Tensor): Tensor {
  return ops.mul(x, ops.sigmoid(x));
}

/**
 * log softmax along the last axis, written as x - max - log sum exp: the LogSoftmax op has no WebGPU kernel.
 * Gradient: dy - softmax(x) * sum(dy).
 */
export function logSoftmax(x: Tensor): Tensor {
  const shifted = ops.sub(x, ops.max(x, [-1], true));
  const value = ops.sub(shifted, ops.log(ops.sum(ops.exp(shifted), [-1], true)));
  return x.graph.withGradient(value, {
    inputs: [x],
    rule: (dy) => [ops.sub(dy, ops.mul(ops.exp(value), ops.sum(dy, [-1], true)))],
  });
}

/**
 * log of the sum of exponentials along the last axis: `[..., n] -> [...]`.
 * Gradient: softmax(x) * dy.
 */
export function logSumExp(x: Tensor): Tensor {
  const top = ops.max(x, [-1], true);
  const sums = ops.sum(ops.exp(ops.sub(x, top)), [-1], true);
  const value = ops.reshape(ops.add(ops.log(sums), top), x.shape.slice(0, -1));
  return x.graph.withGradient(value, {
    inputs: [x],
    rule: (dy) => [ops.mul(ops.softmax(x), ops.reshape(dy, [...dy.shape, 1]))],
  });
}

/**
 * Cross entropy of each row: logits `[..., V]`, targets int32 `[...]` -> `[...]` in nats.
 * Gradient: (softmax - onehot) * dy, in two passes over the logits instead of five.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  const value = ops.sub(logSumExp(logits), ops.pick(logits, targets));
  return logits.graph.withGradient(value, {
    inputs: [logits],
    rule: (dy) => {
      const scaled = ops.mul(ops.softmax(logits), ops.reshape(dy, [...dy.shape, 1]));
      return [ops.addAt(scaled, targets, ops.neg(dy))];
    },
  });
}

/** `[...]` int32 ids -> `[..., n]` float32 rows with a single 1. No gradient. */
export function oneHot(ids: Tensor, n: number): Tensor {
  const iota = ids.graph.constant(
    Int32Array.from({ length: n }, (_, i) => i),
    'int32',
    [n],
  );
  return ops.cast(ops.equal(ops.reshape(ids, [...ids.shape, 1]), iota), 'float32');
}

/** sum(x * mask) / sum(mask): a mean over the entries where the mask is 1. */
export function maskedMean(x: Tensor, mask: Tensor): Tensor {
  return ops.div(ops.sum(ops.mul(x, mask)), ops.sum(mask));
}

/** Mean over the entries of each row where the mask is 1, then over the rows: x and mask `[B,A]`. */
export function rowMean(x: Tensor, mask: Tensor): Tensor {
  return ops.mean(ops.div(ops.sum(ops.mul(x, mask), [1]), ops.sum(mask, [1])));
}

/** x `[..., d]` times a weight stored as `[out, in]`, plus an optional bias `[out]`. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, inner] = weight.shape;
  const flat = ops.reshape(x, [size(x.shape) / inner, inner]);
  const y = ops.reshape(ops.gemm(flat, weight, false, true), [...x.shape.slice(0, -1), out]);
  return bias === undefined ? y : ops.add(y, bias);
}
