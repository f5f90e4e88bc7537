import assert from 'node:assert/strict';
import type { ColaError } from '../../server/errors.ts';
import type { Judge } from '../../server/search/judge.ts';
import type { SearchSettings } from '../../server/search/options.ts';
import { Search } from '../../server/search/search.ts';
import { flag } from '../../server/search/tree.ts';
import { finish, hash, ToyModel, wildWorld } from './toy.ts';

const judge: Judge = ({ tokens }) => ({ value: hash(9, ...tokens), parts: {} });
const make = (settings: SearchSettings = {}, j = judge) =>
  new Search(new ToyModel({ numCodes: 6 }), [7], j, { breadth: 3, cpuct: 4, max_new: 5, ...settings });
const fails = (id: string) => (error: ColaError) => error.id === id;

for (const [order, batch] of [
  ['descent', 1],
  ['descent', 4],
  ['global', 1],
  ['global', 3],
] as const) {
  describe(`steering a search in ${order} order, in batches of ${batch}`, () => {
    it('never visits a banned branch again, keeps what it counted, and comes back when it is released', async () => {
      const search = make({ order, batch });
      await finish(search, 20);
      const best = search.tree.path(search.best()!.node)[1] ?? 1;
      const visits = search.tree.N[best];
      const total = search.tree.N[0];
      search.ban(best);
      assert.notEqual(search.tree.path(search.best()!.node)[1], best);
      await finish(search, 30);
      assert.equal(search.tree.N[best], visits);
      assert.equal(search.tree.N[0], total + 30);
      assert.ok(search.log.entries.slice(20).every(({ node }) => !search.tree.path(node).includes(best)));
      search.release(best);
      await finish(search, 60);
      assert.ok(search.tree.N[best] > visits);
    });

    it('visits only what is forced, and answers only with it', async () => {
      const search = make({ order, batch });
      await finish(search, 10);
      const child = await search.childFor(0, 5);
      assert.equal(search.tree.firstAction(child), 5);
      search.force(child);
      await finish(search, 40);
      const later = search.log.entries.slice(10);
      assert.ok(later.every(({ node }) => search.tree.path(node)[1] === child));
      assert.equal(search.best()?.actions[0], 5);
      assert.equal((await search.answer())?.actions[0], 5);
    });

    it('can be forced before it has begun, several codes deep', async () => {
      const search = make({ order, batch });
      const first = await search.childFor(0, 4);
      search.force(first);
      const second = await search.childFor(first, 5);
      search.force(second);
      await finish(search, 20);
      assert.deepEqual(search.best()?.actions.slice(0, 2), [4, 5]);
      assert.ok(search.tree.N[second] > 0);
    });

    it('ends as exhausted when everything is banned, and runs on when something is released', async () => {
      const search = make({ order, batch });
      await finish(search, 5);
      for (const child of search.tree.childrenOf(0)) search.ban(child);
      assert.equal((await finish(search, 10)).end, 'exhausted');
      search.release(1);
      assert.equal((await finish(search, 10)).end, 'simulations');
    });
  });
}

describe('steering a search', () => {
  it('counts a person’s score in place of the reward, before and after', async () => {
    const plain = make();
    await finish(plain, 30);
    const search = make();
    await finish(search, 30);
    const node = 2;
    const [before, mean] = [search.tree.W[node], search.tree.W[0]];
    const value = search.tree.reward[node];
    search.score(node, 10);
    assert.equal(search.best()?.node, node);
    assert.ok(Math.abs(search.tree.W[node] - (before + 10 - value)) < 1e-9);
    assert.ok(Math.abs(search.tree.W[0] - (mean + 0.99 * (10 - value))) < 1e-9);
    assert.equal(search.tree.reward[node], value, 'the reward itself stays on record');
    const visits = search.tree.N[node];
    await finish(search, 30);
    assert.ok(search.tree.N[node] > visits + 10, 'a praised branch draws the search');
    search.score(node, null);
    const again = search.tree.own[node] * value;
    assert.ok(Math.abs(search.tree.judgedSum[node] - again) < 1e-9);
  });

  it('asks no reward for a node that a person scored first', async () => {
    let asked = 0;
    const search = make({}, (answer, signal) => {
      asked++;
      return judge(answer, signal);
    });
    await finish(search, 2);
    const child = search.tree.childrenOf(0).find((id) => search.tree.N[id] === 0)!;
    search.score(child, 0.9);
    search.force(child);
    await finish(search, 1);
    assert.equal(asked, 2);
    assert.equal(search.log.at(2).value, 0.9);
    assert.equal(search.log.at(2).reward, null);
    assert.equal(search.tree.N[0], 3);
    // Taken back, the simulation that never had a value of its own is uncounted.
    search.score(child, null);
    assert.equal(search.tree.N[0], 2);
    assert.equal(search.tree.N[child], 0);
  });

  it('may happen while a run is paused in the middle of a simulation', async () => {
    const search = make({ edge: { kind: 'steps', steps: 2 } });
    const run = search.run({ simulations: 40 });
    for (let i = 0; i < 60; i++) {
      await run.next();
      const { count } = search.tree;
      if (i % 7 === 3 && count > 4) search.ban(1 + (i % (count - 1)));
      if (i % 11 === 5 && count > 4) search.release(1 + (i % (count - 1)));
      if (i % 13 === 6) search.score(i % count, i / 60);
      if (i === 20) await search.childFor(0, 5);
    }
    while ((await run.next()).done !== true);
    const { tree } = search;
    assert.ok(tree.pending.every((n) => n === 0));
    for (let id = 0; id < tree.count; id++) {
      const below = tree.childrenOf(id);
      assert.equal(tree.N[id], tree.own[id] + below.reduce((n, child) => n + tree.N[child], 0));
      const actions = below.map((child) => tree.firstAction(child));
      assert.equal(new Set(actions).size, actions.length, 'no child twice');
    }
  });

  it('shows policy, next tokens and Q ahead of any node', async () => {
    const search = new Search(new ToyModel(wildWorld(2)), [7], judge, { max_new: 5 });
    await finish(search, 5);
    const { policy, nextTokens, q, value } = await search.inspect(1);
    assert.deepEqual([policy.length, nextTokens.length, q?.length], [6, 6, 6]);
    assert.equal(search.tree.value[1], value);
  });

  it('refuses nodes, actions and scores that do not exist', async () => {
    const search = make({ max_new: 1 });
    await finish(search, 3);
    for (const id of [-1, 99, 0.5, Number.NaN]) assert.throws(() => search.ban(id), fails('search.node'));
    assert.throws(() => search.force(0), fails('search.root'));
    assert.throws(() => search.score(1, Number.NaN), fails('search.score'));
    assert.throws(() => search.score(1, Number.POSITIVE_INFINITY), fails('search.score'));
    await assert.rejects(search.childFor(0, 6), fails('cola.action'));
    await assert.rejects(search.childFor(0, -1), fails('cola.action'));
    const end = search.tree.childrenOf(0).find((id) => search.tree.has(id, flag.terminal))!;
    await assert.rejects(search.childFor(end, 1), fails('search.ended'));
    await assert.rejects(search.inspect(99), fails('search.node'));
  });
});
