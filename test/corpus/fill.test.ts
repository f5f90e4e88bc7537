import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fillText } from '../../scripts/model/anneal-data.ts';
import { Random } from '../../server/random.ts';

const line = fc.string({ minLength: 0, maxLength: 60 }).map((text) => text.replace(/[\n<]/g, ' '));

describe('texts for filling in the middle', () => {
  it('give back a piece of the document when the middle is put where it was', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 8, maxLength: 120 }), fc.integer(), (lines, seed) => {
        const text = lines.join('\n');
        const cut = fillText(text, new Random(seed));
        if (cut === undefined) return;
        const [start, prefix, suffix, middle] = cut.split(/<\|fim_(?:prefix|suffix|middle)\|>/);
        assert.equal(start, '');
        assert.ok(text.includes(prefix + middle + suffix));
        assert.notEqual(middle.trim(), '');
      }),
    );
  });

  it('leaves short documents whole', () => {
    assert.equal(fillText('const x = 1;\n', new Random(1)), undefined);
  });
});
