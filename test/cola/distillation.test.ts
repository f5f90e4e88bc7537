import assert from 'node:assert/strict';
import { returnLoss, visitLoss } from '../../server/cola/losses.ts';
import { gradient } from '../../server/graph/gradient.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { Random } from '../../server/random.ts';
import { onEachDevice } from '../support/devices.ts';
import { evaluate } from '../support/evaluate.ts';
import { assertClose } from '../support/reference.ts';

const [rows, length, codes] = [2, 3, 4];
const random = new Random(5);
const draw = (n: number) => Array.from({ length: n }, () => random.normal());
const softmax = (x: readonly number[]) => {
  const powers = x.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
};
const chunks = (x: readonly number[]) =>
  Array.from({ length: rows * length }, (_, i) => x.slice(i * codes, (i + 1) * codes));

describe('distillation of a search', () => {
  onEachDevice((device) => {
    const logits = draw(rows * length * codes);
    const shares = chunks(draw(rows * length * codes)).flatMap(softmax);

    const run = async (weights: readonly number[]) => {
      const graph = new Graph();
      const x = graph.parameter('logits', [rows, length, codes]);
      const p = graph.input('shares', 'float32', [rows, length, codes]);
      const w = graph.input('weights', 'float32', [rows, length]);
      const loss = visitLoss(x, p, w);
      const [slope] = gradient(loss, [x]);
      const feeds = {
        logits: Float32Array.from(logits),
        shares: Float32Array.from(shares),
        weights: Float32Array.from(weights),
      };
      return evaluate(device(), { loss, slope }, feeds);
    };

    it('is the cross entropy to the shares by weight, with softmax - shares as its gradient', async () => {
      const weights = [3, 0, 1, 0.5, 0, 2];
      const total = weights.reduce((a, b) => a + b, 0);
      const p = chunks(shares);
      const pi = chunks(logits).map(softmax);
      const expected = weights.reduce(
        (sum, w, i) => sum - (w / total) * p[i].reduce((s, share, a) => s + share * Math.log(pi[i][a]), 0),
        0,
      );
      const { loss, slope } = await run(weights);
      assertClose(loss, [expected], 1e-5);
      assertClose(
        slope,
        weights.flatMap((w, i) => pi[i].map((x, a) => (w / total) * (x - p[i][a]))),
        1e-5,
      );
    });

    it('does not depend on the scale of the weights, and teaches nothing where all are 0', async () => {
      const weights = [3, 0, 1, 0.5, 0, 2];
      const { slope } = await run(weights);
      assertClose((await run(weights.map((w) => w / 1000))).slope, slope, 1e-5);
      const none = await run(weights.map(() => 0));
      assert.equal(none.loss[0], 0);
      assert.ok(none.slope.every((x) => x === 0));
    });

    it('draws values to returns by weight', async () => {
      const graph = new Graph();
      const v = graph.parameter('values', [3]);
      const loss = returnLoss(v, graph.input('returns', 'float32', [3]), graph.input('weights', 'float32', [3]));
      const [slope] = gradient(loss, [v]);
      const feeds = {
        values: Float32Array.of(1, 2, 9),
        returns: Float32Array.of(0, 4, 0),
        weights: Float32Array.of(1, 3, 0),
      };
      const found = await evaluate(device(), { loss, slope }, feeds);
      assertClose(found.loss, [(1 + 3 * 4) / 4], 1e-6);
      assertClose(found.slope, [2 / 4, (-2 * 2 * 3) / 4, 0], 1e-6);
    });
  });
});
