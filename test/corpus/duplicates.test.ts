import assert from 'node:assert/strict';
import { DuplicateIndex, signatureOf, similarity } from '../../scripts/corpus/duplicates.ts';
import { Random } from '../../server/random.ts';

describe('near-duplicates', () => {
  const random = new Random(7);
  const words = (count: number): string[] => Array.from({ length: count }, () => `w${random.integer(5000)}`);

  it('estimate the Jaccard similarity of the shingles', () => {
    const shared = words(3000);
    const a = [...shared, ...words(1000)].join(' ');
    const b = [...shared, ...words(1000)].join(' ');
    // 2995 shared shingles of 2 * 3995 - 2995 different ones: 0.6; the spread of 64 values is 0.06.
    const estimate = similarity(signatureOf(a), signatureOf(b));
    assert.ok(Math.abs(estimate - 0.6) < 0.2, `estimated ${estimate}`);
    assert.equal(similarity(signatureOf(a), signatureOf(a)), 1);
    assert.ok(similarity(signatureOf(a), signatureOf(words(4000).join(' '))) < 0.1);
  });

  it('find a text again after small changes, and not another', () => {
    const index = new DuplicateIndex();
    const texts = Array.from({ length: 50 }, () => words(400));
    for (const text of texts) index.add(signatureOf(text.join(' ')));
    const changed = [...texts[17]];
    changed[200] = 'changed';
    assert.ok(index.nearest(signatureOf(changed.join('\n'))) > 0.7);
    assert.ok(index.nearest(signatureOf(words(400).join(' '))) < 0.4);
  });

  it('handle texts shorter than a shingle', () => {
    assert.equal(similarity(signatureOf('a b'), signatureOf('a b')), 1);
    assert.ok(similarity(signatureOf('a b'), signatureOf('c d')) < 0.5);
    assert.equal(signatureOf('').length, 64);
  });
});
