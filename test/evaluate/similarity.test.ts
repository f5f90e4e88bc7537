import assert from 'node:assert/strict';
import fc from 'fast-check';
import { diversityOf, meanPairwiseCosine } from '../../server/evaluate/similarity.ts';

const near = (x: number, y: number) => assert(Math.abs(x - y) < 1e-9, `${x} for ${y}`);

describe('similarity', () => {
  it('is 1 for the same direction, 0 for orthogonal ones, -1 for opposite ones', () => {
    near(
      meanPairwiseCosine(
        [
          [1, 2],
          [2, 4],
          [0.5, 1],
        ],
        [0, 0],
      ),
      1,
    );
    near(
      meanPairwiseCosine(
        [
          [3, 0],
          [0, 5],
        ],
        [0, 0],
      ),
      0,
    );
    near(
      meanPairwiseCosine(
        [
          [3, 0],
          [-1, 0],
        ],
        [0, 0],
      ),
      -1,
    );
  });

  it('is taken around the centre', () => {
    // Far from the origin everything looks alike.
    const rows = [
      [101, 100],
      [99, 100],
      [100, 101],
      [100, 99],
    ];
    assert(meanPairwiseCosine(rows, [0, 0]) > 0.99);
    near(meanPairwiseCosine(rows, [100, 100]), -1 / 3);
  });

  it('is the mean over all pairs', () => {
    const vector = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(vector, { minLength: 2, maxLength: 6 }), vector, (rows, centre) => {
        const moved = rows.map((row) => row.map((x, i) => x - centre[i]));
        const norms = moved.map((row) => Math.hypot(...row));
        fc.pre(norms.every((norm) => norm > 1e-3));
        let [sum, pairs] = [0, 0];
        for (let i = 0; i < moved.length; i++) {
          for (let j = 0; j < i; j++) {
            sum += moved[i].reduce((dot, x, d) => dot + x * moved[j][d], 0) / (norms[i] * norms[j]);
            pairs++;
          }
        }
        near(meanPairwiseCosine(rows, centre), sum / pairs);
      }),
    );
  });

  it('of a single text has no value', () => assert(Number.isNaN(meanPairwiseCosine([[1, 2]], [0, 0]))));

  it('has an inverse only where it is clearly above 0', () => {
    near(diversityOf(0.5) ?? 0, 2);
    assert.equal(diversityOf(0.003), undefined);
    assert.equal(diversityOf(-0.2), undefined);
  });
});
