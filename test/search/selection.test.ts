import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Judge } from '../../server/search/judge.ts';
import type { SearchSettings } from '../../server/search/options.ts';
import { Search } from '../../server/search/search.ts';
import { restoreSearch, takeSnapshot } from '../../server/search/snapshot.ts';
import { finish, hash, ToyModel, type ToyState, type ToyWorld, wildWorld } from './toy.ts';

const prompt = [7, 8];
const byHash =
  (seed: number, scale = 1, offset = 0): Judge =>
  ({ tokens }) => ({ value: scale * hash(seed, 9, ...tokens) + offset, parts: {} });

/** Nodes by what was written, with what the search counted there. */
function counted<S>({ tree }: Search<S>): Map<string, { N: number; W: number; prior: number }> {
  return new Map(
    Array.from({ length: tree.count }, (_, id) => [
      tree.response(id).tokens.join(),
      { N: tree.N[id], W: tree.W[id], prior: tree.prior[id] },
    ]),
  );
}

/** Nine codes that write one of three tokens, another one at each place; each token by one of them at least. */
const many = (seed: number): ToyWorld => ({
  ...wildWorld(seed, 9),
  token: (tokens, code) => 10 + (code < 3 ? code : Math.floor(3 * hash(seed, 21, ...tokens, code))),
});

/** The same with one code for each token. */
function few(seed: number): ToyWorld {
  const { policy, token } = many(seed);
  return {
    ...wildWorld(seed, 3),
    token: (_, code) => 10 + code,
    policy: (tokens) =>
      [10, 11, 12].map((wanted) =>
        Math.log(
          policy!(tokens).reduce((sum, l, code) => sum + (token!(tokens, code) === wanted ? Math.exp(l) : 0), 0),
        ),
      ),
  };
}

describe('codes that write the same token', () => {
  const settings = { breadth: 2, max_new: 5, value: { rollout: 0, value: 1 } } satisfies SearchSettings;

  it('are one child where they are merged: the search is that of a model with one code for each token', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const [a, b] = [
          new Search(new ToyModel(many(seed)), prompt, byHash(seed), { ...settings, merge: true }),
          new Search(new ToyModel(few(seed)), prompt, byHash(seed), settings),
        ];
        await finish(a, 40);
        await finish(b, 40);
        const expected = counted(b);
        assert.equal(a.tree.count, expected.size);
        for (const [tokens, { N, W, prior }] of counted(a)) {
          const other = expected.get(tokens);
          assert.equal(other?.N, N, tokens);
          assert.ok(Math.abs(other.W - W) < 1e-9);
          assert.ok(Number.isNaN(prior) || Math.abs(other.prior - prior) < 1e-5);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are the child of their token for a person who forces one of them', async () => {
    const search = new Search(new ToyModel(many(3)), prompt, byHash(3), { ...settings, breadth: 9, merge: true });
    await finish(search, 5);
    const { nextTokens } = await search.inspect(0);
    const children = search.tree.childrenOf(0);
    for (let code = 0; code < 9; code++) {
      const child = await search.childFor(0, code);
      assert.equal(search.tree.edgeTokens(child)[0], nextTokens[code]);
      assert.ok(children.includes(child));
    }
    // An answer by another code of a banned token is no answer either.
    const best = search.best();
    search.ban(children.find((child) => search.tree.edgeTokens(child)[0] === best?.tokens[0]) ?? -1);
    assert.notEqual(search.best()?.tokens[0], best?.tokens[0]);
  });
});

describe('scaled values', () => {
  it('make the search the same, whatever unit and origin rewards have', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.double({ min: 0.01, max: 1000, noNaN: true }),
        fc.double({ min: -100, max: 100, noNaN: true }),
        async (seed, scale, offset) => {
          // Without a discount, which moves a value towards 0 and knows an origin.
          const settings = { normalise: true, gamma: 1, max_new: 5 } satisfies SearchSettings;
          const [plain, other] = [byHash(seed), byHash(seed, scale, offset)].map(
            (judge) => new Search(new ToyModel(wildWorld(seed)), prompt, judge, settings),
          );
          await finish(plain, 40);
          await finish(other, 40);
          assert.deepEqual([...other.tree.N], [...plain.tree.N]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are the same after saving, with scores that a person gave and took back', async () => {
    const make = () => new Search(new ToyModel(wildWorld(5)), prompt, byHash(5), { normalise: true, max_new: 6 });
    const whole = make();
    const steps = async (search: Search<ToyState>) => {
      search.score(1, 40);
      await finish(search, 10);
      search.score(1, null);
      search.score(2, -3);
    };
    await finish(whole, 20);
    await steps(whole);
    const back = restoreSearch(takeSnapshot(whole), new ToyModel(wildWorld(5)), byHash(5));
    await finish(whole, 40);
    await finish(back, 40);
    assert.deepEqual([...back.tree.N], [...whole.tree.N]);
  });
});

describe('progressive widening', () => {
  it('looks at no more children than a node’s visits allow, the most probable ones, and at all in the end', async () => {
    const widening = { c: 1, alpha: 0.5 };
    const search = new Search(new ToyModel(wildWorld(8)), prompt, byHash(8), {
      breadth: 6,
      max_new: 5,
      cpuct: 4,
      widening,
    });
    await finish(search, 200);
    const { tree } = search;
    let most = 0;
    for (let id = 0; id < tree.count; id++) {
      const visits = tree.childrenOf(id).map((child) => tree.N[child]);
      const seen = visits.filter((n) => n > 0).length;
      assert.ok(seen <= Math.ceil(widening.c * Math.max(1, tree.N[id]) ** widening.alpha), `${seen} of ${tree.N[id]}`);
      assert.ok(
        visits.slice(0, seen).every((n) => n > 0),
        `${visits}`,
      );
      most = Math.max(most, seen);
    }
    assert.equal(most, 6);
  });

  it('passes over what is banned: the next most probable child takes its place', async () => {
    const search = new Search(new ToyModel(wildWorld(8)), prompt, byHash(8), {
      breadth: 6,
      max_new: 5,
      widening: { c: 1, alpha: 0 },
    });
    await finish(search, 3);
    const [first, second] = search.tree.childrenOf(0);
    assert.equal(search.tree.N[second], 0);
    search.ban(first);
    await finish(search, 3);
    assert.ok(search.tree.N[second] > 0);
  });
});
