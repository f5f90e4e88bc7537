import assert from 'node:assert/strict';
import { measureCodebook } from '../../server/evaluate/actions/codebook.ts';
import { codeTokens } from '../../server/train/measures/code-tokens.ts';
import { assertClose } from '../support/reference.ts';
import { colaOf, type Fixture, openFixture } from './fixture.ts';

const argmax = (values: ArrayLike<number>, start: number, count: number) => {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[start + i] > values[start + best]) best = i;
  return best;
};

/** -log softmax(row)[target] in float64. */
function loss(values: ArrayLike<number>, start: number, count: number, target: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(values[start + i]);
  return Math.log(sum) - values[start + target];
}

describe('the codebook', () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await openFixture();
  });
  after(() => fixture.close());

  it('has the health of the reference', async () => {
    const { subject, text, reference } = fixture;
    const { figures, usage } = await measureCodebook(subject, colaOf(fixture), text, 1000);
    assert.deepEqual(usage, [...reference.ints('health.idm.counts')]);
    assertClose([figures.alive], reference.ints('health.idm.alive'), 0, 'alive');
    assertClose([figures.usage_entropy], reference.floats('health.idm.entropy'), 1e-5, 'entropy');
    assertClose([figures.max_share], reference.floats('health.idm.max_share'), 1e-6, 'max share');
    assertClose([figures.clone_loss], reference.floats('clone.loss'), 1e-5, 'clone loss');
  });

  it('has losses and accuracies that follow from the logits of the reference', async () => {
    const { subject, text, reference } = fixture;
    const { figures } = await measureCodebook(subject, colaOf(fixture), text, 1000);
    const actions = reference.ints('idm.actions');
    const [n, v, T] = [8, subject.base.config.vocabSize, text.length];
    const world = reference.floats('fta_i.logits');
    const base = reference.floats('base.logits');
    const policy = reference.floats('policy.logits');
    const sums = { prediction: 0, base_loss: 0, forced_accuracy: 0, base_accuracy: 0, clone_accuracy: 0 };
    for (let b = 0; b < text.count; b++) {
      for (let t = 0; t + 1 < T; t++) {
        const [short, long] = [b * (T - 1) + t, b * T + t];
        const target = text.ids[long + 1];
        sums.prediction += loss(world, short * v, v, target);
        sums.base_loss += loss(base, long * v, v, target);
        sums.forced_accuracy += +(argmax(world, short * v, v) === target);
        sums.base_accuracy += +(argmax(base, long * v, v) === target);
        sums.clone_accuracy += +(argmax(policy, long * n, n) === actions[short]);
      }
    }
    for (const [name, sum] of Object.entries(sums))
      assertClose([figures[name]], [sum / (text.count * (T - 1))], 1e-5, name);
  });

  it('knows the token of every code, and what they reach', async () => {
    const { subject, device, text, reference } = fixture;
    const cola = colaOf(fixture);
    const [T, n, v] = reference.shape('world.logits_first');
    const world = reference.floats('world.logits_first');
    const expected = Array.from({ length: T * n }, (_, i) => argmax(world, i * v, v));
    const h = reference.floats('base.hidden').subarray(0, T * subject.base.config.hiddenSize);
    for (const budget of [undefined, 3 * n * v])
      assert.deepEqual([...(await codeTokens(device, subject.weights, cola, h, budget))], expected);
    // The first sequence alone.
    const first = { ids: text.ids.subarray(0, T), count: 1, length: T };
    const { figures } = await measureCodebook(subject, cola, first, 1000);
    const sets = Array.from({ length: T - 1 }, (_, t) => new Set(expected.slice(t * n, (t + 1) * n)));
    const reached = sets.filter((set, t) => set.has(first.ids[t + 1])).length;
    assertClose([figures.reach], [reached / (T - 1)], 1e-9, 'reach');
    assertClose([figures.distinct_tokens], [sets.reduce((a, set) => a + set.size, 0) / (T - 1)], 1e-9, 'distinct');
  });

  it('does not depend on how many rows fit into a run', async () => {
    const { subject, text } = fixture;
    const cola = colaOf(fixture);
    const whole = await measureCodebook(subject, cola, text, 40);
    const cut = await measureCodebook(subject, cola, text, 40, 2 * text.length * subject.base.config.vocabSize);
    assert.deepEqual(cut.usage, whole.usage);
    for (const [name, value] of Object.entries(whole.figures)) assertClose([cut.figures[name]], [value], 1e-6, name);
  });
});
