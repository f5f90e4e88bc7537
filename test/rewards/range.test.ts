/** The highest and the lowest value of a reward, as its scores show it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { rewardRange, solvedFrom } from '../../server/rewards/range.ts';
import { createReward } from '../../server/rewards/registry.ts';
import type { RewardSpec } from '../../server/rewards/spec.ts';

describe('the range of a reward', () => {
  it('is known for all but modules and models that nothing bounds', () => {
    const cases: [RewardSpec, number][] = [
      ['exact', 1],
      ['numeric', 1],
      ['countdown', 2],
      [{ countdown: { form: 'compact', format: 0.25 } }, 1.25],
      [{ countdown: { format: 0, correct: 3 } }, 3],
      [{ countdown: { format: -1 } }, 1],
      // In the compact form an answer is not right without its form.
      [{ countdown: { form: 'compact', format: -0.5 } }, 0.5],
      ['code', 1],
      [{ code: { parse: 0.5, types: 0.5, test: 2 } }, 3],
      [{ length: { max: 3 } }, 1],
      ['repetition', 0],
      [{ sum: [{ reward: 'exact' }, { reward: { length: { max: 3 } }, weight: 0.5 }] }, 1.5],
      [
        {
          sum: [
            { reward: 'countdown', weight: 2 },
            { reward: 'repetition', weight: 0.3 },
          ],
        },
        4,
      ],
      // A weight below 0 turns the lowest into the highest.
      [{ sum: [{ reward: 'exact' }, { reward: 'repetition', weight: -1 }] }, 2],
      [{ module: { path: 'a.js' } }, 1],
      [{ sum: [{ reward: 'exact' }, { reward: { module: { path: 'a.js' } } }] }, 1],
      [{ model: 'rm' }, 1],
      [{ model: { path: 'rm', normalise: 'sigmoid' } }, 1],
    ];
    for (const [spec, highest] of cases) assert.equal(solvedFrom(spec), highest, JSON.stringify(spec));
    assert.equal(rewardRange({ module: { path: 'a.js' } }), undefined);
    assert.equal(rewardRange({ model: 'rm' }), undefined);
    assert.deepEqual(rewardRange({ model: { path: 'rm', normalise: 'sigmoid' } }), { lowest: 0, highest: 1 });
  });

  it('holds every score, and its highest is reached exactly', async () => {
    const weight = fc.double({ min: -2, max: 2, noNaN: true });
    await fc.assert(
      fc.asyncProperty(weight, weight, weight, async (format, correct, length) => {
        const spec: RewardSpec = {
          sum: [
            { reward: { countdown: { form: 'compact', format, correct } }, weight: 0.1 },
            { reward: { length: { max: 100 } }, weight: length },
          ],
        };
        const range = rewardRange(spec);
        assert.ok(range !== undefined);
        const reward = await createReward(spec);
        const values: number[] = [];
        for (const completion of ['1+2=3', '1+1=2', 'x', 'y'.repeat(200)]) {
          const row = { numbers: [1, 2], target: 3 };
          const input = { prompt: '', completion, row, finished: true, tokens: completion.length };
          const score = await reward.score(input);
          assert.ok('value' in score);
          values.push(score.value);
        }
        await reward.close();
        assert.ok(values.every((value) => range.lowest <= value && value <= range.highest));
        if (length >= 0) assert.equal(Math.max(...values), range.highest);
      }),
    );
  });
});
