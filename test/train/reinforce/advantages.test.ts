import assert from 'node:assert/strict';
import fc from 'fast-check';
import { advantages, groupOutcomes, stepRewards, whiten } from '../../../server/train/reinforce/advantages.ts';
import { assertClose } from '../../support/reference.ts';

/** Two rows of three places; the second has ended after two. */
const layout = { rows: 2, length: 3, mask: [1, 1, 1, 1, 1, 0] };

describe('outcomes of groups', () => {
  it('are distances from the mean in unbiased standard deviations', () => {
    // Mean 2, variance (1 + 0 + 1) / 2 = 1; the other group has mean 5 and variance 2.
    assertClose(groupOutcomes([1, 2, 3, 4, 6], [0, 0, 0, 7, 7]), [-1, 0, 1, -Math.SQRT1_2, Math.SQRT1_2], 1e-7);
  });

  it('are 0 for a sample alone and for samples that are all alike', () => {
    assert.deepEqual([...groupOutcomes([3, 1, 1, 1], [0, 1, 1, 1])], [0, 0, 0, 0]);
  });

  it('sum to 0 in every group and do not depend on the order of the groups', () => {
    const sample = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -50, max: 50 }));
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 30 }), (samples) => {
        const outcomes = groupOutcomes(
          samples.map(([, reward]) => reward),
          samples.map(([group]) => group),
        );
        for (let group = 0; group < 4; group++) {
          const sum = outcomes.reduce((n, x, i) => n + (samples[i][0] === group ? x : 0), 0);
          assert(Math.abs(sum) < 1e-6);
        }
        const sorted = samples.map((_, i) => i).sort((a, b) => samples[a][0] - samples[b][0]);
        const again = groupOutcomes(
          sorted.map((i) => samples[i][1]),
          sorted.map((i) => samples[i][0]),
        );
        for (const [k, i] of sorted.entries()) assert(Math.abs(again[k] - outcomes[i]) < 1e-9);
      }),
    );
  });
});

describe('rewards of steps', () => {
  it('are the divergence everywhere and the outcome at the last action', () => {
    const old = [-1, -2, -1, -3, -1, -9];
    const ref = [-2, -2, -0.5, -1, -1.5, -5];
    const steps = stepRewards(layout, old, ref, [10, 20], 0.5);
    assertClose(steps, [-0.5, 0, 10 + 0.25, 1, 20 - 0.25, 0], 1e-12);
  });

  it('are nothing in a row without actions', () => {
    assert.deepEqual([...stepRewards({ rows: 1, length: 2, mask: [0, 0] }, [1, 1], [0, 0], [5], 1)], [0, 0]);
  });

  it('find the last action of a row that begins late, as those behind a prompt do', () => {
    const zeros = [0, 0, 0, 0, 0];
    const late = { rows: 1, length: 5, mask: [0, 0, 1, 1, 0] };
    assertClose(stepRewards(late, zeros, zeros, [3], 1), [0, 0, 0, 3, 0], 0);
  });
});

describe('advantages', () => {
  const rewards = [1, 0, 2, 0, 4, 0];

  it('without values and with lambda 1 are the rewards to come', () => {
    assert.deepEqual([...advantages(layout, rewards, undefined, 1, 1)], [3, 2, 2, 4, 4, 0]);
  });

  it('with lambda 0 are the errors of one step', () => {
    const values = [1, 2, 3, 4, 5, 100];
    // delta = r + gamma V' - V, with nothing behind the last action.
    assertClose(advantages(layout, rewards, values, 0.5, 0), [1 + 1 - 1, 1.5 - 2, 2 - 3, 2.5 - 4, 4 - 5, 0], 1e-12);
  });

  it('are the sum of those errors, each decayed', () => {
    const values = [1, 2, 3, 0, 0, 0];
    const [gamma, lambda] = [0.9, 0.8];
    const deltas = [1 + gamma * 2 - 1, gamma * 3 - 2, 2 - 3];
    const decay = gamma * lambda;
    const expected = [deltas[0] + decay * deltas[1] + decay ** 2 * deltas[2], deltas[1] + decay * deltas[2], deltas[2]];
    assertClose(advantages(layout, rewards, values, gamma, lambda).subarray(0, 3), expected, 1e-12);
  });
});

describe('whitening', () => {
  it('gives the valid entries mean 0 and variance 1, and leaves the others at 0', () => {
    const white = whiten(layout, [1, 2, 3, 4, 5, 1e9]);
    assertClose(white, [-Math.SQRT2, -Math.SQRT1_2, 0, Math.SQRT1_2, Math.SQRT2, 0], 1e-7);
  });

  it('of equal values, and of none, is 0', () => {
    assert.deepEqual([...whiten({ mask: [1, 1] }, [7, 7])], [0, 0]);
    assert.deepEqual([...whiten({ mask: [0, 0] }, [7, 8])], [0, 0]);
  });

  it('leaves 0 where the mean is 0 but for rounding', () => {
    const values = [0.1, 0.2, -0.3, 0];
    assert.notEqual(values.reduce((sum, x) => sum + x) / 4, 0);
    assert.equal(whiten({ mask: [1, 1, 1, 1] }, values)[3], 0);
  });
});
