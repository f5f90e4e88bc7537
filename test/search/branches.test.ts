import assert from 'node:assert/strict';
import { Comparer } from '../../server/check/comparison.ts';
import { Reference } from '../../server/check/reference.ts';
import { checkSearch, distinctTokens } from '../../server/check/search.ts';
import type { ColaModel } from '../../server/cola/model.ts';
import { BranchedModel } from '../../server/search/branches.ts';
import { Search } from '../../server/search/search.ts';
import { onCpu } from '../support/devices.ts';
import { fixtureFolder, fixtureNames, loadFixture, WatchedModel } from './fixture.ts';
import { finish } from './toy.ts';

const prompt = [85, 46, 79, 18, 66];
const settings = {
  breadth: 3,
  cpuct: 1.5,
  edge: { kind: 'q', threshold: 0.3, max_extra: 3 },
  max_new: 12,
} as const;

describe('search on a model', function () {
  this.timeout(300_000);

  // On other devices the trees of the references are built by the check of their folders, test/check.
  onCpu((device) => {
    const simulations = 24;
    let model: ColaModel;
    before(async () => {
      model = await loadFixture('n8-plain');
    });

    const run = async ({ batch = 1, ...options }: { rows?: number; megabytes?: number; batch?: number }) => {
      const inner = new BranchedModel(device(), model, { tokens: 17, ...options });
      const watched = new WatchedModel(inner);
      const search = new Search(watched, prompt, distinctTokens, { ...settings, batch });
      await finish(search, simulations);
      await inner.dispose();
      return { search, inner, watched };
    };
    const shape = ({ tree, log }: Search<unknown> | Awaited<ReturnType<typeof run>>['search']) => ({
      count: tree.count,
      N: [...tree.N.subarray(0, tree.count)],
      tokens: Array.from({ length: tree.count }, (_, id) => [...tree.edgeTokens(id)]),
      simulations: log.entries.map(({ node, reward }) => [node, reward]),
    });

    for (const fixture of fixtureNames) {
      it(`builds the trees of the reference ${fixture}, node by node`, async () => {
        const comparer = new Comparer();
        using reference = Reference.open(fixtureFolder(fixture));
        await checkSearch(device(), await loadFixture(fixture), reference, comparer);
        const { results } = comparer;
        assert.deepEqual(
          results.map(({ group }) => group),
          ['search tree', 'search values'],
        );
        for (const result of results) {
          assert.ok(result.ok, JSON.stringify(result));
          assert.ok(result.compared > 400);
        }
      });
    }

    it('reads no prefix twice while the keys fit', async () => {
      const { inner, watched, search } = await run({ rows: 3 });
      assert.equal(inner.tokensRead, prompt.length + watched.asked.size - 1);
      assert.equal(search.spent.tokens, watched.asked.size);
    });

    it('gives the same tree when keys are given up, within the budget', async () => {
      const plenty = await run({ rows: 3 });
      for (const megabytes of [0, plenty.watched.mostBytes / 2 ** 21]) {
        const little = await run({ rows: 3, megabytes });
        assert.deepEqual(shape(little.search), shape(plenty.search));
        assert.ok(little.watched.mostBytes <= megabytes * 2 ** 20, `${little.watched.mostBytes} bytes`);
        assert.ok(little.inner.tokensRead > plenty.inner.tokensRead);
        // What a row still holds is not read again, even without any budget.
        assert.ok(little.inner.tokensRead < 12 * plenty.inner.tokensRead);
      }
    });

    it('gives the same tree for any number of rows', async () => {
      const one = await run({ rows: 1 });
      const five = await run({ rows: 5 });
      assert.deepEqual(shape(five.search), shape(one.search));
      assert.equal(five.inner.tokensRead, one.inner.tokensRead);
    });

    it('runs batches in lockstep', async () => {
      const { search } = await run({ rows: 4, batch: 4 });
      assert.equal(search.log.count, simulations);
      assert.equal(search.tree.N[0], simulations);
    });

    it('serves two searches that take turns as it serves each alone', async () => {
      const inner = new BranchedModel(device(), model, { tokens: 17, rows: 3 });
      const make = () => new Search(inner, prompt, distinctTokens, settings);
      const [first, second] = [make(), make()];
      const runs = [first.run({ simulations }), second.run({ simulations })];
      for (let open = 2; open > 0; ) {
        const results = await Promise.all(runs.map((r) => r.next()));
        open = results.filter(({ done }) => done !== true).length;
      }
      await inner.dispose();
      const alone = await run({ rows: 3 });
      assert.deepEqual(shape(first), shape(alone.search));
      assert.deepEqual(shape(second), shape(alone.search));
      assert.equal(first.spent.tokens, alone.search.spent.tokens);
    });
  });
});
