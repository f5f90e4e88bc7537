import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import { searchMeasure } from '../../server/evaluate/report.ts';
import { measureSearch, mostFrequent, valueJudge } from '../../server/evaluate/search.ts';
import type { TaskSpec } from '../../server/evaluate/task.ts';
import { Random } from '../../server/random.ts';
import { pureReward, type Reward } from '../../server/rewards/reward.ts';
import { ToyModel, wildWorld } from '../search/toy.ts';
import {
  contextOf,
  drawValues,
  everyAnswer,
  promptOf,
  tokensOf,
  toyModel,
  toyWorld,
  valueReward,
  worth,
} from '../support/toy-world.ts';

const places = 2;
const prompts = [promptOf([53, 4, 83, 11]), promptOf([20, 9])];

describe('answers by search at the same number of tokens', function () {
  this.timeout(300_000);
  let device: Device;
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
  });
  after(() => device.dispose());

  const task: TaskSpec = {
    prompts: 'none',
    reward: 'exact',
    max_new: places,
    temperature: 1,
    top_k: 0,
    solved_at: Number.POSITIVE_INFINITY,
  };

  async function measured(
    tokens: number,
    seed: number,
    reward: Reward,
    solvedAt = task.solved_at,
    picker?: Reward,
    qAbove = -1,
  ) {
    const cola = await toyModel();
    const context = await contextOf(device, cola, 1);
    // All eight codes, and exploration that does not settle before everything was seen.
    const settings = searchMeasure.parse({ tokens, cpuct: 10, q_above: qAbove });
    const own = { ...task, solved_at: solvedAt };
    const figures = await measureSearch(context, cola, { task: own, prompts, reward, settings, seed, picker });
    context.weights.dispose();
    return figures;
  }

  it('gives each way its budget, and finds the best answer where it is enough for all', async () => {
    const values = drawValues(places, 96, new Random(3));
    const answers = [];
    for (const prompt of prompts) answers.push(await everyAnswer(device, await toyModel(), prompt, places));
    const world = toyWorld(prompts, answers, values);
    const reward = valueReward(values);
    const tokens = 12;
    const few = await measured(tokens, 1, reward);
    for (const way of ['best_of_n_oracle', 'mcts_oracle', 'mcts_q_oracle']) {
      const spent = few[`${way}_tokens`];
      // What repeats costs nothing, and a way ends with four times as many answers as tokens.
      const done = spent > tokens / 2;
      assert.ok(done && spent < tokens + 8 * places, `${way} spent ${spent}`);
      assert.ok(few[`${way}_reward`] >= few.greedy_reward - 1e-6 || way === 'best_of_n_oracle');
      assert.ok(few[`${way}_reward`] <= world.optimum + 1e-6);
      assert.equal(few[`${way}_solved`], 0);
    }
    assert.ok(few.greedy_tokens <= places);
    assert.equal(few.greedy_answers, 1);
    // 1 + 8 states choose; beyond them nothing is left to generate, so the search may go on until all is seen.
    const many = await measured(30, 1, reward, world.optimum / 2);
    assert.ok(
      Math.abs(many.mcts_oracle_reward - world.optimum) < 1e-5,
      `${many.mcts_oracle_reward} of ${world.optimum}`,
    );
    assert.equal(many.mcts_oracle_solved, 1);
    assert.ok(many.mcts_oracle_tokens <= 9);
  });

  it('is the same for a seed, and samples others for another', async () => {
    const reward = valueReward(drawValues(places, 96, new Random(4)));
    const [first, again, other] = [
      await measured(6, 1, reward),
      await measured(6, 1, reward),
      await measured(6, 2, reward),
    ];
    assert.deepEqual(again, first);
    assert.notEqual(other.best_of_n_oracle_reward, first.best_of_n_oracle_reward);
    assert.equal(other.greedy_reward, first.greedy_reward);
  });

  it('counts 0 where no answer has a score', async () => {
    const found = await measured(
      8,
      1,
      pureReward('closed', () => ({ noScore: 'closed' })),
    );
    assert.equal(found.mcts_oracle_reward, 0);
    assert.equal(found.best_of_n_oracle_solved, 0);
  });

  it('gives figures of MCTS-Q only where Q knows what answers earn', async () => {
    const reward = valueReward(drawValues(places, 96, new Random(3)));
    // This Q is drawn at random.
    const { q_correlation, ...figures } = await measured(6, 1, reward, task.solved_at, undefined, 0.7);
    assert.ok(q_correlation > -1 && q_correlation < 0.7, `${q_correlation}`);
    assert.deepEqual(
      Object.keys(figures).filter((name) => name.startsWith('mcts_q')),
      [],
    );
    const follows = await measured(6, 1, reward, task.solved_at, undefined, q_correlation - 1e-3);
    assert.equal(follows.q_correlation, q_correlation);
    assert.equal(typeof follows.mcts_q_oracle_reward, 'number');
  });

  it('is picked by the judge, and seen by the reward of the task only then', async () => {
    const values = drawValues(places, 96, new Random(3));
    const reward = valueReward(values);
    let seen = 0;
    const counted: Reward = {
      ...reward,
      score(input, signal) {
        seen++;
        return reward.score(input, signal);
      },
    };
    // One that agrees picks as the oracle does; one that likes the opposite picks what is worth least.
    const opposite = pureReward('opposite', ({ completion }) => ({
      value: -worth(values, tokensOf(completion)),
      parts: {},
    }));
    const [oracle, agreed, opposed] = [
      await measured(10, 1, reward),
      await measured(10, 1, counted, task.solved_at, valueReward(values)),
      await measured(10, 1, reward, task.solved_at, opposite),
    ];
    // Greedy, majority, best of N, two searches; what V picks among samples and by a search.
    assert.equal(seen, 7 * prompts.length);
    for (const way of ['best_of_n', 'mcts', 'mcts_q']) {
      assert.equal(agreed[`${way}_reward`], oracle[`${way}_oracle_reward`], way);
      assert.ok(opposed[`${way}_reward`] < agreed[`${way}_reward`], way);
      assert.equal(agreed[`${way}_oracle_reward`], undefined);
    }
    // These ask no judge.
    for (const way of ['greedy', 'majority', 'best_of_n_value', 'mcts_value']) {
      assert.equal(agreed[`${way}_reward`], oracle[`${way}_reward`], way);
      assert.equal(opposed[`${way}_reward`], oracle[`${way}_reward`], way);
    }
    assert.equal(oracle.majority_tokens, oracle.best_of_n_oracle_tokens);
  });

  it('is worth to the value head what it says of the state behind the answer', async () => {
    const world = wildWorld(4);
    const judge = valueJudge(new ToyModel(world), [7, 8]);
    for (const tokens of [[1], [1, 2], [5, 5, 5]]) {
      const answer = { actions: [], tokens, finished: true };
      assert.deepEqual(await judge(answer, new AbortController().signal), { value: world.value!(tokens), parts: {} });
    }
    const without = valueJudge(new ToyModel({ numCodes: 2 }), [7]);
    const answer = { actions: [], tokens: [1], finished: true };
    assert.deepEqual(await without(answer, new AbortController().signal), { noScore: 'the model has no value head' });
  });

  it('by majority is the most frequent answer, the first among equals', () => {
    const answers = [[1, 2], [3], [1, 2], [3], [4]].map((tokens, order) => ({ tokens, order }));
    assert.equal(mostFrequent(answers)?.order, 0);
    assert.equal(mostFrequent(answers.slice(1))?.order, 1);
    assert.equal(mostFrequent(answers.slice(4))?.order, 4);
    assert.equal(mostFrequent([]), undefined);
  });
});
