import assert from 'node:assert/strict';
import { compareEvaluations, comparisonTable, formatFigure, tableText } from '../../server/evaluate/compare.ts';
import { comparison, defaultSettings, type Evaluation, evaluationVersion } from '../../server/evaluate/report.ts';
import { type Figures, summarise, summariseSeeds } from '../../server/train/measures/figures.ts';

const one = (mean: number) => ({ mean, spread: null, n: 1 });

function evaluation(model: string, results: Evaluation['results']): Evaluation {
  return {
    version: evaluationVersion,
    model,
    against: null,
    decoding: 'actions',
    device: 'cpu',
    seeds: [7],
    settings: defaultSettings,
    results,
    skipped: [{ measure: 'cost', reason: 'there is no run' }],
  };
}

describe('figures', () => {
  it('have the mean and the standard deviation with n - 1', () => {
    assert.deepEqual(summarise([2, 4, 9]), { mean: 5, spread: Math.sqrt(13), n: 3 });
    assert.deepEqual(summarise([2]), one(2));
  });

  it('that nothing is drawn for are counted once, and those without a value not at all', () => {
    const seeds: Figures[] = [
      { greedy_solved: 0.5, sampled_solved: 0.2, nothing: Number.NaN },
      { greedy_solved: 0.5, sampled_solved: 0.4, nothing: Number.NaN, some: 3 },
    ];
    const found = summariseSeeds(seeds);
    assert.deepEqual(Object.keys(found), ['greedy_solved', 'sampled_solved', 'some']);
    assert.deepEqual(found.greedy_solved, one(0.5));
    assert.deepEqual(found.some, one(3));
    assert.equal(found.sampled_solved.n, 2);
    assert(Math.abs((found.sampled_solved.spread ?? 0) - Math.SQRT1_2 * 0.2) < 1e-12);
  });
});

describe('evaluations side by side', () => {
  const latent = (solved: number) =>
    evaluation(`latent-${solved}`, { accuracy: { greedy_solved: one(solved) }, codebook: { alive: one(64) } });
  const all = [
    { label: 'latent', evaluation: latent(0.5) },
    { label: 'token', evaluation: evaluation('token', { accuracy: { greedy_solved: one(0.25) } }) },
    { label: 'latent', evaluation: latent(0.7) },
  ];

  it('have a column a label, with the spread over its models', () => {
    const found = compareEvaluations(all);
    assert.deepEqual(comparison.parse(JSON.parse(JSON.stringify(found))), found);
    assert.deepEqual(
      found.columns.map(({ label, evaluations }) => [label, evaluations.length]),
      [
        ['latent', 2],
        ['token', 1],
      ],
    );
    const [solved, alive] = found.rows;
    assert.equal(solved.name, 'greedy_solved');
    assert.equal(solved.values[0]?.n, 2);
    assert(Math.abs((solved.values[0]?.mean ?? 0) - 0.6) < 1e-12);
    assert.deepEqual(solved.values[1], one(0.25));
    assert.deepEqual(alive.values, [{ mean: 64, spread: 0, n: 2 }, null]);
  });

  it('are a table with mean, spread and number', () => {
    const text = tableText(comparisonTable(compareEvaluations(all)));
    const lines = [
      'measure   figure         latent              token',
      'accuracy  greedy_solved  0.600 ± 0.141 (2)   0.250',
      'codebook  alive          64.000 ± 0.000 (2)  -',
    ];
    assert.equal(text, lines.join('\n'));
  });

  it('print whole numbers whole', () => {
    assert.equal(formatFigure(one(1336320)), '1336320');
    assert.equal(formatFigure(one(12.3456)), '12.35');
    assert.equal(formatFigure(null), '-');
  });
});
