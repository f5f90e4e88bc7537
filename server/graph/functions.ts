/** Functions made of several ops, with gradients written by hand where the automatic one would be larger or less exact. */
import * as ops from './ops.ts';
import { size, type Tensor } from './tensor.ts';

const one = (x: Tensor) => x.graph.scalar(1);

/**
 * The gated unit silu(gate) * up, with silu(x) = x sigmoid(x) (SwiGLU, arXiv 2002.05202).
 * Gradient for the gate: dy (y + s (up - y)) with s = sigmoid(gate) and y the output, which is the shortest form there is.
 */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const s = ops.sigmoid(gate);
  const a = ops.mul(gate, s);
  const y = ops.mul(a, up);
  return gate.graph.withGradient(y, {
    inputs: [gate, up],
    rule: (dy) => [ops.mul(dy, ops.add(y, ops.mul(s, ops.sub(up, y)))), ops.mul(dy, a)],
  });
}

/**
 * The gated unit gelu(gate) * up (GEGLU, arXiv 2002.05202) with GELU in its form with tanh, which is x sigmoid(2 z) with
 * z = sqrt(2 / pi) (x + 0.044715 x^3). Gradient for the gate: dy up (s + x s (1 - s) 2 dz/dx).
 */
export function geglu(gate: Tensor, up: Tensor): Tensor {
  const square = ops.mul(gate, gate);
  const scale = 2 * Math.sqrt(2 / Math.PI);
  const s = ops.sigmoid(ops.mul(gate, ops.add(ops.mul(square, 0.044715 * scale), scale)));
  const a = ops.mul(gate, s);
  const y = ops.mul(a, up);
  return gate.graph.withGradient(y, {
    inputs: [gate, up],
    rule: (dy) => {
      const slope = ops.add(ops.mul(square, 3 * 0.044715 * scale), scale);
      const inner = ops.add(s, ops.mul(ops.mul(a, ops.sub(one(s), s)), slope));
      return [ops.mul(ops.mul(dy, up), inner), ops.mul(dy, a)];
    },
  });
}

/** c tanh(x / c): x kept between -c and c. */
export function capped(x: Tensor, cap: number): Tensor {
  return ops.mul(ops.tanh(ops.div(x, cap)), cap);
}

/** Keys and values `[..., S, D]` that are attended to, and what is added to their scores. */
export interface Attended {
  readonly k: Tensor;
  readonly v: Tensor;
  /** Broadcasts to `scoresShape`. */
  readonly mask: Tensor;
  /** The scores' shape where the mask is added, if queries that share keys stand under each other. */
  readonly scoresShape: readonly number[];
  /** Batches of queries `[B,KV,T,D]` that share these keys, one after the other: k and v are `[B/n,KV,S,D]`. */
  readonly sharers?: number;
  /** What scores are kept within, see {@link capped}. */
  readonly cap?: number | null;
}

/** `[B,KV,T,W] -> [B/n,KV,nT,W]`: what shares keys stands under each other, so that each is read once. */
function together(x: Tensor, n: number): Tensor {
  const [batch, heads, length, width] = x.shape;
  const apart = ops.reshape(x, [batch / n, n, heads, length, width]);
  return ops.reshape(ops.transpose(apart, [0, 2, 1, 3, 4]), [batch / n, heads, n * length, width]);
}

/** {@link together}, undone. */
function apart(x: Tensor, n: number): Tensor {
  const [batch, heads, length, width] = x.shape;
  const beside = ops.reshape(x, [batch, heads, n, length / n, width]);
  return ops.reshape(ops.transpose(beside, [0, 2, 1, 3, 4]), [batch * n, heads, length / n, width]);
}

/** q k' `[..., T, S]`, within its cap. */
function scoresOf(q: Tensor, { k, cap }: Attended): Tensor {
  // Of so small products the runtime takes longer to deal them out to its threads than to compute them.
  const single = q.shape.at(-2) === 1 && k.shape.at(-2) === 1;
  const products = single ? ops.sum(ops.mul(q, k), [-1], true) : ops.matmul(q, ops.transposeLast(k));
  return cap == null ? products : capped(products, cap);
}

