import assert from 'node:assert/strict';
import { Random, seedFrom } from '../../../server/random.ts';
import { numbered, startsOf } from '../../../server/train/reinforce/starts.ts';
import { promptOf } from '../../support/toy-world.ts';

describe('seeds of samples', () => {
  const prompts = numbered([1, 2, 3, 4].map((id) => promptOf([id])));
  const seeds = (step: number, picked: readonly number[], group = 3) =>
    startsOf(
      picked.map((i) => prompts[i]),
      group,
      7,
      step,
    ).map((start) => start.seeds);

  it('follow from seed, step, prompt and sample alone', () => {
    const [a, b] = seeds(5, [2, 0]);
    assert.deepEqual(seeds(5, [0, 1, 2, 3])[2], a);
    assert.deepEqual(seeds(5, [0])[0], b);
    assert.deepEqual(seeds(5, [0], 2)[0], b.slice(0, 2));
    assert.deepEqual(
      b,
      [0, 1, 2].map((i) => seedFrom(7, 5, 0, i)),
    );
  });

  it('differ between the samples of a prompt that comes twice in a round', () => {
    const [first, other, second] = seeds(0, [1, 2, 1]);
    assert.equal(new Set([...first, ...other, ...second]).size, 9);
    assert.deepEqual([...first, ...second], seeds(0, [1], 6)[0]);
  });

  it('are as good as all different, and neighbours share nothing', () => {
    const all: number[] = [];
    for (let step = 0; step < 40; step++) all.push(...startsOf(prompts, 64, 3, step).flatMap((start) => start.seeds));
    // 10240 draws of 2^32 meet 0.012 times on average.
    assert(new Set(all).size >= all.length - 1);
    // The first draws of neighbouring streams are as uniform, and as independent, as those of one stream.
    const uniform = all.map((seed) => new Random(seed).uniform());
    const mean = uniform.reduce((a, b) => a + b, 0) / uniform.length;
    const variance = uniform.reduce((n, x) => n + (x - mean) ** 2, 0) / uniform.length;
    const next = uniform.slice(1).reduce((n, x, i) => n + (x - mean) * (uniform[i] - mean), 0) / uniform.length;
    assert(Math.abs(mean - 0.5) < 5 * Math.sqrt(1 / 12 / uniform.length), `mean ${mean}`);
    assert(Math.abs(variance - 1 / 12) < 0.005, `variance ${variance}`);
    assert(Math.abs(next / variance) < 5 / Math.sqrt(uniform.length), `correlation ${next / variance}`);
  });

  it('depend on the order and the number of what they come from', () => {
    const made = [seedFrom(), seedFrom(0), seedFrom(0, 0), seedFrom(0, 1), seedFrom(1, 0), seedFrom(-1), seedFrom(1)];
    assert.equal(new Set(made).size, made.length);
  });
});
