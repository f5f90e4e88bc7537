import assert from 'node:assert/strict';
import fc from 'fast-check';
import { packSequences, padRows } from '../../server/data/packing.ts';
import { collect } from './folder.ts';

const ids = fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 12 });

describe('packing', () => {
  it('joins documents with EOS behind each and loses only the tail', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(ids, { maxLength: 12 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        async (docs, length, batch) => {
          const all = docs.flatMap((doc) => [...doc, 0]);
          const batches = await collect(packSequences(docs, { length, batch, eosId: 0 }));
          assert.deepEqual(
            batches.flatMap((b) => [...b]),
            all.slice(0, all.length - (all.length % length)),
          );
          batches.forEach((b, i) => {
            assert.ok(i < batches.length - 1 ? b.length === length * batch : b.length % length === 0);
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('pads rows on the right and marks their responses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ prompt: ids, response: ids }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 8 }),
        (rows, multiple) => {
          const { ids: padded, responseMask, lengths, shape, truncated } = padRows(rows, { padId: 0, multiple });
          const [B, T] = shape;
          assert.equal(T % multiple, 0);
          assert.equal(truncated, 0);
          assert.deepEqual([B, padded.length, responseMask.length], [rows.length, B * T, B * T]);
          rows.forEach(({ prompt, response }, b) => {
            const row = [...padded.slice(b * T, (b + 1) * T)];
            const mask = responseMask.slice(b * T, (b + 1) * T);
            assert.deepEqual(row.slice(0, lengths[b]), [...prompt, ...response]);
            assert.ok(row.slice(lengths[b]).every((id) => id === 0));
            assert.deepEqual(
              row.filter((_, i) => mask[i] === 1),
              response,
            );
          });
          assert.ok(T - Math.max(1, ...lengths) < multiple);
        },
      ),
    );
  });

  it('cuts long responses, never prompts', () => {
    const row = { prompt: [1, 2], response: [3, 4, 5] };
    const cut = padRows([row, { prompt: [1], response: [2] }], { padId: 0, multiple: 4, maxLength: 4 });
    assert.deepEqual([...cut.ids], [1, 2, 3, 4, 1, 2, 0, 0]);
    assert.equal(cut.truncated, 1);
    assert.throws(() => padRows([row], { padId: 0, maxLength: 2 }), { id: 'data.promptTooLong' });
    assert.deepEqual([...padRows([{ prompt: [1, 2], response: [] }], { padId: 0, maxLength: 2 }).ids], [1, 2]);
  });
});
