import assert from 'node:assert/strict';
import {
  mcnemar,
  meanChange,
  newcombe,
  pairedChange,
  shareChange,
  wilson,
} from '../../server/protocol/figures/shares.ts';
import { changeBetween } from '../../server/protocol/figures/solved-change.ts';

const rounded = ({ low, high }: { low: number; high: number }) => [low.toFixed(4), high.toFixed(4)];

describe('shares', () => {
  it('have the intervals of Wilson, as published', () => {
    assert.deepEqual(rounded(wilson(81 / 263, 263)), ['0.2553', '0.3662']);
    assert.deepEqual(rounded(wilson(0, 10)), ['0.0000', '0.2775']);
    assert.deepEqual(rounded(wilson(0.5, 10)), ['0.2366', '0.7634']);
  });

  it('differ within the intervals of Newcombe, as published', () => {
    assert.deepEqual(rounded(newcombe(48 / 80, 80, 56 / 70, 70)), ['0.0524', '0.3339']);
    assert.deepEqual(rounded(newcombe(56 / 70, 70, 48 / 80, 80)), ['-0.3339', '-0.0524']);
  });

  it('change only where that is beyond chance, and nothing is told of too few', () => {
    assert.equal(shareChange(0, 1, 1), 'unknown');
    assert.equal(shareChange(0, 1, 19), 'unknown');
    assert.equal(shareChange(0.5, 0.5, 30), 'unknown');
    assert.equal(shareChange(0.3, 0.34, 200), 'none');
    assert.equal(shareChange(0.3, 0.5, 200), 'rises');
    assert.equal(shareChange(0.5, 0.3, 200), 'falls');
  });

  it('are compared problem by problem with the exact test of McNemar: values of scipy.stats.binomtest', () => {
    const values = [
      [0, 6, 0.03125],
      [6, 0, 0.03125],
      [1, 9, 0.021484375],
      [15, 5, 0.04138946533203125],
      [150, 86, 3.7159361395713866e-5],
      [700, 800, 0.010559255466711506],
      [3, 3, 1],
      [0, 0, 1],
    ] as const;
    for (const [gained, lost, p] of values) {
      const found = mcnemar({ gained, lost });
      assert(Math.abs(found - p) <= 1e-9 * p, `${gained}, ${lost}: ${found}`);
    }
  });

  it('change for the same problems where as many would not turn by chance', () => {
    // Two independent counts would tell nothing of 60 and 74 in 200.
    assert.equal(shareChange(60 / 200, 74 / 200, 200), 'none');
    assert.equal(pairedChange({ gained: 16, lost: 2 }, 200), 'rises');
    assert.equal(pairedChange({ gained: 2, lost: 16 }, 200), 'falls');
    assert.equal(pairedChange({ gained: 40, lost: 26 }, 200), 'none');
    assert.equal(pairedChange({ gained: 8, lost: 0 }, 19), 'unknown');
    assert.equal(pairedChange({ gained: 8, lost: 6 }, 22), 'unknown');
  });

  it('change in their mean beyond the quantile of Student', () => {
    // Of 19 degrees of freedom it is 2.09302 (scipy.stats.t).
    assert.equal(meanChange(0.0209, 0.01, 20), 'none');
    assert.equal(meanChange(0.021, 0.01, 20), 'rises');
    assert.equal(meanChange(-0.021, 0.01, 20), 'falls');
    assert.equal(meanChange(0.1, 0.1, 20), 'unknown');
    assert.equal(meanChange(0.5, 0.01, 19), 'unknown');
  });

  it('are judged by the sharpest test that the figures allow', () => {
    const [before, after] = [{ greedy_solved: 0.3 }, { greedy_solved: 0.37, held_out_problems: 200 }];
    assert.equal(changeBetween('greedy_solved', before, after), 'none');
    assert.equal(changeBetween('greedy_solved', before, { ...after, greedy_gained: 16, greedy_lost: 2 }), 'rises');
    assert.equal(changeBetween('greedy_solved', before, { greedy_solved: 0.37 }), 'unknown');
    const sampled = { sampled_solved: 0.37, held_out_problems: 200 };
    assert.equal(
      changeBetween('sampled_solved', { sampled_solved: 0.3 }, { ...sampled, sampled_noise: 0.02 }),
      'rises',
    );
    assert.equal(changeBetween('sampled_solved', { sampled_solved: 0.3 }, { ...sampled, sampled_noise: 0.05 }), 'none');
  });
});
