import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  argmaxOf,
  draw,
  greedy,
  inverseCdf,
  probabilities,
  type Sampling,
  sample,
} from '../../server/model/sampling.ts';
import { Random } from '../../server/random.ts';

const DRAWS = process.env.COLA_SLOW ? 200_000 : 20_000;
const logits = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 20 });

function counts(values: readonly number[], sampling: Sampling, seed = 1): number[] {
  const random = new Random(seed);
  const seen = new Array<number>(values.length).fill(0);
  for (let i = 0; i < DRAWS; i++) seen[sample(values, 0, values.length, sampling, random)]!++;
  return seen;
}

describe('sampling', () => {
  it('at temperature 0 takes the most likely token, the lowest among equals', () => {
    fc.assert(
      fc.property(logits, fc.nat(5), (values, offset) => {
        const padded = [...new Array<number>(offset).fill(99), ...values, 99];
        const best = values.indexOf(Math.max(...values));
        assert.equal(argmaxOf(padded, offset, values.length), best);
        assert.equal(sample(padded, offset, values.length, greedy, new Random(1)), best);
      }),
    );
  });

  it('has probabilities of softmax at the temperature', () => {
    fc.assert(
      fc.property(logits, fc.double({ min: 0.2, max: 5, noNaN: true }), (values, temperature) => {
        const p = probabilities(values, 0, values.length, temperature);
        const total = values.reduce((n, v) => n + Math.exp(v / temperature), 0);
        for (const [i, v] of values.entries()) assert(Math.abs(p[i]! - Math.exp(v / temperature) / total) < 1e-9);
      }),
    );
    assert.deepEqual([...probabilities([1e30, 0, -1e30], 0, 3)], [1, 0, 0]);
  });

  it('says with a draw how likely it was', () => {
    const temperatures = fc.constantFrom(0, 0.3, 1, 4);
    fc.assert(
      fc.property(logits, fc.nat(5), temperatures, fc.integer(), (values, offset, temperature, seed) => {
        const padded = [...new Array<number>(offset).fill(99), ...values, 99];
        const { choice, logp } = draw(padded, offset, values.length, temperature, new Random(seed));
        const p = probabilities(values, 0, values.length, temperature || 1);
        assert(Math.abs(Math.exp(logp) - p[choice]!) < 1e-12);
        const alone = sample(padded, offset, values.length, { temperature, topK: 0, topP: 1 }, new Random(seed));
        assert.equal(choice, alone);
        assert.equal(
          choice,
          temperature === 0 ? argmaxOf(values, 0, values.length) : inverseCdf(p, new Random(seed).uniform()),
        );
      }),
    );
  });

  it('draws each token as often as it should', () => {
    const values = [1, 0, -1, 2, 0.5];
    for (const temperature of [1, 0.5, 3]) {
      const p = probabilities(values, 0, values.length, temperature);
      const seen = counts(values, { temperature, topK: 0, topP: 1 });
      for (const [i, n] of seen.entries()) {
        const deviation = Math.sqrt(p[i]! * (1 - p[i]!) * DRAWS);
        assert(Math.abs(n - p[i]! * DRAWS) < 5 * deviation + 1, `${i}: ${n}`);
      }
    }
  });

  it('draws only among the k most likely, in their proportions', () => {
    const values = [0, 3, 1, 2, -1];
    const seen = counts(values, { temperature: 1, topK: 2, topP: 1 });
    assert.deepEqual([seen[0], seen[2], seen[4]], [0, 0, 0]);
    const share = 1 / (1 + Math.exp(-1));
    assert(Math.abs(seen[1]! - share * DRAWS) < 5 * Math.sqrt(share * (1 - share) * DRAWS));
  });

  it('draws only among the smallest set that reaches p', () => {
    // Probabilities 0.5, 0.3, 0.15, 0.05.
    const values = [0.05, 0.5, 0.15, 0.3].map(Math.log);
    const kept = (topP: number, topK = 0) => counts(values, { temperature: 1, topK, topP }).map((n) => n > 0);
    assert.deepEqual(kept(0.4), [false, true, false, false]);
    assert.deepEqual(kept(0.6), [false, true, false, true]);
    assert.deepEqual(kept(0.9), [false, true, true, true]);
    assert.deepEqual(kept(1), [true, true, true, true]);
    // Top-k comes first: of 0.5 and 0.3 alone, 0.5 is 0.625.
    assert.deepEqual(kept(0.6, 2), [false, true, false, false]);
  });

  it('always draws a token that the cuts leave', () => {
    const cut = fc.record({
      temperature: fc.double({ min: 0.1, max: 10, noNaN: true }),
      topK: fc.nat(25),
      topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(logits, cut, fc.integer(), (values, sampling, seed) => {
        const id = sample(values, 0, values.length, sampling, new Random(seed));
        const p = probabilities(values, 0, values.length, sampling.temperature);
        const better = p.filter((q) => q > p[id]!);
        if (sampling.topK > 0) assert(better.length < sampling.topK);
        const above = better.reduce((n, q) => n + q, 0);
        // What is strictly better must not reach p already.
        if (sampling.topP < 1 && sampling.topK === 0) assert(above < sampling.topP + 1e-9);
      }),
    );
  });

  it('finds the place of a number in the cumulated probabilities', () => {
    assert.deepEqual(
      [0, 0.2, 0.25, 0.7, 0.999, 1].map((u) => inverseCdf([0.25, 0, 0.5, 0.25], u)),
      [0, 0, 2, 2, 3, 3],
    );
  });
});
