import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteNgram } from '../../scripts/corpus/ngram.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('byte n-gram model', () => {
  it('gives probabilities that sum to one after any context', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        (texts, order, context) => {
          const model = ByteNgram.train(texts, order);
          let sum = 0;
          for (let byte = 0; byte < 256; byte += 1) {
            const p = model.probability(context, byte);
            assert.ok(p >= 0);
            sum += p;
          }
          assert.ok(Math.abs(sum - 1) < 1e-9, `sum ${sum}`);
        },
      ),
      { numRuns: process.env.COLA_SLOW ? 300 : 30 },
    );
  });

  it('equals Kneser-Ney by hand for bigrams', () => {
    const model = ByteNgram.train([bytes('abab')], 2);
    // Bigrams: 0a 1, ab 2, ba 1; continuation counts: a 2 (after 0 and b), b 1.
    // Discounts: bigrams once/(once + 2 twice) = 2/(2 + 2) = 1/2; unigrams 1/(1 + 2) = 1/3.
    const unigramB = (1 - 1 / 3 + ((1 / 3) * 2) / 256) / 3;
    const expected = (2 - 0.5 + 0.5 * 1 * unigramB) / 2;
    assert.ok(Math.abs(model.probability('a'.charCodeAt(0), 'b'.charCodeAt(0)) - expected) < 1e-12);
  });

  it('needs fewer bits with longer contexts for regular text, and 8 a byte knowing nothing', () => {
    const text = bytes('const value = compute(value);\n'.repeat(50));
    const sizes = [1, 2, 3, 5].map((order) => ByteNgram.train([text], order).bits(text) / text.length);
    for (let i = 1; i < sizes.length; i += 1) assert.ok(sizes[i] < sizes[i - 1], sizes.join(' '));
    assert.equal(ByteNgram.train([], 5).bits(bytes('abc')), 24);
    assert.throws(() => ByteNgram.train([], 6), RangeError);
  });
});
