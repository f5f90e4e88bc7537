import assert from 'node:assert/strict';
import type { ColaError } from '../../server/errors.ts';
import { bestOfN, type Sample } from '../../server/search/best-of-n.ts';
import type { Judge } from '../../server/search/judge.ts';
import type { SearchBudget } from '../../server/search/options.ts';
import { hash, ToyModel, type ToyWorld, wildWorld } from './toy.ts';

const judge: Judge = ({ tokens }) => ({ value: hash(9, ...tokens), parts: {} });

async function sample(
  world: ToyWorld,
  budget: SearchBudget,
  settings: { seed?: number; batch?: number; temperature?: number } = {},
  j = judge,
): Promise<{ samples: Sample[]; best: Sample | undefined }> {
  const samples: Sample[] = [];
  const run = bestOfN(new ToyModel(world), [7], j, { maxNew: 6, ...settings }, budget);
  for (;;) {
    const next = await run.next();
    if (next.done === true) return { samples, best: next.value };
    if (next.value !== 'step') samples.push(next.value);
  }
}

describe('best of N', () => {
  it('returns the sample with the largest reward, and the same ones for the same seed', async () => {
    const world = wildWorld(1);
    const { samples, best } = await sample(world, { simulations: 40 }, { seed: 3, batch: 7 });
    assert.equal(samples.length, 40);
    assert.equal(best?.reward, Math.max(...samples.map(({ reward }) => reward ?? Number.NaN)));
    const again = await sample(world, { simulations: 40 }, { seed: 3, batch: 7 });
    assert.deepEqual(again.samples, samples);
    const alone = await sample(world, { simulations: 40 }, { seed: 3, batch: 1 });
    const text = (list: Sample[]) => list.map(({ tokens }) => tokens);
    assert.deepEqual(text(alone.samples), text(samples), 'the batch changes nothing');
    assert.notDeepEqual(text((await sample(world, { simulations: 40 }, { seed: 4 })).samples), text(samples));
  });

  it('draws codes as often as the policy says', async () => {
    const world: ToyWorld = { numCodes: 3, policy: () => [Math.log(6), Math.log(3), 0] };
    const { samples } = await sample(world, { simulations: 1000 }, { batch: 100 });
    const share = [0, 1, 2].map(
      (code) => samples.flatMap(({ actions }) => actions).filter((a) => a === code).length / 6000,
    );
    for (const [i, p] of [0.6, 0.3, 0.1].entries()) assert.ok(Math.abs(share[i] - p) < 0.03);
  });

  it('stops at a budget of tokens, counted as a search counts them', async () => {
    const { samples } = await sample({ numCodes: 4 }, { tokens: 60 });
    assert.equal(samples.length, 10);
    assert.equal(samples.at(-1)?.generated, 60);
  });

  it('shows samples without a score, and has no best if there is none', async () => {
    const { samples, best } = await sample(wildWorld(1), { simulations: 3 }, {}, () => ({ noScore: 'shut' }));
    assert.deepEqual(
      samples.map(({ reward, noScore }) => [reward, noScore]),
      Array(3).fill([null, 'shut']),
    );
    assert.equal(best, undefined);
  });

  it('says when the reward throws or never answers, and refuses prompts that leave no room', async () => {
    const fails = (id: string) => (error: ColaError) => error.id === id;
    const budget = { simulations: 3 };
    const settings = { maxNew: 6, rewardSeconds: 0.03 };
    const run = (j: Judge, prompt: number[]) =>
      bestOfN(new ToyModel({ numCodes: 4, context: 20 }), prompt, j, settings, budget);
    const end = async (samples: ReturnType<typeof run>) => {
      while ((await samples.next()).done !== true);
    };
    const broken: Judge = () => {
      throw new Error('out of paper');
    };
    await assert.rejects(end(run(broken, [7])), fails('search.rewardFailed'));
    await assert.rejects(end(run(() => new Promise(() => {}), [7])), fails('search.rewardTimeout'));
    await assert.rejects(end(run(judge, [])), fails('search.emptyPrompt'));
    await assert.rejects(end(run(judge, Array(15).fill(1))), fails('search.promptTooLong'));
  });

  it('refuses an empty budget and says when the reward breaks', async () => {
    const fails = (id: string) => (error: ColaError) => error.id === id;
    await assert.rejects(sample(wildWorld(1), { simulations: 0 }), fails('search.budget'));
    await assert.rejects(
      sample(wildWorld(1), { simulations: 3 }, {}, () => ({ value: Number.NaN, parts: {} })),
      fails('search.rewardNotFinite'),
    );
  });
});
