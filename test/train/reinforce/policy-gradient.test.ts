import assert from 'node:assert/strict';
import { Random } from '../../../server/random.ts';
import type { RewardResult } from '../../../server/rewards/reward.ts';
import type { Judged } from '../../../server/train/reinforce/episode.ts';
import {
  creditOf,
  layOut,
  minibatches,
  type PolicyGradientSettings,
} from '../../../server/train/reinforce/policy-gradient.ts';
import { assertClose } from '../../support/reference.ts';
import { promptOf } from '../../support/toy-world.ts';

const settings: PolicyGradientSettings = {
  algorithm: 'grpo',
  temperature: 1,
  kl: 0,
  gamma: 1,
  lambda: 1,
  advantage: 'std',
  loss: 'sequence',
  kl_loss: 0,
  entropy_weight: 0.1,
  clip_ratio: 0.2,
  whiten: false,
  value_clip: 0.2,
  value_weight: 0.5,
};

function sample(
  prompt: readonly number[],
  group: number,
  choices: readonly number[],
  result: RewardResult,
  values: readonly number[] = [],
): Judged {
  return {
    prompt: promptOf(prompt),
    group,
    seed: 0,
    tokens: choices,
    written: choices.map((_, i) => i),
    turns: [{ end: choices.length, reward: 0 }],
    choices,
    logp: choices.map((_, i) => -1 - i),
    values,
    hidden: new Float32Array(0),
    banned: [],
    finished: false,
    completion: '',
    result,
  };
}

const score = (value: number): RewardResult => ({ value, parts: {} });
const none: RewardResult = { noScore: 'no' };

describe('the layout of rollouts', () => {
  const rows = [sample([9, 9, 9], 0, [4, 5], score(1), [0.5, 0.25]), sample([9], 1, [6, 7, 8], none)];
  const batch = layOut(rows);

  it('puts the choices of each row in order, from the first on', () => {
    assert.equal(batch.length, 4);
    assert.deepEqual([...batch.choices], [4, 5, 0, 0, 6, 7, 8, 0]);
    assert.deepEqual([...batch.logpOld.subarray(0, 4)], [-1, -2, 0, 0]);
    assert.deepEqual([...batch.valuesOld.subarray(0, 4)], [0.5, 0.25, 0, 0]);
  });

  it('masks everything but choices, and whole samples without a score', () => {
    assert.deepEqual([...batch.mask], [1, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('rounds the number of choices up to fours', () => {
    const long = Array.from({ length: 12 }, () => 3);
    assert.equal(layOut([sample([1, 1], 0, long, score(0))]).length, 12);
    assert.equal(layOut([sample([1, 1], 0, [...long, 3], score(0))]).length, 16);
  });

  it('leaves a missing row empty', () => {
    const batch = layOut([undefined, sample([1], 0, [2], score(0))]);
    assert.deepEqual([...batch.mask], [0, 0, 0, 0, 1, 0, 0, 0]);
  });
});

describe('credit', () => {
  const at = (values: Float64Array, batch: { length: number }, row: number, from: number, to: number) => [
    ...values.subarray(row * batch.length + from, row * batch.length + to),
  ];

  it('of GRPO compares the samples of a prompt, without those that have no score', () => {
    const rows = [
      sample([1], 0, [2, 3], score(1)),
      sample([1], 0, [2], score(3)),
      sample([1], 0, [2], none),
      sample([1, 1], 1, [2], score(100)),
    ];
    const batch = layOut(rows);
    const zeros = batch.logpOld;
    const { advantages } = creditOf(batch, zeros, undefined, settings);
    assertClose(at(advantages, batch, 0, 0, 3), [-Math.SQRT1_2, -Math.SQRT1_2, 0], 1e-7);
    assertClose(at(advantages, batch, 1, 0, 2), [Math.SQRT1_2, 0], 1e-7);
    assert(advantages.subarray(2 * batch.length).every((x) => x === 0));
  });

  it('of ReMax subtracts the greedy sample; without its score there is none', () => {
    const rows = [sample([1], 0, [2], score(3)), sample([1], 1, [2], score(3)), sample([1], 2, [2], none)];
    const batch = layOut(rows);
    const { advantages } = creditOf(batch, batch.logpOld, [1, undefined, 1], { ...settings, algorithm: 'remax' });
    assert.deepEqual([advantages[0], advantages[batch.length], advantages[2 * batch.length]], [2, 0, 0]);
  });

  it('of PPO subtracts the values, and returns add them again', () => {
    const rows = [sample([1, 1], 0, [2, 3], score(3), [1, 2])];
    const batch = layOut(rows);
    const { advantages, returns } = creditOf(batch, batch.logpOld, undefined, { ...settings, algorithm: 'ppo' });
    assert.deepEqual([...advantages], [3 - 1, 3 - 2, 0, 0]);
    assert.deepEqual([...returns], [3, 3, 0, 0]);
  });

  it('pays for distance from the reference at the choice that made it', () => {
    const batch = layOut([sample([1], 0, [2, 3], score(0)), sample([1], 0, [2, 3], score(0))]);
    const reference = batch.logpOld.map((x, i) => (i === 1 ? x - 2 : x));
    const { advantages } = creditOf(batch, reference, undefined, { ...settings, kl: 0.5 });
    assert.deepEqual([...advantages.subarray(0, 3)], [-1, -1, 0]);
  });

  it('without a single score is 0, whitened or not', () => {
    const batch = layOut([sample([1], 0, [2], none), sample([1], 0, [2], none)]);
    for (const whiten of [true, false]) {
      const { advantages, returns } = creditOf(batch, batch.logpOld, undefined, { ...settings, whiten });
      assert(advantages.every((x) => x === 0) && returns.every((x) => x === 0));
    }
  });
});

describe('minibatches', () => {
  it('hold every row once and differ by little in size', () => {
    for (const [rows, count] of [
      [8, 2],
      [7, 3],
      [2, 4],
      [1, 1],
    ]) {
      const keys = Array.from({ length: rows }, (_, i) => i);
      const parts = minibatches(keys, count, new Random(rows));
      assert.deepEqual(
        parts.flat().sort((a, b) => a - b),
        Array.from({ length: rows }, (_, i) => i),
      );
      assert(parts.every((part) => part.length > 0 && part.length <= Math.ceil(rows / count)));
    }
  });
});
