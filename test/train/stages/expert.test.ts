/** Learning from search where the best actions are known: as for reinforcement, but by the visits of searches. */
import assert from 'node:assert/strict';
import { Device } from '../../../server/device/device.ts';
import { Random } from '../../../server/random.ts';
import type { Reward } from '../../../server/rewards/reward.ts';
import { type ExpertSettings, expertSettings } from '../../../server/spec/settings/expert.ts';
import { ExpertStage } from '../../../server/train/stages/expert.ts';
import {
  contextOf,
  drawValues,
  everyAnswer,
  promptOf,
  relative,
  type ToyWorld,
  toyModel,
  toyWorld,
  valueReward,
} from '../../support/toy-world.ts';

const slow = process.env.COLA_SLOW === '1';
const places = 3;
const prompt = promptOf([53, 4, 83, 11]);
const { signal } = new AbortController();

const settingsOf = (settings: Partial<ExpertSettings>): ExpertSettings =>
  expertSettings.parse({
    prompts: 'none',
    reward: 'exact',
    max_new: places,
    batch: 1,
    simulations: 64,
    // An action that was not tried counts as 0, and here most rewards are above 1.
    cpuct: 10,
    paths: 16,
    gamma: 1,
    temperature: 1,
    learning_rate: 3e-3,
    warmup: 0,
    minibatches: 2,
    evaluate_rows: 1,
    evaluate_samples: 64,
    ...settings,
  });

describe('learning from search in a world whose best actions are known', function () {
  this.timeout(600_000);
  let device: Device;
  let answers: number[][];
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
    answers = await everyAnswer(device, await toyModel(), prompt, places);
  });
  after(() => device.dispose());

  const worldOf = (seed: number) => toyWorld([prompt], [answers], drawValues(places, 96, new Random(seed)));

  async function trained(world: ToyWorld, settings: ExpertSettings, seed: number, reward?: Reward) {
    const cola = await toyModel();
    const context = await contextOf(device, cola, 100 + seed);
    const problems = { prompts: world.prompts, heldOut: world.prompts, reward: reward ?? valueReward(world.values) };
    const stage = await ExpertStage.of(settings, context, problems);
    const rounds = [];
    for (let step = 0; step < settings.steps; step++) rounds.push((await stage.step(step, signal)).metrics);
    const { metrics } = await stage.evaluate(signal);
    await stage.dispose();
    const weights = new Map<string, Float32Array>();
    for (const { name } of cola.tensors) weights.set(name, (await context.weights.read(name)).slice());
    context.weights.dispose();
    return { rounds, metrics, weights, cola };
  }

  it('goes most of the way to the optimum, agrees with its searches, and says how', async () => {
    const values: number[] = [];
    const agreed: number[] = [];
    for (const seed of slow ? Array.from({ length: 20 }, (_, i) => i) : [1]) {
      const world = worldOf(seed);
      const { rounds, metrics } = await trained(world, settingsOf({ steps: 40 }), seed);
      const [first, last] = [rounds[0], rounds.at(-1)!];
      values.push(relative(world, Number(metrics.greedy_reward)));
      assert.ok(relative(world, Number(last.reward)) > relative(world, Number(first.reward)) + 0.3);
      assert.ok(Number(last.best_reward) <= world.optimum + 1e-6);
      assert.ok(Number(last.agreement) > 0.9, `${last.agreement}`);
      agreed.push(Number(first.agreement_before));
      assert.ok(Number(last.entropy) < Number(first.entropy_before));
      for (const round of rounds) for (const value of Object.values(round)) assert.ok(Number.isFinite(value));
    }
    const mean = (all: readonly number[]) => all.reduce((a, b) => a + b, 0) / all.length;
    assert.ok(mean(agreed) < 0.7, agreed.join(', '));
    // Greedy improvement may settle on the second best of the first actions: of twenty worlds the mean was 0.74 with a standard error of
    // 0.04, the worst 0.41 and the best 1.0; which of them settle so depends on how a processor rounds.
    assert.ok(mean(values) > 0.6, values.join(', '));
    assert.ok(
      values.every((value) => value > 0.3 && value < 1 + 1e-6),
      values.join(', '),
    );
  });

  it('trains the policy alone, and V and Q where they are to learn', async () => {
    const world = worldOf(5);
    const before = (await toyModel()).weights;
    for (const [value, q] of [
      [0, 0],
      [1, 1],
    ]) {
      // What V and Q have learned takes some rounds.
      const steps = value > 0 ? 25 : 3;
      const settings = settingsOf({ steps, value_weight: value, q_weight: q, simulations: 32 });
      const { weights, rounds } = await trained(world, settings, 1);
      const changed = (name: RegExp) =>
        [...weights].some(([key, now]) => name.test(key) && now.some((x, i) => x !== before.get(key)?.[i]));
      assert.ok(changed(/^policy\./));
      assert.ok(!changed(/^(codebook|merge|idm|q_target)\b/));
      assert.equal(changed(/^value\./), value > 0);
      assert.equal(changed(/^q\./), q > 0);
      assert.equal('value_loss' in rounds[0], value > 0);
      if (value === 0) continue;
      for (const loss of ['value_loss', 'q_loss']) {
        const of = (some: typeof rounds) => some.reduce((n, round) => n + Number(round[loss]), 0) / some.length;
        assert.ok(of(rounds.slice(-5)) < 0.5 * of(rounds.slice(0, 5)), loss);
      }
    }
  });

  it('ends when no answer of the first round has a score', async () => {
    const silent: Reward = { name: 'silent', score: async () => ({ noScore: 'closed' }), close: async () => undefined };
    const settings = settingsOf({ steps: 2, simulations: 6 });
    await assert.rejects(trained(worldOf(0), settings, 1, silent), /none of the 6 samples .*closed/);
  });

  it('broken off in the middle of a search, it takes the same round again', async () => {
    const world = worldOf(2);
    const settings = settingsOf({ steps: 3, simulations: 24 });
    const cola = await toyModel();
    const context = await contextOf(device, cola, 9);
    const problems = { prompts: world.prompts, heldOut: world.prompts, reward: valueReward(world.values) };
    let asked = 0;
    const stop = new AbortController();
    const impatient = {
      ...problems.reward,
      score: (input: Parameters<Reward['score']>[0], own: AbortSignal) => {
        if (++asked === 10) stop.abort(new Error('enough'));
        return problems.reward.score(input, own);
      },
    };
    const stage = await ExpertStage.of(settings, context, { ...problems, reward: impatient });
    await assert.rejects(stage.step(0, stop.signal), /enough/);
    const again = await stage.step(0, signal);
    await stage.dispose();
    context.weights.dispose();
    const fresh = await contextOf(device, await toyModel(), 9);
    const whole = await ExpertStage.of(settings, fresh, problems);
    const straight = await whole.step(0, signal);
    const timeless = (metrics: object) =>
      Object.fromEntries(Object.entries(metrics).filter(([name]) => !name.startsWith('seconds')));
    assert.deepEqual(timeless(again.metrics), timeless(straight.metrics));
    assert.deepEqual(again.samples, straight.samples);
    await whole.dispose();
    fresh.weights.dispose();
  });
});