/** p v, with p `[..., T, S]`. */
const weighted = (p: Tensor, v: Tensor) => (v.shape.at(-2) === 1 ? ops.mul(p, v) : ops.matmul(p, v));

/** Scores with their mask, `[..., T, S]`. */
function withMask(scores: Tensor, { mask, scoresShape }: Attended): Tensor {
  return ops.reshape(ops.add(ops.reshape(scores, scoresShape), mask), scores.shape);
}

/** q k' + mask, `[..., T, S]`. */
const maskedScores = (q: Tensor, attended: Attended) => withMask(scoresOf(q, attended), attended);

/** P = softmax(q k' + mask) `[..., T, S]`, and P v; with the scores before their mask. */
function attend(q: Tensor, attended: Attended): { scores: Tensor; shares: Tensor; output: Tensor } {
  const scores = scoresOf(q, attended);
  const shares = ops.softmax(withMask(scores, attended));
  return { scores, shares, output: ops.matmul(shares, attended.v) };
}

/**
 * softmax(q k' + mask) v, over the last two axes: q `[..., T, D]`. Keys and values may lie in several places, and are attended to
 * as if they stood behind each other: nothing is copied to bring them together.
 */
export function attention(q: Tensor, parts: readonly Attended[]): Tensor {
  if (parts.length === 1) return attend(q, parts[0]).output;
  const scores = parts.map((part) =>
    part.sharers === undefined
      ? maskedScores(q, part)
      : apart(maskedScores(together(q, part.sharers), part), part.sharers),
  );
  const top = scores.map((x) => ops.max(x, [-1], true)).reduce((a, b) => ops.maximum(a, b));
  const powers = scores.map((x) => ops.exp(ops.sub(x, top)));
  const sums = powers.map((x) => ops.sum(x, [-1], true)).reduce((a, b) => ops.add(a, b));
  const mixed = parts
    .map(({ v, sharers: n }, i) =>
      n === undefined ? weighted(powers[i], v) : apart(ops.matmul(together(powers[i], n), v), n),
    )
    .reduce((a, b) => ops.add(a, b));
  return ops.div(mixed, sums);
}

/**
 * The gradients of {@link attend} (FlashAttention, arXiv 2205.14135, appendix B): dS = P * (dP - rows) with dP = dO v' and the row
 * sums of dP * P, which are those of dO * O in a smaller tensor. The difference is one product, of [dO, -rows] and [v, 1]: a pass
 * over the scores less.
 */
function attendGradient(
  q: Tensor,
  { k, v, cap }: Attended,
  { scores, shares, output }: ReturnType<typeof attend>,
  dy: Tensor,
): { dq: Tensor; dk: Tensor; dv: Tensor } {
  const rows = ops.sum(ops.mul(dy, output), [-1], true);
  const ones = ops.expand(v.graph.scalar(1), [...v.shape.slice(0, -1), 1]);
  const beside = (x: Tensor, column: Tensor) => ops.concat([x, column], -1);
  const masked = ops.mul(shares, ops.matmul(beside(dy, ops.neg(rows)), ops.transposeLast(beside(v, ones))));
  // The slope of c tanh(x / c) is 1 - (y / c)^2.
  const slope = cap == null ? undefined : ops.sub(one(scores), ops.mul(ops.mul(scores, scores), cap ** -2));
  const ds = slope === undefined ? masked : ops.mul(masked, slope);
  return {
    dq: ops.matmul(ds, k),
    dk: ops.matmul(ops.transposeLast(ds), q),
    dv: ops.matmul(ops.transposeLast(shares), dy),
  };
}

/** More leave out hardly more, and every one adds to the time it takes to compile a graph. */
const mostStrips = 8;

