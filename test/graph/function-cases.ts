/** The cases of `server/graph/functions.ts`. */
import * as functions from '../../server/graph/functions.ts';
import * as ops from '../../server/graph/ops.ts';
import type { Tensor } from '../../server/graph/tensor.ts';
import {
  at,
  from,
  map,
  matmul,
  type NdArray,
  reduce,
  reshape,
  rows,
  softmaxRow,
  total,
  transposeLast,
} from '../support/reference.ts';
import { average, each, flat, ids, type OpCase, real, sigmoid, smooth, values } from './case.ts';

const logSum = (row: readonly number[]) => Math.log(total(row.map(Math.exp)));
const nats = (logits: NdArray, targets: NdArray) => {
  const hit = from(targets.shape, (i) => at(logits, [...i, at(targets, i)]));
  return map((lse, x) => lse - x, reduce(logits, [logits.shape.length - 1], false, logSum), hit);
};
const masked = values(real(2, 4), 1, 1, 0, 0, 1, 1, 1, 0);
/** Rows that are masked out altogether count nothing. */
const rowMeans = (x: NdArray, mask: NdArray) => {
  const [batch, length] = x.shape;
  const means: number[] = [];
  for (let row = 0; row < batch; row++) {
    const kept = Array.from({ length }, (_, i) => row * length + i).filter((i) => mask.data[i] === 1);
    if (kept.length > 0) means.push(average(kept.map((i) => x.data[i])));
  }
  return from([], () => average(means));
};
const causalMask = (n: number) =>
  values(real(1, 1, n, n), ...Array.from({ length: n * n }, (_, i) => (i % n > Math.floor(i / n) ? -1e9 : 0)));
const bounded = (x: number) => 1.5 * Math.tanh(x / 1.5);
const affine = (x: NdArray, weight: NdArray) => matmul(x, transposeLast(weight));

export const functionCases: readonly OpCase[] = [
  smooth(
    'swiglu',
    [real(2, 3), real(2, 3)],
    functions.swiglu,
    each((g, u) => g * sigmoid(g) * u),
  ),
  smooth(
    'geglu',
    [real(2, 3), real(2, 3)],
    functions.geglu,
    each((g, u) => 0.5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + 0.044715 * g ** 3))) * u),
  ),
  smooth('capped', [real(2, 3)], (x) => functions.capped(x, 1.5), each(bounded)),
  // All keys and values in one place, and the same sum with them in two.
  ...[[5], [3, 5]].map((ends) =>
    smooth(
      'attention',
      [real(2, 3, 4), real(2, 5, 4), real(2, 5, 2), values(real(3, 5), 0, -9, 0, 0, 1, 0, 0, 0, -9, 0, 0, 0, 0, 0, 2)],
      (q, k, v, mask) => {
        const parts = ends.map((end, i) => {
          const part = (x: Tensor) => ops.slice(x, 1, ends[i - 1] ?? 0, end);
          return { k: part(k), v: part(v), mask: part(mask), scoresShape: [2, 3, end - (ends[i - 1] ?? 0)] };
        });
        return functions.attention(q, parts);
      },
      (q, k, v, mask) => {
        const scores = map((x, m) => x + m, matmul(q, transposeLast(k)), mask);
        return matmul(rows(scores, softmaxRow), v);
      },
      [3],
    ),
  ),
  // Two query heads of three tokens stand under each other over the one key head of each of two sequences.
  smooth(
    'attention',
    [real(2, 1, 6, 4), real(2, 1, 3, 4), real(2, 1, 3, 4), values(real(1, 1, 3, 3), 0, -9, -9, 0, 0, -9, 0, 0, 0)],
    (q, k, v, mask) => functions.attention(q, [{ k, v, mask, scoresShape: [2, 2, 3, 3] }]),
    (q, k, v, mask) => {
      const scores = map((x, m) => x + m, matmul(reshape(q, [2, 2, 3, 4]), transposeLast(k)), mask);
      return reshape(matmul(rows(scores, softmaxRow), v), [2, 1, 6, 4]);
    },
    [3],
  ),
  // Four query heads over two key heads, five tokens in strips of two, two and one, and in a single one.
  ...[2, Number.POSITIVE_INFINITY].map((strip) =>
    smooth(
      'causalAttention',
      [real(2, 4, 5, 3), real(2, 2, 5, 3), real(2, 2, 5, 3), causalMask(5)],
      (q, k, v, mask) => functions.causalAttention(q, k, v, mask, strip),
      (q, k, v, mask) => {
        const [keys, items] = [k, v].map((x) => from(q.shape, ([b, h, t, d]) => at(x, [b, Math.floor(h / 2), t, d])));
        const scores = map((x, m) => x + m, matmul(q, transposeLast(keys)), mask);
        return matmul(rows(scores, softmaxRow), items);
      },
      [3],
    ),
  ),
  // The same within a cap.
  smooth(
    'causalAttention',
    [real(2, 2, 5, 3), real(2, 2, 5, 3), real(2, 2, 5, 3), causalMask(5)],
    (q, k, v, mask) => functions.causalAttention(q, k, v, mask, 2, 1.5),
    (q, k, v, mask) => {
      const scores = map((x, m) => bounded(x) + m, matmul(q, transposeLast(k)), mask);
      return matmul(rows(scores, softmaxRow), v);
    },
    [3],
  ),
  smooth('logSoftmax', [real(2, 3, 4)], functions.logSoftmax, (x) => rows(x, (row) => row.map((v) => v - logSum(row)))),
  smooth('logSumExp', [real(2, 3, 4)], functions.logSumExp, (x) => reduce(x, [2], false, logSum)),
  smooth('crossEntropy', [real(4, 7), ids(7, 4)], functions.crossEntropy, nats),
  smooth('crossEntropy', [real(2, 3, 7), ids(7, 2, 3)], functions.crossEntropy, nats),
  flat(
    'oneHot',
    [ids(4, 2, 3)],
    (index) => functions.oneHot(index, 4),
    (index) => from([2, 3, 4], ([i, j, k]) => +(at(index, [i, j]) === k)),
  ),
  smooth('maskedMean', [real(2, 4), masked], functions.maskedMean, (x, m) =>
    from([], () => total([...map((v, w) => v * w, x, m).data]) / total([...m.data])),
  ),
  ...[masked, values(real(3, 4), 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1)].map((mask) =>
    smooth('rowMean', [real(...mask.shape), mask], functions.rowMean, rowMeans, [1]),
  ),
  smooth('linear', [real(2, 3, 4), real(5, 4)], functions.linear, affine),
  smooth('linear', [real(3, 4), real(5, 4), real(5)], functions.linear, (x, weight, bias) =>
    map((y, b) => y + b, affine(x, weight), bias),
  ),
];
