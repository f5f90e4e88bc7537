import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { FairQueue } from '../../server/serve/fair-queue.ts';
import { chanceOf } from '../../server/serve/log-probabilities.ts';
import { Writing } from '../../server/serve/writing.ts';

describe('the text of an answer', () => {
  const tokenizer = loadTokenizer(join(import.meta.dirname, '../../assets/nano'));
  const words = ['a', 'ab', '\n', '}\n', 'const', ' x', 'é', '漢', '🙂', ';;', ' ', 'aab'];

  it('ends before the first stop text, and never shows a part of it', () => {
    const texts = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => parts.join(''));
    const stops = fc.uniqueArray(fc.constantFrom('aab', '\n}', ';', 'é漢', 'const x', 'zzz', '🙂a'), { maxLength: 3 });
    fc.assert(
      fc.property(texts, stops, (text, stop) => {
        const writing = new Writing(tokenizer, stop);
        let shown = '';
        let ended = false;
        for (const id of tokenizer.encode(text)) {
          shown += writing.push(id);
          // What is shown stays: it begins the text up to the first stop.
          const at = firstOf(shown, stop);
          assert.equal(at, shown.length);
          ended = writing.stopped;
          if (ended) break;
        }
        shown += writing.end();
        assert.equal(shown, text.slice(0, firstOf(text, stop)));
        assert.equal(ended, firstOf(text, stop) < text.length);
      }),
      { numRuns: 500 },
    );
  });
});

const firstOf = (text: string, stops: readonly string[]) =>
  Math.min(text.length, ...stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0));

describe('a fair queue', () => {
  it('gives every client its turn, and each what it asked first', () => {
    const asked = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat()), { maxLength: 60 });
    fc.assert(
      fc.property(asked, (items) => {
        const queue = new FairQueue<readonly [string, number, number]>();
        for (const [i, [client, value]] of items.entries()) queue.push(client, [client, value, i]);
        const out: (readonly [string, number, number])[] = [];
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) out.push(item);
        assert.equal(out.length, items.length);
        for (const client of ['a', 'b', 'c']) {
          const own = out.filter(([name]) => name === client).map(([, , i]) => i);
          assert.deepEqual(
            own,
            [...own].sort((a, b) => a - b),
          );
        }
        // Of two who both still wait, neither is served twice before the other is served once.
        for (const [one, two] of ['ab', 'bc', 'ac']) {
          const both = out.map(([client]) => client).filter((client) => client === one || client === two);
          for (const [i, client] of both.entries())
            if (client === both[i + 1]) assert(both.slice(i + 1).every((later) => later === client));
        }
      }),
    );
  });

  it('drops what is not wanted any more', () => {
    const queue = new FairQueue<number>();
    for (let i = 0; i < 10; i++) queue.push(`${i % 3}`, i);
    assert.deepEqual(queue.drop((n) => n % 2 === 0).sort(), [0, 2, 4, 6, 8]);
    assert.equal(queue.length, 5);
  });
});

describe('log-probabilities', () => {
  it('sum to one, and name the likeliest in their order', () => {
    const logits = fc.array(fc.float({ noNaN: true, min: -30, max: 30 }), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(logits, fc.nat(), fc.nat(5), (row, pick, k) => {
        const values = Float32Array.from([7, ...row]);
        const id = pick % row.length;
        const all = row.map((_, i) => chanceOf(values, 1, row.length, i, 0).logp!);
        assert(Math.abs(all.reduce((sum, logp) => sum + Math.exp(logp), 0) - 1) < 1e-9);
        const { logp, top } = chanceOf(values, 1, row.length, id, k);
        assert.equal(logp, all[id]);
        const order = [...all.keys()].sort((a, b) => values[1 + b]! - values[1 + a]! || a - b);
        assert.deepEqual(
          top.map(([best]) => best),
          order.slice(0, Math.min(k, row.length)),
        );
      }),
    );
  });
});
