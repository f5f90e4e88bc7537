/** Reward models as rewards: what they say, what they share, and runs that learn from them. */
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openReward } from '../../../server/reward-model/learned-reward.ts';
import { Scorer } from '../../../server/reward-model/scorer.ts';
import type { RewardInput } from '../../../server/rewards/reward.ts';
import type { RewardSpec } from '../../../server/rewards/spec.ts';
import { runFolder } from '../../../server/store/run.ts';
import { errorOf } from '../../store/scratch.ts';
import { preferences } from '../../support/preferences.ts';
import { Bench, linesOf, resume, specOf, start } from '../../support/runs.ts';

const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const input = (prompt: string, completion: string): RewardInput => ({
  prompt,
  completion,
  row: {},
  finished: true,
  tokens: completion.length,
});

describe('a reward model as a reward', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();
  let model = '';
  before(async function () {
    this.timeout(60_000);
    bench.write('kind.jsonl', lines(preferences(500, 3, 0)));
    const settings = { batch: 8, max_length: 64, learning_rate: 1e-2, warmup: 0, steps: 40 };
    model = await bench.run([{ reward: { data: 'kind.jsonl', ...settings } }], bench.cola, 'rm');
  });

  const use = async <T>(
    spec: RewardSpec,
    body: (of: (i: RewardInput) => Promise<number>) => Promise<T>,
  ): Promise<T> => {
    const reward = await openReward(spec, bench.root);
    try {
      return await body(async (i) => {
        const result = await reward.score(i);
        assert('value' in result, JSON.stringify(result));
        return result.value;
      });
    } finally {
      await reward.close();
    }
  };
  const pairs = preferences(40, 9, 0);

  it('likes what was preferred, and gives the same score alone and among others, again and afresh', async () => {
    const spec = { model: '.cola/runs/rm/model' };
    const together = await use(spec, (score) =>
      Promise.all(
        pairs.map(async ({ prompt, chosen, rejected }) => [
          await score(input(prompt, chosen)),
          await score(input(prompt, rejected)),
        ]),
      ),
    );
    const right = together.filter(([a, b]) => a > b).length;
    assert(right >= 34, `${right} of 40`);
    await use({ model: { path: model, remember: 0 } }, async (score) => {
      for (const [i, { prompt, chosen }] of pairs.slice(0, 5).entries()) {
        assert.equal(await score(input(prompt, chosen)), together[i][0]);
        assert.equal(await score(input(prompt, chosen)), together[i][0]);
      }
    });
    await use({ model: { path: model, batch: 3 } }, async (score) => {
      const [{ prompt, rejected }] = pairs;
      assert(Math.abs((await score(input(prompt, rejected))) - together[0][1]) < 1e-4);
    });
  });

  it('brings scores to a common scale by what was measured of them', async () => {
    const { score_mean: mean, score_std: std } = JSON.parse(readFileSync(join(model, 'reward.json'), 'utf8'));
    const one = input(pairs[0].prompt, pairs[0].chosen);
    const of = (more: object) => use({ model: { path: model, ...more } }, (score) => score(one));
    const raw = await of({});
    const close = (found: number, wanted: number) => assert(Math.abs(found - wanted) < 1e-9, `${found} ${wanted}`);
    close(await of({ normalise: 'standard' }), (raw - mean) / std);
    close(await of({ normalise: 'sigmoid' }), 1 / (1 + Math.exp(-(raw - mean) / std)));
    close(await of({ normalise: 'standard', mean: 1, std: 2 }), (raw - 1) / 2);
  });

  it('reads a conversation as it was, whatever the prompt is as a text', async () => {
    const [{ chosen }] = pairs;
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'yes' },
      { role: 'user', content: 'the sea?' },
    ];
    await use({ model }, async (score) => {
      const said = await score({ ...input('<marks of another model>', chosen), messages });
      // Without a template the turns have names.
      assert.equal(
        said,
        await score(input('User: hi\n\nAssistant: yes\n\nUser: the sea?\n\nAssistant:', ` ${chosen}`)),
      );
    });
  });

  it('is loaded once for all that use it, and stays until the last has gone', async () => {
    const [first, second] = await Promise.all([Scorer.take(model, 'cpu'), Scorer.take(model, 'cpu')]);
    assert.equal(first.scorer, second.scorer);
    await first.release();
    await first.release();
    assert(Number.isFinite(await second.scorer.score(Int32Array.of(5, 6, 7), 2, undefined)));
    await second.release();
    const third = await Scorer.take(model, 'cpu');
    assert.notEqual(third.scorer, second.scorer);
    await third.release();
  });

  it('gives no score to what is too long, and stops waiting when it is told to', async () => {
    const reward = await openReward({ model }, bench.root);
    const long = await reward.score(input('p', 'word '.repeat(200)));
    assert('noScore' in long && /reads 64/.test(long.noScore), JSON.stringify(long));
    const stop = new AbortController();
    const asked = reward.score(input('p', 'a'), stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(asked, /enough/);
    assert('value' in (await reward.score(input('p', 'a'))));
    await reward.close();
  });

  it('is refused where it is no reward model, was damaged, or does not say what is asked of it', async () => {
    const open = (spec: RewardSpec) => openReward(spec, bench.root);
    await assert.rejects(open({ model: 'nowhere' }), { id: 'config.noModel' });
    await assert.rejects(open({ model: bench.cola }), { id: 'config.noScores' });
    const copy = join(bench.root, 'copy');
    cpSync(model, copy, { recursive: true });
    appendFileSync(join(copy, 'config.json'), ' ');
    await assert.rejects(open({ model: 'copy' }), errorOf('rewardModel.damaged', /config\.json/));
    rmSync(join(copy, 'manifest.json'));
    rmSync(join(copy, 'reward.json'));
    await assert.rejects(open({ model: { path: 'copy', normalise: 'sigmoid' } }), { id: 'rewardModel.noMoments' });
    rmSync(join(copy, 'tokenizer.json'));
    await assert.rejects(open({ model: 'copy' }), { id: 'rewardModel.noTokenizer' });
    await assert.rejects(open({ model: { path: model, device: 'abacus' } } as unknown as RewardSpec), {
      id: 'reward.badSpec',
    });
  });

  it('is what reinforcement over actions, over tokens, Q and search learn from; its change is noticed', async () => {
    bench.write('asked.jsonl', lines(pairs.map(({ prompt }) => ({ prompt }))));
    const copy = join(bench.root, 'judge');
    cpSync(model, copy, { recursive: true });
    const common = { prompts: 'asked.jsonl', reward: { model: 'judge' }, steps: 2, batch: 2, max_new: 6 };
    const sizes = { group: 4, evaluate_rows: 2, evaluate_samples: 2, checkpoint_every: 1 };
    const search = { simulations: 4, breadth: 2, lockstep: 2, paths: 2, evaluate_rows: 2, evaluate_samples: 2 };
    const stages = [
      { reinforce: { ...common, ...sizes } },
      { tokens: { ...common, ...sizes } },
      { q: { ...common, group: 2, reuse: 1 } },
      { expert: { ...common, ...search } },
    ];
    const id = bench.fresh();
    await start({ root: bench.root, id }, { ...specOf(bench.cola, stages), evaluate: ['accuracy'] });
    const rewards = linesOf(bench.root, id, 'metrics').flatMap(({ reward }) =>
      typeof reward === 'number' ? reward : [],
    );
    assert(rewards.length >= 6 && rewards.every((value) => value !== 0), rewards.join(' '));
    const spec = readFileSync(join(runFolder(bench.root, id), 'spec.yaml'), 'utf8');
    assert.match(spec, /model: \.\.\/\.\.\/\.\.\/judge/);
    appendFileSync(join(copy, 'reward.json'), ' ');
    await assert.rejects(resume({ root: bench.root, id }), errorOf('train.changed', /judge/));
  });
});
