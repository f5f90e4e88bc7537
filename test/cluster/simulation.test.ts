import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plan, simulate } from '../../bench/cluster/simulation.ts';
import { type Calibration, type Result, resultOf, sizesOf, workerCounts } from '../../bench/cluster/sizes.ts';

/** Everything takes a whole second, or nothing. */
const plan: Plan = {
  scheme: 'gradients',
  workers: 1,
  shards: 4,
  minibatches: 1,
  rollout: 1,
  spread: 0,
  gradient: 1,
  policy: 0,
  outcome: 0,
  hidden: 0,
  secondsPerByte: 0,
  own: 1,
  bytesPerSecond: 1,
  latency: 0,
  seed: 1,
};

describe('the simulation of a cluster', () => {
  const seconds = (changed: Partial<Plan>) => simulate({ ...plan, ...changed }).seconds;

  it('counts what is computed, by one after the other and by several beside each other', () => {
    assert.equal(seconds({}), 8);
    assert.equal(seconds({ workers: 2 }), 4);
    assert.equal(seconds({ workers: 3 }), 4);
    assert.equal(seconds({ workers: 4 }), 2);
    assert.equal(seconds({ workers: 9 }), 2);
    assert.equal(seconds({ workers: 4, minibatches: 3 }), 4);
  });

  it('hands a policy on from whoever has it', () => {
    // After 1, 2 and 3 seconds one, three and seven have it; the last of eight is late by one.
    const last = (workers: number) => simulate({ ...plan, policy: 1, rollout: 10, shards: workers, workers }).rollout;
    assert.deepEqual([1, 3, 7, 8].map(last), [11, 12, 13, 14]);
  });

  it('lets gradients wait for the one link of the learner, and adds them by pairs where that is asked for', () => {
    const sent = { workers: 4, policy: 1, rollout: 10, gradient: 0 };
    // Three seconds until all have the policy, then four gradients, or two exchanges and one gradient.
    assert.equal(seconds(sent), 13 + 4);
    assert.equal(seconds({ ...sent, scheme: 'sums' }), 13 + 2 + 1);
  });

  it('lets the learner compute all gradients where hidden states are sent', () => {
    assert.equal(seconds({ workers: 4, scheme: 'hidden' }), 1 + 4);
    assert.equal(seconds({ workers: 4, scheme: 'hidden', hidden: 2 }), 1 + 4 * 2 + 4);
  });

  it('varies shards as it is told, the same every time', () => {
    const varied = { shards: 2000, spread: 0.3, gradient: 0 };
    assert.equal(seconds(varied), seconds(varied));
    assert.notEqual(seconds(varied), seconds({ ...varied, seed: 2 }));
    assert(Math.abs(seconds(varied) / 2000 - 1) < 0.03);
  });

  it('is what docs/results/cluster.json has', () => {
    const file = join(import.meta.dirname, '../../docs/results/cluster.json');
    const { measured, simulated } = JSON.parse(readFileSync(file, 'utf8')) as {
      measured: { calibration: Calibration };
      simulated: Result[];
    };
    const [small] = sizesOf(measured.calibration);
    const kept = simulated.find(({ size, way, gigabits, speed }) => {
      return size === small.name && way === 'gradients' && gigabits === 10 && speed === 1;
    });
    const { good, limit, points } = resultOf(measured.calibration, small, 'gradients', 10, 1);
    assert.deepEqual({ good: kept?.good, limit: kept?.limit }, { good, limit });
    assert.deepEqual(
      kept?.points.map(({ workers }) => workers),
      [...workerCounts],
    );
    for (const [i, point] of points.entries())
      assert(Math.abs((kept?.points[i].seconds ?? 0) / point.seconds - 1) < 1e-3, `${point.workers} workers`);
  });
});
