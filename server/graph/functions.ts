/** Functions made of several ops, with gradients written by hand where the automatic one would be larger or less exact. */
import * as ops from './ops.ts';
import { size, type Tensor } from './tensor.ts';

/**
 * The gated unit silu(gate) * up, with silu(x) = x sigmoid(x) (SwiGLU, arXiv 2002.05202).
 * Gradient for the gate: dy up (s + a - a s) with s = sigmoid(gate) and a = gate s, which reuses what the forward pass has.
 */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const s = ops.sigmoid(gate);
  const a = ops.mul(gate, s);
  return gate.graph.withGradient(ops.mul(a, up), {
    inputs: [gate, up],
    rule: (dy) => {
      const slope = ops.add(ops.sub(a, ops.mul(a, s)), s);
      return [ops.mul(ops.mul(dy, up), slope), ops.mul(dy, a)];
    },
  });
}

/**
 * Scores are not let further below the largest of their row than this. The power is then 2e-22, far under what float32
 * keeps beside 1. Without a floor, masked scores become denormal numbers, with which a CPU computes many times slower:
 * the exponentials alone took five times as long.
 */
const faintest = -50;

/**
 * softmax(q k' + mask) v, over the last two axes: q `[..., T, D]`, k and v `[..., S, D]`, mask broadcasts to `[..., T, S]`.
 * The passes over the scores are what costs here, so there are as few as can be: the sums divide the output and its
 * gradient, which are smaller, and the row sums of dP * P are taken as those of dO * O, which is the same number
 * (FlashAttention, arXiv 2205.14135, appendix B).
 *
 * @param scoresShape the scores' shape where the mask is added, if queries that share keys stand under each other
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scoresShape: readonly number[]): Tensor {
  const products = ops.matmul(q, ops.transposeLast(k));
  const scores = ops.reshape(ops.add(ops.reshape(products, scoresShape), mask), products.shape);
  const shifted = ops.sub(scores, ops.max(scores, [-1], true));
  const powers = ops.exp(ops.maximum(shifted, faintest));
  const sums = ops.sum(powers, [-1], true);
  const output = ops.div(ops.matmul(powers, v), sums);
  return q.graph.withGradient(output, {
    inputs: [q, k, v],
    rule: (dy) => {
      const scaled = ops.div(dy, sums);
      const rows = ops.sum(ops.mul(scaled, output), [-1], true);
      const ds = ops.mul(powers, ops.sub(ops.matmul(scaled, ops.transposeLast(v)), rows));
      return [ops.matmul(ds, k), ops.matmul(ops.transposeLast(ds), q), ops.matmul(ops.transposeLast(powers), scaled)];
    },
  });
}

/** Keys and values `[..., S, D]` of one part of what is attended to, and what is added to its scores. */
export interface Attended {
  readonly k: Tensor;
  readonly v: Tensor;
  readonly mask: Tensor;
  /** The scores' shape where the mask is added; see {@link attention}. */
  readonly scoresShape: readonly number[];
}

/**
 * {@link attention} over keys and values that lie in several places, as if they stood behind each other: nothing is copied
 * to bring them together.
 */
export function attentionOver(q: Tensor, parts: readonly Attended[]): Tensor {
  const scores = parts.map(({ k, mask, scoresShape }) => {
    const products = ops.matmul(q, ops.transposeLast(k));
    return ops.reshape(ops.add(ops.reshape(products, scoresShape), mask), products.shape);
  });
  const top = scores.map((x) => ops.max(x, [-1], true)).reduce((a, b) => ops.maximum(a, b));
  const powers = scores.map((x) => ops.exp(ops.maximum(ops.sub(x, top), faintest)));
  const sums = powers.map((x) => ops.sum(x, [-1], true)).reduce((a, b) => ops.add(a, b));
  const mixed = parts.map(({ v }, i) => ops.matmul(powers[i], v)).reduce((a, b) => ops.add(a, b));
  return ops.div(mixed, sums);
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
 * Gradient: (softmax - onehot) * dy. The exponentials of the forward pass are kept for it: over a vocabulary every pass
 * over the logits counts.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  const rows = (x: Tensor) => ops.reshape(x, [...targets.shape, 1]);
  const top = ops.max(logits, [-1], true);
  const powers = ops.exp(ops.sub(logits, top));
  const sums = ops.sum(powers, [-1], true);
  const normaliser = ops.reshape(ops.add(ops.log(sums), top), targets.shape);
  const value = ops.sub(normaliser, ops.pick(logits, targets));
  return logits.graph.withGradient(value, {
    inputs: [logits],
    rule: (dy) => [ops.addAt(ops.mul(powers, ops.div(rows(dy), sums)), targets, ops.neg(dy))],
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

/**
 * Mean over the entries of each row where the mask is 1, then over the rows that have any: x and mask `[B,A]`. A row that
 * is masked out altogether counts nothing.
 */
export function rowMean(x: Tensor, mask: Tensor): Tensor {
  const counts = ops.sum(mask, [1]);
  const means = ops.div(ops.sum(ops.mul(x, mask), [1]), ops.maximum(counts, 1));
  return ops.div(ops.sum(means), ops.maximum(ops.sum(ops.minimum(counts, 1)), 1));
}

/** x `[..., d]` times a weight stored as `[out, in]`, plus an optional bias `[out]`. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, inner] = weight.shape;
  const flat = ops.reshape(x, [size(x.shape) / inner, inner]);
  const y = ops.reshape(ops.gemm(flat, weight, false, true), [...x.shape.slice(0, -1), out]);
  return bias === undefined ? y : ops.add(y, bias);
}
