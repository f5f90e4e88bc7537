import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RowReport } from '../../server/data/rows.ts';
import { JsonlFile, Shuffled, shuffleState } from '../../server/data/shuffle.ts';
import { useFolder } from './folder.ts';

const items = (n: number) => ({ length: n, at: (i: number) => i });
const take = async <T>(source: Shuffled<T>, n: number) => {
  const taken: T[] = [];
  for (let i = 0; i < n; i++) taken.push(await source.next());
  return taken;
};

describe('shuffled rows', () => {
  const folder = useFolder();

  it('come once an epoch, in an order of the seed and the epoch', async () => {
    const source = new Shuffled(items(50), 7);
    const [first, second] = [await take(source, 50), await take(source, 50)];
    const all = Array.from({ length: 50 }, (_, i) => i);
    assert.deepEqual(
      [...first].sort((a, b) => a - b),
      all,
    );
    assert.deepEqual(
      [...second].sort((a, b) => a - b),
      all,
    );
    assert.notDeepEqual(first, second);
    assert.deepEqual(await take(new Shuffled(items(50), 7), 50), first);
    assert.notDeepEqual(await take(new Shuffled(items(50), 8), 50), first);
  });

  it('continue from a saved state as if never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 20 }), fc.nat(70), async (seed, n, k) => {
        const straight = new Shuffled(items(n), seed);
        await take(straight, k);
        const saved = shuffleState.parse(JSON.parse(JSON.stringify(straight.state)));
        const resumed = new Shuffled(items(n), 0);
        resumed.restore(saved);
        assert.deepEqual(await take(resumed, 45), await take(straight, 45));
      }),
      { numRuns: 200 },
    );
  });

  it('do not continue with other data', () => {
    const { state } = new Shuffled(items(5), 1);
    assert.throws(() => new Shuffled(items(6), 1).restore(state), { id: 'data.staleState' });
  });

  it('are read from any place of a file', async () => {
    const texts = Array.from({ length: 3000 }, (_, i) => 'é'.repeat(i % 7) + i);
    const file = await JsonlFile.open(
      folder.write('x.jsonl', texts.map((text) => `${JSON.stringify({ text })}\r\n\n`).join('')),
    );
    try {
      assert.equal(file.length, 3000);
      for (const i of [0, 1, 1500, 2999]) {
        assert.deepEqual(await file.at(i), { kind: 'text', text: texts[i], columns: {} });
      }
      const rows = await take(new Shuffled(file, 3), 3000);
      assert.deepEqual(new Set(rows.map((row) => (row.kind === 'text' ? row.text : ''))), new Set(texts));
    } finally {
      await file.close();
    }
  });

  it('leave out bad rows, or name them', async () => {
    const path = folder.write('x.jsonl', '{"text":"a"}\n{\n{"text":3}\n{"text":"b"}');
    const report = new RowReport();
    const file = await JsonlFile.open(path);
    try {
      await assert.rejects(file.at(1), { id: 'data.brokenJson', message: /line 2/ });
      const source = new Shuffled(file, 1, { skipBadRows: true, report });
      assert.equal((await take(source, 4)).length, 4);
      assert.ok(report.skipped.has('data.brokenJson') && report.skipped.has('data.wrongType'));
    } finally {
      await file.close();
    }
    const none = await JsonlFile.open(folder.write('y.jsonl', '{"text":3}'));
    try {
      await assert.rejects(new Shuffled(none, 1, { skipBadRows: true }).next(), { id: 'data.noUsableRows' });
    } finally {
      await none.close();
    }
    await assert.rejects(JsonlFile.open(folder.write('z.jsonl', '')), { id: 'data.emptyFile' });
    await assert.rejects(JsonlFile.open(folder.write('z.jsonl', '{'), undefined, { skipBadRows: true }), {
      id: 'data.noUsableRows',
    });
  });
});
