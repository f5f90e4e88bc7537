import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type MetricRow, RowSampler } from '../../server/protocol/figures/down-sampling.ts';

const row = (step: number, values: MetricRow['values'], stage = 'reinforce'): MetricRow => ({
  step,
  stage,
  evaluation: false,
  values,
});

const sampled = (rows: readonly MetricRow[], limit: number, names?: readonly string[]) => {
  const sampler = new RowSampler(limit, names);
  for (const each of rows) sampler.add(each);
  return sampler;
};

describe('rows of a long run', () => {
  const values = fc.dictionary(fc.constantFrom('reward', 'kl', 'loss'), fc.option(fc.double({ noNaN: true })));

  it('are all there while they are few', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 50 }), (list) => {
        const rows = list.map((each, i) => row(i, each));
        const sampler = sampled(rows, 50);
        assert.deepEqual(sampler.rows(), rows);
        assert.equal(sampler.stride, 1);
      }),
    );
  });

  it('keep every stage from its first step to its last, and the extremes of every number', () => {
    fc.assert(
      fc.property(
        fc.array(values, { minLength: 100, maxLength: 3000 }),
        fc.integer({ min: 20, max: 60 }),
        (list, limit) => {
          const rows = list.map((each, i) => row(i, each, i < list.length / 3 ? 'control' : 'reinforce'));
          const kept = sampled(rows, limit).rows();
          assert.ok(kept.length <= Math.max(limit, 16), `${kept.length} of ${limit}`);
          for (const stage of ['control', 'reinforce']) {
            const [all, some] = [rows, kept].map((from) => from.filter((each) => each.stage === stage));
            assert.deepEqual([some[0], some.at(-1)], [all[0], all.at(-1)]);
            for (const name of ['reward', 'kl', 'loss']) {
              const range = (from: readonly MetricRow[]) => {
                const numbers = from.flatMap((each) => each.values[name] ?? []);
                return numbers.length === 0 ? null : [Math.min(...numbers), Math.max(...numbers)];
              };
              assert.deepEqual(range(some), range(all));
            }
          }
          assert.deepEqual(
            kept.map(({ step }) => step),
            kept.map(({ step }) => step).sort((a, b) => a - b),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keep a single spike among a million steps', () => {
    const sampler = new RowSampler(500, ['reward']);
    for (let step = 0; step < 1_000_000; step++)
      sampler.add(row(step, { reward: step === 654_321 ? 9 : 0.5, noise: step % 7 }));
    const kept = sampler.rows();
    assert.ok(kept.length <= 500 && kept.length > 100);
    assert.equal(kept.find(({ values: { reward } }) => reward === 9)?.step, 654_321);
    assert.ok(sampler.stride > 1000);
  });
});
