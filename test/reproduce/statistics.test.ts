import assert from 'node:assert/strict';
import { judge, meanOverSeeds, studentFactor, together } from '../../server/reproduce/statistics.ts';

describe('what seeds say of a difference', () => {
  it('is the mean of the seeds with an interval by Student’s t', () => {
    // By hand: mean 3, deviation sqrt(2.5), error sqrt(2.5 / 5), t of 4 degrees of freedom 2.776.
    const { mean, low, high, seeds } = meanOverSeeds([[1], [2], [3], [4], [5]]);
    assert.equal(mean, 3);
    assert.ok(Math.abs(high - (3 + 2.776 * Math.SQRT1_2)) < 1e-9);
    assert.ok(Math.abs(low - (3 - 2.776 * Math.SQRT1_2)) < 1e-9);
    assert.deepEqual(seeds, [1, 2, 3, 4, 5]);
  });

  it('is never surer than the problems of the seeds allow', () => {
    // Seeds that agree by chance, of problems that do not: the error is that of ten problems of deviation 1.
    const problems = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3];
    const { mean, high } = meanOverSeeds([problems, problems]);
    const variance = 10 / 9;
    assert.equal(mean, 2);
    assert.ok(Math.abs(high - (2 + 12.706 * Math.sqrt((2 * variance) / 10 / 4))) < 1e-9);
  });

  it('is open where there is one seed', () => {
    const { mean, low, high } = meanOverSeeds([[1, 2, 3]]);
    assert.deepEqual([mean, low, high], [2, -Infinity, Infinity]);
    assert.equal(judge({ low, high }, { above: -100 }), 'cannot tell');
  });

  it('has the quantiles of t, down to that of the normal distribution', () => {
    assert.equal(studentFactor(2), 12.706);
    assert.equal(studentFactor(31), 2.042);
    assert.equal(studentFactor(1000), 1.96);
  });
});

describe('a verdict', () => {
  it('holds, does not hold or cannot be told by where the interval lies', () => {
    assert.equal(judge({ low: 0.1, high: 0.3 }, { above: 0 }), 'holds');
    assert.equal(judge({ low: -0.3, high: -0.1 }, { above: 0 }), 'does not hold');
    assert.equal(judge({ low: -0.1, high: 0.1 }, { above: 0 }), 'cannot tell');
    assert.equal(judge({ low: -0.1, high: 0.1 }, { above: -0.2, below: 0.2 }), 'holds');
    assert.equal(judge({ low: 0.3, high: 0.4 }, { above: -0.2, below: 0.2 }), 'does not hold');
  });

  it('of several checks needs them all', () => {
    assert.equal(together(['holds', 'holds']), 'holds');
    assert.equal(together(['holds', 'cannot tell']), 'cannot tell');
    assert.equal(together(['cannot tell', 'does not hold']), 'does not hold');
    assert.equal(together(['holds', 'not run']), 'not run');
  });
});
