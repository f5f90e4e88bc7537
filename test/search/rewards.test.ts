import assert from 'node:assert/strict';
import type { ColaError } from '../../server/errors.ts';
import { type Judge, rewardJudge } from '../../server/search/judge.ts';
import type { SearchSettings } from '../../server/search/options.ts';
import { Search } from '../../server/search/search.ts';
import { finish, hash, ToyModel, wildWorld } from './toy.ts';

const value = (tokens: readonly number[]) => hash(9, ...tokens);
const make = (judge: Judge, settings: SearchSettings = {}) =>
  new Search(new ToyModel(wildWorld(3)), [7], judge, { breadth: 3, cpuct: 4, max_new: 5, ...settings });
const fails = (id: string) => (error: ColaError) => error.id === id;

/** Every count in order although rewards failed. */
function whole<S>({ tree, log }: Search<S>): void {
  assert.ok(tree.pending.every((n) => n === 0));
  assert.equal(tree.N[0], log.entries.filter(({ value: v }) => v !== null).length);
  for (let id = 0; id < tree.count; id++) {
    assert.equal(tree.N[id], tree.own[id] + tree.childrenOf(id).reduce((n, child) => n + tree.N[child], 0));
  }
}

describe('rewards in a search', () => {
  const broken: [string, Judge][] = [
    ['search.rewardFailed', () => Promise.reject(new Error('out of paper'))],
    [
      'search.rewardFailed',
      () => {
        throw new Error('at once');
      },
    ],
    ['search.rewardNotFinite', () => ({ value: Number.NaN, parts: {} })],
    ['search.rewardNotFinite', () => ({ value: Number.POSITIVE_INFINITY, parts: {} })],
    ['search.rewardTimeout', () => new Promise(() => {})],
  ];
  for (const [id, bad] of broken) {
    it(`that break (${id}) keep the tree, and a repaired one goes on as if nothing had been`, async () => {
      for (const batch of [1, 4]) {
        let calls = 0;
        let repaired = false;
        const judge: Judge = (answer, signal) => {
          calls++;
          return calls > 9 && !repaired ? bad(answer, signal) : { value: value(answer.tokens), parts: {} };
        };
        const search = make(judge, { batch, reward_seconds: 0.03 });
        await assert.rejects(finish(search, 100), fails(id));
        whole(search);
        assert.equal(calls > 9, true);
        assert.ok(search.log.count >= 8);
        repaired = true;
        const done = search.log.count;
        await finish(search, 40 - done);
        whole(search);
        if (batch > 1) continue;
        const unbroken = make(({ tokens }) => ({ value: value(tokens), parts: {} }));
        await finish(unbroken, 40);
        assert.deepEqual([...search.tree.W], [...unbroken.tree.W]);
      }
    });
  }

  it('that have no score are shown, not counted, and not asked again and again about the same answer', async () => {
    const seen = new Map<string, number>();
    const judge: Judge = ({ tokens }) => {
      const key = tokens.join();
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return value(tokens) < 0.5 ? { noScore: 'not a number' } : { value: value(tokens), parts: { exact: 1 } };
    };
    const search = make(judge);
    await finish(search, 80);
    whole(search);
    const none = search.log.entries.filter(({ noScore }) => noScore !== null);
    assert.ok(none.length > 5 && none.length < 80);
    assert.equal(search.tree.N[0], 80 - none.length);
    assert.equal(search.spent.simulations, 80);
    assert.equal(new Set(none.map(({ node }) => node)).size, none.length, 'each node at most once in vain');
    assert.deepEqual(search.best()?.parts, { exact: 1 });
  });

  it('that never have a score end the search when every answer has been tried', async () => {
    const search = make(() => ({ noScore: 'closed today' }), { breadth: 2, max_new: 3 });
    const { end } = await finish(search, 10_000);
    assert.equal(end, 'exhausted');
    assert.ok(search.spent.simulations < 20);
    assert.equal(search.tree.N[0], 0);
    assert.equal(search.best(), undefined);
    assert.equal(await search.answer(), undefined);
  });

  it('are told to stop when the search is cancelled', async () => {
    const stop = new AbortController();
    let told = false;
    const search = make(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            told = true;
            reject(signal.reason);
          });
        }),
    );
    const run = search.run({ simulations: 5 }, stop.signal);
    setTimeout(() => stop.abort(), 20);
    let next = await run.next();
    while (next.done !== true) next = await run.next();
    assert.equal(next.value, 'cancelled');
    assert.ok(told);
    whole(search);
  });

  it('get prompt, text, row, and whether the model ended the answer itself', async () => {
    const inputs: unknown[] = [];
    const reward = {
      name: 'probe',
      score: async (input: unknown) => {
        inputs.push(input);
        return { value: 1, parts: {} };
      },
      close: async () => {},
    };
    const sample = { prompt: 'p', row: { answer: 4 } };
    const judge = rewardJudge(reward, (tokens) => tokens.join('-'), sample);
    const world = { numCodes: 2, endIds: [0], token: (tokens: readonly number[]) => (tokens.length === 2 ? 0 : 5) };
    await finish(new Search(new ToyModel(world), [7], judge, { max_new: 9 }), 1);
    await finish(new Search(new ToyModel(world), [7], judge, { max_new: 2 }), 1);
    assert.deepEqual(inputs, [
      { ...sample, completion: '5-5-0', finished: true, tokens: 3 },
      { ...sample, completion: '5-5', finished: false, tokens: 2 },
    ]);
  });
});
