import assert from 'node:assert/strict';
import { CacheModel, mostTokens, saidOf } from '../../server/completion/cache-model.ts';
import { inOrder } from '../../server/completion/prompt.ts';
import { Random } from '../../server/random.ts';

/** The same by looking at every place of every text. */
function plainly(texts: readonly (readonly number[])[], sequence: readonly number[]): Map<number, number> | undefined {
  const agreed = (text: readonly number[], at: number) => {
    let n = 0;
    while (n < 16 && n < at && n < sequence.length && text[at - 1 - n] === sequence[sequence.length - 1 - n]) n++;
    return n;
  };
  const found = [...texts, sequence].flatMap((text) =>
    Array.from(text, (token, at) => ({ token, agreed: agreed(text, at) })).filter((each) => each.agreed >= 3),
  );
  if (found.length === 0) return undefined;
  const best = Math.max(...found.map((each) => each.agreed));
  const counts = new Map<number, number>();
  for (const { token } of found.filter((each) => each.agreed === best)) counts.set(token, (counts.get(token) ?? 0) + 1);
  return counts;
}

describe('what stands in other texts', () => {
  it('is what followed the longest agreement, of texts that were added, replaced and removed in any order', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed);
      const cache = new CacheModel();
      const texts = new Map<string, number[]>();
      const draw = (length: number) => Array.from({ length }, () => random.integer(3 + (seed % 5)));
      for (let change = 0; change < 60; change++) {
        const name = `file ${random.integer(6)}`;
        if (random.uniform() < 0.25) {
          cache.delete(name);
          texts.delete(name);
        } else {
          const tokens = draw(random.integer(40));
          assert.ok(cache.set(name, tokens));
          texts.set(name, tokens);
        }
        const sequence = draw(random.integer(12));
        const except = `file ${random.integer(6)}`;
        const others = [...texts].filter(([other]) => other !== except).map(([, tokens]) => tokens);
        for (const [given, wanted] of [
          [cache.without(undefined), plainly([...texts.values()], sequence)],
          [cache.without(except), plainly(others, sequence)],
        ] as const) {
          const said = given.look(sequence);
          const sorted = (counts: ReadonlyMap<number, number> | undefined) => counts && [...counts].sort();
          assert.deepEqual(sorted(said?.counts), sorted(wanted), `seed ${seed}, change ${change}`);
          if (said === undefined) continue;
          assert.equal(
            said.total,
            [...said.counts.values()].reduce((a, b) => a + b),
          );
          assert.equal(saidOf(said, said.token), Math.max(...said.counts.values()) / said.total);
        }
        assert.equal(
          cache.size,
          [...texts.values()].reduce((sum, { length }) => sum + length, 0),
        );
      }
    }
  });

  it('is asked in the order of the document, where a model reads what stands behind first or between', () => {
    const marks = { prefix: 90, suffix: 91, middle: 92 };
    assert.deepEqual(inOrder([1, 2, 3], marks, -1), [1, 2, 3]);
    assert.deepEqual(inOrder([90, 1, 2, 3, 91, 7, 8, 92], marks, -1), [7, 8, -1, 1, 2, 3]);
    assert.deepEqual(inOrder([50, 90, 1, 2, 91, 7, 92, 3, 4], marks, -1), [7, -1, 1, 2, 3, 4]);
    assert.deepEqual(inOrder([90, 1, 91, 92, 2], undefined, -1), [90, 1, 91, 92, 2]);
    const cache = new CacheModel();
    cache.set('one', [1, 2, 3, 4]);
    const look = (sequence: number[]) => cache.without(undefined).look(inOrder(sequence, marks, -1));
    assert.equal(look([90, 1, 2, 91, 7, 92, 3])?.token, 4);
    // What stands behind is nothing that goes on from what stands before.
    assert.equal(look([90, 5, 91, 1, 2, 3, 92]), undefined);
  });

  it('is followed as far as it is sure', () => {
    const cache = new CacheModel();
    cache.set('one', [1, 2, 3, 4, 5, 6, 7, 8]);
    cache.set('two', [4, 5, 6, 9, 9, 9]);
    cache.set('three', [5, 6, 9]);
    assert.deepEqual(cache.without(undefined).follow([1, 2, 3], 9), [4, 5, 6, 7, 8]);
    assert.deepEqual(cache.without(undefined).follow([1, 2, 3], 2), [4, 5]);
    assert.deepEqual(cache.without('one').follow([1, 2, 3], 9), []);
    const elsewhere = (sequence: number[]) => [...(cache.without(undefined).look(sequence)?.elsewhere ?? [])];
    assert.deepEqual(elsewhere([1, 2, 3]), [4]);
    assert.deepEqual(elsewhere([20, 21, 22, 23, 20, 21, 22]), []);
    assert.deepEqual(cache.without(undefined).follow([0, 4, 5, 6], 2), [9, 9]);
  });

  it('has an end: what does not fit is not taken, and the rest stays', () => {
    const cache = new CacheModel();
    const large = new Int32Array(mostTokens / 2);
    assert.ok(cache.set('small', [1, 2, 3, 4]));
    assert.ok(cache.set('large', large));
    assert.ok(!cache.set('larger', large));
    assert.deepEqual([cache.has('small'), cache.has('large'), cache.has('larger')], [true, true, false]);
    // However often it is replaced.
    for (let i = 0; i < 12; i++) assert.ok(cache.set('large', large));
    assert.equal(cache.size, large.length + 4);
    assert.equal(cache.without(undefined).look([1, 2, 3])?.token, 4);
  });

  it('is looked up in places that are few, however often the same comes', () => {
    const cache = new CacheModel();
    cache.set('zeros', new Int32Array(400_000));
    const said = cache.without(undefined).look([5, 6, 0, 0, 0]);
    assert.equal(said?.token, 0);
    assert.equal(said?.total, 256);
  });
});
