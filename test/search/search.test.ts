import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ColaError } from '../../server/errors.ts';
import type { Judge } from '../../server/search/judge.ts';
import type { SearchSettings } from '../../server/search/options.ts';
import { Search } from '../../server/search/search.ts';
import { takeSnapshot } from '../../server/search/snapshot.ts';
import { flag } from '../../server/search/tree.ts';
import { type PlainOptions, plainSearch } from './plain.ts';
import { finish, hash, ToyModel, type ToyState, type ToyWorld, wildWorld } from './toy.ts';

const slow = process.env.COLA_SLOW !== undefined;
const prompt = [7, 8];
const byHash =
  (seed: number): Judge =>
  ({ tokens }) => ({ value: hash(seed, 9, ...tokens), parts: {} });

/** Everything that must be equal in equal searches; seconds are not. */
function essence<S>(search: Search<S>) {
  const { spent, ...rest } = takeSnapshot(search);
  return { ...rest, tokens: spent.tokens };
}

describe('search', () => {
  it('is the plain algorithm: same nodes, edges, errors, N, W, P and rewards', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.record({
          breadth: fc.integer({ min: 1, max: 6 }),
          cpuct: fc.double({ min: 0, max: 4, noNaN: true }),
          gamma: fc.constantFrom(1, 0.9),
          threshold: fc.constantFrom(0, 0.05, 0.3, 10),
          maxExtra: fc.integer({ min: 0, max: 4 }),
          qGamma: fc.constantFrom(1, 0.9),
          maxNew: fc.integer({ min: 1, max: 9 }),
        }),
        async (seed, plain: PlainOptions) => {
          const world = wildWorld(seed);
          const expected = plainSearch(world, plain, (tokens) => hash(seed, 9, ...tokens), 40);
          const search = new Search(new ToyModel(world), prompt, byHash(seed), {
            breadth: plain.breadth,
            cpuct: plain.cpuct,
            gamma: plain.gamma,
            edge: { kind: 'q', threshold: plain.threshold, max_extra: plain.maxExtra, q_gamma: plain.qGamma },
            max_new: plain.maxNew,
          });
          await finish(search, 40);
          const { tree, log } = search;
          assert.equal(tree.count, expected.nodes.length);
          for (const node of expected.nodes) {
            const { id } = node;
            assert.equal(tree.parent[id], node.parent?.id ?? -1);
            assert.deepEqual([...tree.edgeActions(id)], node.actions);
            assert.deepEqual([...tree.edgeTokens(id)], node.tokens);
            assert.deepEqual([...tree.edgeErrors(id)], node.errors);
            assert.equal(tree.N[id], node.N);
            assert.ok(Math.abs(tree.W[id] - node.W) < 1e-9);
            if (id > 0) assert.ok(Math.abs(tree.prior[id] - node.P) < 1e-9);
          }
          assert.deepEqual(
            log.entries.map(({ reward }) => reward),
            expected.rewards,
          );
        },
      ),
      { numRuns: slow ? 500 : 60 },
    );
  });

  it('visits every leaf of a small tree within the bound, and finds the best path by brute force', async () => {
    // While a child has fewer than m visits, PUCT with equal priors 1/b and rewards in [0, 1] picks a sibling with n visits
    // only if c sqrt(N) / b (1/m - 1/(1+n)) <= 1; with c >= 2 b m, n < 2 m. So all children have m visits after 1 + 2 b m.
    const [b, depth] = [3, 3];
    const needs = [1];
    for (let d = 0; d < depth; d++) needs.push(1 + 2 * b * needs[d]);
    for (const seed of [1, 2, 3]) {
      const search = new Search(new ToyModel({ numCodes: b }), prompt, byHash(seed), {
        breadth: b,
        cpuct: 2 * b * needs[depth - 1],
        max_new: depth,
      });
      await finish(search, needs[depth]);
      const paths = Array.from({ length: b ** depth }, (_, i) =>
        Array.from({ length: depth }, (_, d) => 10 + (Math.floor(i / b ** d) % b)),
      );
      const worth = (path: number[]) => hash(seed, 9, ...path);
      const [best] = paths.sort((x, y) => worth(y) - worth(x));
      assert.deepEqual(search.best()?.tokens, best);
      const leaves = Array.from({ length: search.tree.count }, (_, id) => id).filter((id) =>
        search.tree.has(id, flag.terminal),
      );
      assert.equal(leaves.length, b ** depth);
      assert.ok(leaves.every((id) => search.tree.N[id] > 0));
    }
  });

  it('does so under any policy, with answers that end early, within the bound of its least probability', async () => {
    // As above with priors P >= p: a sibling j with n visits is picked before i has m only if
    // c sqrt(N) (P_i / m - P_j / (1+n)) <= 1; with c >= 2 m / p, n < 2 m P_j / P_i. So all have m after 1 + b + 2 m / p.
    const [b, depth, least] = [3, 3, 0.2];
    const needs = [1];
    for (let d = 0; d < depth; d++) needs.push(Math.ceil(1 + b + (2 * needs[d]) / least));
    await fc.assert(
      fc.asyncProperty(fc.integer({ max: 10_000 }), async (seed) => {
        const world = {
          numCodes: b,
          endIds: [0],
          policy: (tokens: readonly number[]) =>
            Array.from({ length: b }, (_, code) => Math.log(2) * hash(seed, 1, ...tokens, code)),
          token: (tokens: readonly number[], code: number) => (hash(seed, 2, ...tokens, code) < 0.2 ? 0 : 10 + code),
        };
        const answers = (tokens: readonly number[]): (readonly number[])[] =>
          tokens.length === depth || tokens.at(-1) === 0
            ? [tokens]
            : Array.from({ length: b }, (_, code) => answers([...tokens, world.token(tokens, code)])).flat();
        const all = answers([]);
        const best = Math.max(...all.map((tokens) => hash(seed, 9, ...tokens)));
        for (const batch of [1, 4]) {
          const cpuct = (2 * needs[depth - 1]) / least;
          const search = new Search(new ToyModel(world), prompt, byHash(seed), {
            breadth: b,
            cpuct,
            max_new: depth,
            batch,
          });
          await finish(search, needs[depth]);
          assert.equal(search.best()?.reward, best);
          if (batch > 1) continue;
          const leaves = Array.from({ length: search.tree.count }, (_, id) => id).filter((id) =>
            search.tree.has(id, flag.terminal),
          );
          assert.equal(leaves.length, all.length);
          assert.ok(leaves.every((id) => search.tree.N[id] > 0));
        }
      }),
      { numRuns: slow ? 50 : 4 },
    );
  });

  it('finds the best of 4096 answers in far fewer simulations where rewards point the way', async () => {
    const goal = [13, 11, 12, 10, 13, 12];
    const judge: Judge = ({ tokens }) => ({ value: tokens.filter((t, i) => t === goal[i]).length / 6, parts: {} });
    for (const edge of [
      { kind: 'steps', steps: 1 },
      { kind: 'steps', steps: 2 },
    ] as const) {
      const search = new Search(new ToyModel({ numCodes: 4 }), prompt, judge, { cpuct: 1, gamma: 1, max_new: 6, edge });
      await finish(search, 600);
      // Two steps an edge reach only answers whose every second action is the greedy code 0.
      const reachable = edge.steps === 1 ? goal : goal.map((token, i) => (i % 2 === 0 ? token : 10));
      assert.deepEqual(search.best()?.tokens, reachable);
    }
  });

  it('finds the same optimum in the authors’ global order, children of the best frontier node in turn', async () => {
    const goal = [13, 11, 12, 10];
    const judge: Judge = ({ tokens }) => ({ value: tokens.filter((t, i) => t === goal[i]).length / 4, parts: {} });
    const settings: SearchSettings = { order: 'global', root_breadth: 4, breadth: 4, cpuct: 0.2, gamma: 1, max_new: 4 };
    const search = new Search(new ToyModel({ numCodes: 4 }), prompt, judge, settings);
    await finish(search, 60);
    assert.deepEqual(search.best()?.tokens, goal);
    assert.deepEqual(
      search.log.entries.map(({ node }) => node),
      Array.from({ length: 60 }, (_, i) => i),
    );
    assert.equal(search.tree.prior[0], 0.5);
  });

  it('takes the mean probability along an edge as prior in the global order', async () => {
    const world: ToyWorld = {
      numCodes: 2,
      policy: (tokens) => (tokens.length === 0 ? [0, Math.log(3)] : [Math.log(9), 0]),
    };
    const search = new Search(new ToyModel(world), prompt, byHash(1), {
      order: 'global',
      breadth: 2,
      edge: { kind: 'steps', steps: 3 },
      max_new: 9,
    });
    await finish(search, 2);
    assert.ok(Math.abs(search.tree.prior[1] - (0.75 + 0.9 + 0.9) / 3) < 1e-6);
    assert.ok(Math.abs(search.tree.prior[2] - (0.25 + 0.9 + 0.9) / 3) < 1e-6);
  });

  it('gives the same tree for the same seed, and another for another, when rollouts are sampled', async () => {
    const run = async (seed: number, batch: number) => {
      const search = new Search(new ToyModel(wildWorld(5)), prompt, byHash(5), {
        max_new: 8,
        temperature: 1,
        seed,
        batch,
      });
      await finish(search, 60);
      return essence(search);
    };
    for (const batch of [1, 4]) {
      assert.deepEqual(await run(1, batch), await run(1, batch));
      assert.notDeepEqual((await run(1, batch)).simulations, (await run(2, batch)).simulations);
    }
  });

  it('is the same whether it runs at once, in pieces, paused between any two steps, or given up and begun again', async () => {
    const settings = { max_new: 8, temperature: 0.7, edge: { kind: 'q', threshold: 0.05, max_extra: 3 } } as const;
    for (const batch of [1, 4]) {
      const make = () => new Search(new ToyModel(wildWorld(6)), prompt, byHash(6), { ...settings, batch });
      const whole = make();
      await finish(whole, 64);
      const pieces = make();
      for (const n of [4, 12, 16, 32]) await finish(pieces, n);
      assert.deepEqual(essence(pieces), essence(whole));
      const abandoned = make();
      for (let i = 0; abandoned.spent.simulations < 64; i++) {
        const run = abandoned.run({ simulations: 64 - abandoned.spent.simulations });
        for (let step = 0; step < 3 + (i % 40); step++) if ((await run.next()).done === true) break;
        await run.return('cancelled');
        assert.ok(abandoned.tree.pending.every((n) => n === 0));
      }
      const { tokens: _, simulations, ...tree } = essence(abandoned);
      const { tokens: __, simulations: expected, ...expectedTree } = essence(whole);
      assert.deepEqual(tree, expectedTree);
      // Work done twice costs tokens twice; nothing else differs.
      const strip = (list: typeof simulations) => list.map(({ generated, ...rest }) => rest);
      assert.deepEqual(strip(simulations), strip(expected));
    }
  });

  it('counts to the simulation in batches too, and goes to the same place where a batch is one', async () => {
    const make = (batch: number) =>
      new Search(new ToyModel(wildWorld(2)), prompt, byHash(2), { max_new: 6, batch, temperature: 1 });
    const exact = make(4);
    for (const n of [1, 3, 5, 10]) {
      const before = exact.spent.simulations;
      await finish(exact, n);
      assert.equal(exact.spent.simulations, before + n);
    }
    // Batches of four that are asked for one at a time are batches of one.
    const [single, plain] = [make(4), make(1)];
    for (let i = 0; i < 30; i++) await finish(single, 1);
    await finish(plain, 30);
    const tree = (search: Search<ToyState>) => ({ ...essence(search), options: null });
    assert.deepEqual(tree(single), tree(plain));
  });

  it('keeps batches apart by virtual loss, and counts each simulation once', async () => {
    const search = new Search(new ToyModel({ numCodes: 6 }), prompt, byHash(3), { breadth: 6, batch: 6, max_new: 5 });
    await finish(search, 13);
    // The first batch begins at the root alone, which is expanded under way; then all six children.
    const { tree, log } = search;
    assert.equal(log.count, 13);
    assert.equal(tree.N[0], 13);
    assert.equal(log.entries[0].node, 0);
    assert.equal(new Set(log.entries.slice(1, 7).map(({ node }) => node)).size, 6);
    assert.ok(tree.pending.every((n) => n === 0));
    for (let id = 0; id < tree.count; id++) {
      assert.equal(tree.N[id], tree.own[id] + tree.childrenOf(id).reduce((n, child) => n + tree.N[child], 0));
    }
  });

  it('values leaves by the value head, Q, or a mix, and ended answers by their reward alone', async () => {
    const world: ToyWorld = { ...wildWorld(8), value: () => 0.25, q: () => [0, 0.75, 0.5, 0, 0, 0] };
    let asked = 0;
    const judge: Judge = () => {
      asked++;
      return { value: 1, parts: {} };
    };
    const first = async (value: SearchSettings['value']) => {
      const search = new Search(new ToyModel(world), prompt, judge, { value, max_new: 5 });
      await finish(search, 30);
      return search;
    };
    const byValue = await first({ value: 1 });
    assert.equal(byValue.log.at(0).value, 0.25);
    assert.equal(byValue.log.at(0).complete, false);
    const ended = byValue.log.entries.filter(({ node }) => byValue.tree.has(node, flag.terminal));
    assert.ok(ended.length > 0 && ended.every(({ value }) => value === 1));
    assert.equal(asked, new Set(ended.map(({ node }) => node)).size);
    assert.equal((await first({ q: 1 })).log.at(0).value, 0.75);
    assert.equal((await first({ rollout: 1, value: 1, q: 2 })).log.at(0).value, (1 + 0.25 + 1.5) / 4);
    assert.equal(byValue.tree.value[0], 0.25);
    const answer = await (await first({ q: 1 })).answer();
    assert.ok(answer !== undefined && (answer.finished || answer.tokens.length === 5));
  });

  it('spends simulations, tokens or seconds, and says which ended it', async () => {
    let now = 0;
    const make = (settings: SearchSettings = {}) =>
      new Search(new ToyModel({ numCodes: 6 }), prompt, byHash(1), { max_new: 8, ...settings }, () => now++ * 100);
    const end = async <S>(search: Search<S>, budget: object) => {
      const run = search.run(budget);
      for (;;) {
        const next = await run.next();
        if (next.done === true) return next.value;
      }
    };
    const bySimulations = make();
    assert.equal(await end(bySimulations, { simulations: 5 }), 'simulations');
    assert.equal(bySimulations.spent.simulations, 5);
    const byTokens = make();
    assert.equal(await end(byTokens, { tokens: 100, simulations: 1000 }), 'tokens');
    assert.ok(byTokens.spent.tokens >= 100 && byTokens.spent.tokens < 120);
    const bySeconds = make();
    assert.equal(await end(bySeconds, { seconds: 5 }), 'seconds');
    assert.ok(bySeconds.spent.seconds >= 5 && bySeconds.spent.seconds < 7);
    assert.equal(await end(make({ stop_at_end: true, max_new: 2 }), { simulations: 1000 }), 'ended');
    for (const budget of [{}, { simulations: 0 }, { tokens: -1 }, { seconds: Number.NaN }]) {
      await assert.rejects(end(make(), budget), (e: ColaError) => e.id === 'search.budget');
    }
  });

  it('refuses what cannot be searched', () => {
    const make = (settings: unknown, p = prompt, world: ToyWorld = { numCodes: 4, context: 20 }) =>
      new Search(new ToyModel(world), p, byHash(1), settings as SearchSettings);
    const fails = (id: string, settings: unknown, p = prompt) =>
      assert.throws(
        () => make(settings, p),
        (e: unknown) => e instanceof ColaError && e.id === id,
      );
    fails('search.emptyPrompt', { max_new: 4 }, []);
    fails('search.promptTooLong', { max_new: 4 }, Array(17).fill(1));
    fails('search.promptTooLong', {});
    fails('search.noQ', { max_new: 4, edge: { kind: 'q' } });
    fails('search.noQ', { max_new: 4, value: { q: 1 } });
    fails('search.noValue', { max_new: 4, value: { value: 1 } });
    for (const settings of [
      { breadth: 0 },
      { gamma: 2 },
      { edge: { kind: 'steps', steps: 0 } },
      { value: {} },
      { bredth: 3 },
      { temperature: -1 },
      null,
    ]) {
      fails('search.options', settings);
    }
    assert.equal(make({ max_new: 18 }).tree.count, 1);
  });

  it('does not run twice at once', async () => {
    const search = new Search(new ToyModel({ numCodes: 4 }), prompt, byHash(1), { max_new: 4 });
    const run = search.run({ simulations: 3 });
    await run.next();
    await assert.rejects(finish(search, 1), (e: ColaError) => e.id === 'search.running');
    await run.return('cancelled');
    assert.equal((await finish(search, 3)).end, 'simulations');
  });

  it('is cancelled by its signal, with a whole tree', async () => {
    const stop = new AbortController();
    const search = new Search(new ToyModel({ numCodes: 4 }), prompt, byHash(1), { max_new: 6 });
    const run = search.run({ simulations: 100 }, stop.signal);
    for (let i = 0; i < 50; i++) await run.next();
    stop.abort();
    assert.deepEqual(await run.next(), { done: true, value: 'cancelled' });
    assert.ok(search.tree.pending.every((n) => n === 0));
    assert.equal(search.tree.N[0], search.log.count);
  });

  it('shows the tree as it was after any number of simulations', async () => {
    const settings = { max_new: 6, edge: { kind: 'q', threshold: 0.05, max_extra: 2 } } as const;
    const make = () => new Search(new ToyModel(wildWorld(4)), prompt, byHash(4), settings);
    const whole = make();
    await finish(whole, 30);
    const growing = make();
    for (let done = 1; done <= 30; done++) {
      await finish(growing, 1);
      const then = whole.log.replay(done);
      assert.equal(then.count, growing.tree.count);
      assert.deepEqual([...then.N], [...growing.tree.N.subarray(0, then.count)]);
      for (let id = 0; id < then.count; id++) assert.ok(Math.abs(then.W[id] - growing.tree.W[id]) < 1e-9);
    }
  });
});
