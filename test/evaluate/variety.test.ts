import assert from 'node:assert/strict';
import { distinctShare, meanGap, selfBleu } from '../../server/evaluate/variety.ts';

const near = (found: number, wanted: number) =>
  assert.ok(Math.abs(found - wanted) < 1e-12, `${found} is not ${wanted}`);

describe('how different texts are', () => {
  it('is the share of different n-grams', () => {
    // Pairs: 1 2, 2 3, 1 2, 2 4.
    assert.equal(
      distinctShare(
        [
          [1, 2, 3],
          [1, 2, 4],
        ],
        2,
      ),
      3 / 4,
    );
    assert.equal(distinctShare([[1]], 2), 0);
  });

  it('is self-BLEU: 1 for the same text, by hand for others', () => {
    const text = [1, 2, 3, 4, 5];
    near(selfBleu([text, text, text]), 1);
    // Of 1 2 3 4 and 1 2 3 5 three of four tokens, 3 of 4 pairs, 2 of 3 triples and 1 of 2 quadruples, with one added to each.
    const expected = ((3 / 4) * (3 / 4) * (2 / 3) * (1 / 2)) ** (1 / 4);
    near(
      selfBleu([
        [1, 2, 3, 4],
        [1, 2, 3, 5],
      ]),
      expected,
    );
    near(
      selfBleu([
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ]),
      0,
    );
  });
});

describe('two curves', () => {
  it('are apart by their mean distance at equal quality', () => {
    const gap = meanGap(
      [
        [3, 5],
        [1, 1],
      ],
      [
        [2, 1],
        [4, 1],
      ],
    );
    // From 2 to 3 the first rises from 3 to 5, and the second is 1.
    assert.deepEqual(gap, { gap: 3, width: 1 });
  });

  it('cross where they cross', () => {
    const gap = meanGap(
      [
        [0, 0],
        [2, 2],
      ],
      [
        [0, 2],
        [1, 0],
        [2, 2],
      ],
    );
    near(gap?.gap ?? Number.NaN, 0);
  });

  it('say nothing where they have no quality in common', () => {
    assert.equal(
      meanGap(
        [
          [0, 1],
          [1, 1],
        ],
        [
          [2, 1],
          [3, 1],
        ],
      ),
      undefined,
    );
    assert.equal(meanGap([], []), undefined);
  });
});
