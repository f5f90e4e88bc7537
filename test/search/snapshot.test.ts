import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaError } from '../../server/errors.ts';
import type { Judge } from '../../server/search/judge.ts';
import { Search } from '../../server/search/search.ts';
import { parseSnapshot, readSnapshot, restoreSearch, saveSearch, takeSnapshot } from '../../server/search/snapshot.ts';
import { finish, hash, ToyModel, type ToyState, wildWorld } from './toy.ts';

const judge: Judge = ({ tokens }) => {
  const value = hash(9, ...tokens);
  return value < 0.1 ? { noScore: 'too small' } : { value, parts: { hash: value } };
};
const world = wildWorld(11);
const make = (batch = 1) =>
  new Search(new ToyModel(world), [7, 8], judge, {
    max_new: 8,
    temperature: 1,
    cpuct: 2,
    batch,
    edge: { kind: 'q', threshold: 0.05, max_extra: 3 },
  });
const fails = (id: string) => (error: unknown) => error instanceof ColaError && error.id === id;
const essence = (search: Search<ToyState>) => {
  const { spent, ...rest } = takeSnapshot(search);
  return { ...rest, tokens: spent.tokens };
};

describe('saved search', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cola-search-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('continues as the search that was never saved', async () => {
    for (const batch of [1, 3]) {
      const [saved, whole] = [make(batch), make(batch)];
      for (const search of [saved, whole]) {
        await finish(search, 30);
        search.ban(2);
        search.force(3);
        search.score(3, 0.7);
      }
      const file = join(folder, 'search.json');
      await saveSearch(file, saved);
      const back = restoreSearch(await readSnapshot(file), new ToyModel(world), judge);
      assert.deepEqual(takeSnapshot(back), takeSnapshot(saved));
      assert.deepEqual(back.best(), saved.best());
      await finish(whole, 30);
      await finish(back, 30);
      assert.deepEqual(essence(back), essence(whole));
    }
  });

  it('can be saved in the middle of a simulation, which is then done again', async () => {
    const whole = make(3);
    await finish(whole, 60);
    for (let steps = 1; steps < 150; steps += 7) {
      const search = make(3);
      const run = search.run({ simulations: 60 });
      for (let i = 0; i < steps; i++) await run.next();
      const back = restoreSearch(
        parseSnapshot(JSON.parse(JSON.stringify(takeSnapshot(search))), 'x'),
        new ToyModel(world),
        judge,
      );
      await run.return('cancelled');
      await finish(back, 60 - back.spent.simulations);
      assert.deepEqual(essence(back).tree, essence(whole).tree);
      assert.deepEqual(essence(back).random, essence(whole).random);
    }
  });

  it('is refused in another version, of another model, or damaged', async () => {
    const search = make();
    await finish(search, 20);
    const good = () => JSON.parse(JSON.stringify(takeSnapshot(search)));
    assert.throws(() => parseSnapshot({ ...good(), version: 2 }, 'x'), fails('search.snapshotVersion'));
    const spoil: ((s: ReturnType<typeof good>) => void)[] = [
      (s) => s.tree.N.pop(),
      (s) => s.tree.parent.fill(0),
      (s) => (s.tree.parent[1] = 5),
      (s) => (s.tree.edge[1] = 0),
      (s) => s.tree.actions.push(1),
      (s) => (s.tree.actions[0] = 600),
      (s) => (s.tree.flags[0] = 1),
      (s) => (s.tree.W[0] = null),
      (s) => (s.simulations[0].node = 9999),
      (s) => s.simulations[0].tokens.push(1),
      (s) => s.simulations.pop(),
      (s) => (s.options.max_new = 1),
      (s) => (s.random = [1, 2, 3]),
      (s) => (s.options.breadth = 0),
      (s) => (s.prompt = []),
      (s) => delete s.kind,
    ];
    for (const change of spoil) {
      const bad = good();
      change(bad);
      assert.throws(() => parseSnapshot(bad, 'x'), fails('search.snapshotJson'), change.toString());
    }
    for (const bad of [null, 3, [], {}]) assert.throws(() => parseSnapshot(bad, 'x'), fails('search.snapshotJson'));
    const file = join(folder, 'bad.json');
    await writeFile(file, '{"kind": ');
    await assert.rejects(readSnapshot(file), fails('search.snapshotJson'));
    await assert.rejects(readSnapshot(join(folder, 'none.json')), fails('store.cannotRead'));
    const other = new ToyModel({ numCodes: 4, q: () => [0, 0, 0, 0] });
    assert.throws(() => restoreSearch(parseSnapshot(good(), 'x'), other, judge), fails('search.snapshotModel'));
    for (const change of [
      (s) => (s.prompt[0] = 1000),
      (s) => (s.tree.tokens[0] = 1000),
      (s) => (s.simulations[0].tokens[0] = 1e9),
    ] satisfies typeof spoil) {
      const bad = good();
      change(bad);
      const restore = () => restoreSearch(parseSnapshot(bad, 'x'), new ToyModel(world), judge);
      assert.throws(restore, fails('model.idOutOfRange'), change.toString());
    }
    assert.equal(restoreSearch(parseSnapshot(good(), 'x'), new ToyModel(world), judge).tree.count, search.tree.count);
  });
});
