import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import type { RewardSpec } from '../../server/rewards/spec.ts';
import { absolutePaths } from '../../server/spec/paths.ts';

describe('a reward that is given on the command line', () => {
  it('has the paths of its models and modules from there, and nothing else changed', () => {
    const spec: RewardSpec = {
      sum: [
        { reward: { model: 'rm' }, weight: 0.5 },
        { reward: { model: { path: '/far/rm', normalise: 'sigmoid' } } },
        { reward: { module: { path: 'a.mjs' } } },
        { reward: { exact: { column: 'model' } } },
        { reward: 'countdown' },
      ],
    };
    assert.deepEqual(absolutePaths(spec, '/here'), {
      sum: [
        { reward: { model: resolve('/here/rm') }, weight: 0.5 },
        { reward: { model: { path: resolve('/far/rm'), normalise: 'sigmoid' } } },
        { reward: { module: { path: resolve('/here/a.mjs') } } },
        { reward: { exact: { column: 'model' } } },
        { reward: 'countdown' },
      ],
    });
    assert.equal(absolutePaths('exact', '/here'), 'exact');
  });
});
