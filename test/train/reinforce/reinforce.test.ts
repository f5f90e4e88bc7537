/**
 * Reinforcement where the best actions are known: every sequence of actions is tried, and a policy is worth
 * (its reward - chance) / (optimum - chance), with chance the mean reward of actions drawn uniformly.
 */
import assert from 'node:assert/strict';
import { Device } from '../../../server/device/device.ts';
import { Random } from '../../../server/random.ts';
import { pureReward, type Reward, simpleScore } from '../../../server/rewards/reward.ts';
import type { ReinforceSettings } from '../../../server/spec/settings/reinforcement.ts';
import {
  contextOf,
  drawValues,
  everyAnswer,
  promptOf,
  relative,
  shuffledReward,
  type ToyWorld,
  tokensOf,
  toyModel,
  toySettings,
  toyStage,
  toyWorld,
} from '../../support/toy-world.ts';

const slow = process.env.COLA_SLOW === '1';
const seeds = Array.from({ length: slow ? 5 : 2 }, (_, seed) => seed);
const places = 3;
const prompt = promptOf([53, 4, 83, 11]);
const { signal } = new AbortController();
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

const common = {
  max_new: places,
  batch: 1,
  group: 64,
  minibatches: 4,
  learning_rate: 2e-3,
  warmup: 0,
  evaluate_samples: 256,
} as const;

const algorithms = {
  grpo: {},
  remax: {},
  // A value of 0 at the start is far off; its loss must not drown the policy's in the norm of the gradient.
  ppo: { value_weight: 0.1, value_clip: 10 },
} as const;

describe('reinforcement in a world whose best actions are known', function () {
  this.timeout(600_000);
  let device: Device;
  let answers: number[][];
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
    answers = await everyAnswer(device, await toyModel(), prompt, places);
  });
  after(() => device.dispose());

  const worldOf = (seed: number) => toyWorld([prompt], [answers], drawValues(places, 96, new Random(seed)));

  /** Greedy and sampled reward after training, by the world's own reward. */
  async function trained(world: ToyWorld, settings: ReinforceSettings, seed: number, reward?: Reward) {
    const cola = await toyModel();
    const context = await contextOf(device, cola, 100 + seed);
    const stage = await toyStage(context, cola, world, settings, reward);
    for (let step = 0; step < settings.steps; step++) await stage.step(step, signal);
    await stage.dispose();
    const judge = await toyStage(context, cola, world, settings);
    const { metrics } = await judge.evaluate(signal);
    await judge.dispose();
    context.weights.dispose();
    return {
      greedy: relative(world, Number(metrics.greedy_reward)),
      sampled: relative(world, Number(metrics.sampled_reward)),
    };
  }

  it('tries every answer: the best of many samples never beats the optimum, and their mean is chance', async () => {
    assert.equal(answers.length, 8 ** places);
    assert(new Set(answers.map(String)).size > 300);
    const world = worldOf(0);
    const cola = await toyModel();
    cola.weights.set('policy.head.weight', new Float32Array(8 * 32));
    const context = await contextOf(device, cola, 1);
    const stage = await toyStage(context, cola, world, toySettings({ ...common, steps: 1, evaluate_samples: 4096 }));
    const { metrics } = await stage.evaluate(signal);
    assert(Math.abs(Number(metrics.sampled_reward) - world.chance) < 0.05);
    await stage.dispose();
    context.weights.dispose();
  });

  it('counts as solved what reaches the highest value of the reward, unless the spec says from where on', async () => {
    const world = worldOf(0);
    const cola = await toyModel();
    const solved = async (own: Partial<ReinforceSettings>): Promise<number> => {
      const context = await contextOf(device, cola, 1);
      const judged = toySettings({ ...common, steps: 1, evaluate_samples: 16, ...own });
      const one = pureReward('one', () => simpleScore('one', 1));
      const stage = await toyStage(context, cola, world, judged, one);
      const { metrics } = await stage.evaluate(signal);
      await stage.dispose();
      context.weights.dispose();
      return Number(metrics.sampled_solved);
    };
    // Every answer has the reward 1, of which the spec says that the highest is 1, or 2.
    assert.equal(await solved({ reward: 'exact' }), 1);
    assert.equal(await solved({ reward: 'countdown' }), 0);
    assert.equal(await solved({ reward: 'countdown', solved_at: 1 }), 1);
  });

  for (const [algorithm, own] of Object.entries(algorithms) as [keyof typeof algorithms, object][]) {
    it(`${algorithm} comes within 5 % of the optimum`, async () => {
      const settings = toySettings({ ...common, ...own, algorithm, steps: 60 });
      const values: number[] = [];
      // One world for each, and in the slow form more.
      for (const seed of slow ? seeds : seeds.slice(0, 1))
        values.push((await trained(worldOf(seed), settings, seed)).greedy);
      assert(mean(values) >= 0.95, values.join(', '));
      assert(
        values.every((value) => value > 0.85 && value < 1 + 1e-6),
        values.join(', '),
      );
    });

    // Rewards mean nothing to each of them in the same way: one is enough, and the slow form has all.
    if (!slow && algorithm !== 'grpo') continue;
    it(`${algorithm} stays at chance when the rewards are dealt at random`, async () => {
      const settings = toySettings({ ...common, ...own, algorithm, steps: slow ? 60 : 30 });
      const values: number[] = [];
      for (const seed of seeds) {
        const world = worldOf(seed);
        const reward = shuffledReward(world.values, new Random(seed + 50));
        values.push((await trained(world, settings, seed, reward)).sampled);
      }
      assert(Math.abs(mean(values)) < 0.2, values.join(', '));
    });
  }

  it('keeps samples without a score out of their group, counts them, and goes on when none has one', async () => {
    const world = worldOf(0);
    for (const algorithm of ['grpo', 'remax', 'ppo'] as const) {
      const cola = await toyModel();
      const context = await contextOf(device, cola, 3);
      // Half of the samples of the first step, all of the second.
      let asked = 0;
      let limit = 2;
      const reward: Reward = {
        name: 'moody',
        score: async ({ completion }) =>
          asked++ % limit === 0 ? { noScore: 'not today' } : { value: tokensOf(completion)[0] / 96, parts: {} },
        close: async () => undefined,
      };
      const settings = toySettings({ ...common, group: 8, algorithm, steps: 4, minibatches: 2, kl: 0.1 });
      const stage = await toyStage(context, cola, world, settings, reward);
      const first = await stage.step(0, signal);
      assert.equal(first.metrics.unscored, 4);
      assert(first.samples?.some((sample) => sample.noScore === 'not today'));
      limit = 1;
      const second = await stage.step(1, signal);
      assert.equal(second.metrics.unscored, 8);
      for (const { metrics } of [first, second])
        for (const [name, value] of Object.entries(metrics))
          assert([value].flat().every(Number.isFinite), `${algorithm} ${name}`);
      assert.equal(second.metrics.gradient_norm, 0);
      assert(cola.weight('policy.head.weight').every(Number.isFinite));
      await stage.dispose();
      context.weights.dispose();
    }
  });
});