/**
 * {@link attention} where no query sees what comes after it: in strips of queries, each with the keys up to its own end, which
 * leaves out nearly half of the products and of the passes over the scores. Key/value heads may be shared: query head h reads
 * floor(h / (H / KV)).
 *
 * @param q `[B,H,T,D]`, already scaled
 * @param k `[B,KV,T,D]`
 * @param v `[B,KV,T,D]`
 * @param mask broadcasts to `[B,1,T,T]`; it hides all that comes after a query
 * @param strip queries that are looked at together; with too few, the smaller products cost more than is left out
 * @param cap what scores are kept within; null where there is none
 * @returns `[B,H,T,D]`
 */
export function causalAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor,
  strip = q.graph.strip,
  cap: number | null = null,
): Tensor {
  const [batch, heads, length, width] = q.shape;
  const kvHeads = k.shape[1];
  const group = heads / kvHeads;
  const part = (start: number, end: number) => {
    // The query heads of a group stand under each other, so that their key/value head is read once and never repeated.
    const grouped = (x: Tensor) =>
      ops.reshape(ops.slice(x, 2, start, end), [batch, kvHeads, group * (end - start), width]);
    const ahead = (x: Tensor) => ops.slice(x, 2, 0, end);
    const apart = (x: Tensor) => ops.reshape(x, [batch, heads, end - start, width]);
    const seen = ops.slice(ops.slice(mask, -2, start, end), -1, 0, end);
    const attended = { k: ahead(k), v: ahead(v), mask: seen, scoresShape: [batch, heads, end - start, end], cap };
    const done = attend(grouped(q), attended);
    const gradient = (dy: Tensor) => attendGradient(grouped(q), attended, done, grouped(dy));
    return { output: apart(done.output), apart, gradient };
  };
  const rows = Math.min(length, Math.max(strip, Math.ceil(length / mostStrips)));
  const parts = Array.from({ length: Math.ceil(length / rows) }, (_, i) =>
    part(i * rows, Math.min(length, (i + 1) * rows)),
  );
  const output = ops.concat(
    parts.map((part) => part.output),
    2,
  );
  return q.graph.withGradient(output, {
    inputs: [q, k, v],
    rule: (dy) => {
      const gradients = parts.map(({ gradient }) => gradient(dy));
      const dq = ops.concat(
        parts.map(({ apart }, i) => apart(gradients[i].dq)),
        2,
      );
      return [dq, fromStart(gradients.map(({ dk }) => dk)), fromStart(gradients.map(({ dv }) => dv))];
    },
  });
}

/** The sum of tensors `[B,H,n,D]` that all begin at 0 along n and end one after the other. */
function fromStart(parts: readonly Tensor[]): Tensor {
  return parts.reduceRight((sum, part) => {
    const [length, end] = [sum.shape[2], part.shape[2]];
    return ops.concat([ops.add(ops.slice(sum, 2, 0, end), part), ops.slice(sum, 2, end, length)], 2);
  });
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
 * Cross entropy of each row: logits `[..., V]`, targets int32 `[...]` -> `[...]` in nats. The normaliser log sum exp x is
 * max x - log max softmax(x): over a vocabulary every pass over the logits counts.
 * Gradient: (softmax - onehot) * dy.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  const shares = ops.softmax(logits);
  const normaliser = ops.sub(ops.max(logits, [-1]), ops.log(ops.max(shares, [-1])));
  const value = ops.sub(normaliser, ops.pick(logits, targets));
  return logits.graph.withGradient(value, {
    inputs: [logits],
    rule: (dy) => [ops.addAt(ops.mul(shares, ops.reshape(dy, [...targets.shape, 1])), targets, ops.neg(dy))],
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

/**
 * sum(x * weights) / sum(weights), for weights of any size, such as a mask of zeros and ones; 0 where they are all 0, as in a
 * batch of samples without scores.
 */
export function maskedMean(x: Tensor, weights: Tensor): Tensor {
  return ops.div(ops.sum(ops.mul(x, weights)), ops.maximum(ops.sum(weights), 1e-12));
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
