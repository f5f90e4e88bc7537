import assert from 'node:assert/strict';
import { Device } from '../../../server/device/device.ts';
import { Random } from '../../../server/random.ts';
import { pureReward, type Reward, type RewardResult } from '../../../server/rewards/reward.ts';
import type { ReinforceSettings } from '../../../server/spec/settings/reinforcement.ts';
import type { Judged } from '../../../server/train/reinforce/episode.ts';
import { creditOf, layOut } from '../../../server/train/reinforce/policy-gradient.ts';
import { type Drawn, mixedGroups, replaced, shortened } from '../../../server/train/reinforce/rounds.ts';
import {
  contextOf,
  drawValues,
  everyAnswer,
  promptOf,
  toyModel,
  toySettings,
  toyStage,
  toyWorld,
} from '../../support/toy-world.ts';

function sample(group: number, length: number, result: RewardResult, finished = true): Judged {
  const choices = Array.from({ length }, (_, i) => i);
  return {
    prompt: promptOf([9]),
    group,
    seed: 0,
    tokens: choices,
    written: choices,
    turns: [{ end: length, reward: 0 }],
    choices,
    logp: choices.map(() => -1),
    values: [],
    hidden: new Float32Array(0),
    banned: [],
    finished,
    completion: '',
    result,
  };
}
const score = (value: number): RewardResult => ({ value, parts: {} });
const earned = ({ result }: Judged) => ('noScore' in result ? undefined : result.value);

describe('answers that are too long', () => {
  it('lose evenly more over the buffer, and 1 at the longest', () => {
    const lengths = [1, 6, 7, 8, 10];
    const rows = [...lengths.map((length) => sample(0, length, score(2))), sample(0, 10, { noScore: 'none' })];
    const found = shortened(rows, { max_new: 10, overlong_buffer: 4 }).map(earned);
    assert.deepEqual(found, [2, 2, 1.75, 1.5, 1, undefined]);
    assert.equal(shortened(rows, { max_new: 10, overlong_buffer: 0 }), rows);
  });

  it('count for what others are compared with, and are not learned from where they are masked', () => {
    const rows = [sample(0, 3, score(1)), sample(0, 4, score(0), false)];
    const settings = toySettings({ max_new: 4, kl: 0, whiten: false, advantage: 'none' });
    const learned = (mask: boolean) => {
      const batch = layOut(rows, 1, (row) => !mask || row.finished);
      return { mask: [...batch.mask], ...creditOf(batch, batch.logpOld, undefined, settings) };
    };
    const [kept, masked] = [learned(false), learned(true)];
    assert.deepEqual(kept.mask, [1, 1, 1, 0, 1, 1, 1, 1]);
    assert.deepEqual(masked.mask, [1, 1, 1, 0, 0, 0, 0, 0]);
    // The mean of both is half, whether the second is learned from or not.
    assert.deepEqual([...masked.advantages], [0.5, 0.5, 0.5, 0, 0, 0, 0, 0]);
    assert.deepEqual([...kept.advantages], [0.5, 0.5, 0.5, 0, -0.5, -0.5, -0.5, -0.5]);
  });
});

describe('groups that teach nothing', () => {
  const prompts = [[1], [2], [3], [4], [5]].map(promptOf);
  const drawn = (numbers: readonly number[], scores: readonly (readonly number[])[]): Drawn => ({
    drawn: numbers.map((number) => ({ prompt: prompts[number], number })),
    rows: scores.flatMap((values, group) =>
      values.map((value) => ({ ...sample(group, 1, score(value)), prompt: prompts[numbers[group]] })),
    ),
  });

  it('are those whose samples all earned the same', () => {
    const { rows } = drawn(
      [0, 1, 2],
      [
        [1, 1],
        [0, 1],
        [0, 0],
      ],
    );
    assert.deepEqual([...mixedGroups(rows)], [1]);
    assert.deepEqual([...mixedGroups([sample(0, 1, score(1)), sample(0, 1, { noScore: 'none' })])], []);
  });

  it('are replaced in their places by as many as are better', () => {
    const round = drawn(
      [0, 1, 2],
      [
        [1, 1],
        [0, 1],
        [0, 0],
      ],
    );
    const { drawn: now, rows } = replaced(
      round,
      drawn(
        [3, 4],
        [
          [1, 1],
          [1, 0],
        ],
      ),
    );
    assert.deepEqual(
      now.map(({ number }) => number),
      [4, 1, 2],
    );
    assert.deepEqual(
      rows.map((row) => [row.group, row.prompt, earned(row)]),
      [
        [0, prompts[4], 1],
        [0, prompts[4], 0],
        [1, prompts[1], 0],
        [1, prompts[1], 1],
        [2, prompts[2], 0],
        [2, prompts[2], 0],
      ],
    );
  });
});

describe('a round', function () {
  this.timeout(60_000);
  let device: Device;
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
  });
  after(() => device.dispose());

  const asked = [
    [53, 4],
    [83, 11],
    [7, 7, 9],
  ].map(promptOf);
  async function metricsOf(changed: Partial<ReinforceSettings>, reward: Reward) {
    const answers = [];
    for (const prompt of asked) answers.push(await everyAnswer(device, await toyModel(), prompt, 2));
    const world = toyWorld(asked, answers, drawValues(2, 96, new Random(1)));
    const cola = await toyModel();
    const context = await contextOf(device, cola, 3);
    const settings = toySettings({ max_new: 2, batch: 2, group: 4, steps: 2, ...changed });
    const stage = await toyStage(context, cola, world, settings, reward);
    const { metrics } = await stage.step(0, new AbortController().signal);
    await stage.dispose();
    const { seconds_rollout, seconds_reward, seconds_update, ...rest } = metrics;
    return rest;
  }
  const constant = pureReward('constant', () => ({ value: 1, parts: {} }));
  let turn = 0;
  const always = pureReward('always', () => ({ value: turn++ % 2, parts: {} }));

  it('draws others as often as it may, and learns all the same where none is better', async () => {
    const { resampled, mixed_groups, tokens } = await metricsOf({ resample: 3 }, constant);
    assert.deepEqual([resampled, mixed_groups], [3 * 2, 0]);
    assert.equal(typeof tokens, 'number');
    const plain = await metricsOf({}, constant);
    assert.equal('resampled' in plain, false);
  });

  it('draws no others where all teach something', async () => {
    turn = 0;
    const { resampled, ...rest } = await metricsOf({ resample: 3 }, always);
    turn = 0;
    assert.equal(resampled, 0);
    assert.deepEqual(rest, await metricsOf({}, always));
  });
});
