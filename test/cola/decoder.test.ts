import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Decoder, forced } from '../../server/cola/decoder.ts';
import { healthOf } from '../../server/cola/health.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { argmaxOf, probabilities } from '../../server/model/sampling.ts';
import { Random } from '../../server/random.ts';
import { itMainly, onEachDevice } from '../support/devices.ts';
import { assertClose } from '../support/reference.ts';

const prompts = [[5, 6, 7], [11], [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]];

onEachDevice((device, name) => {
  describe('a decoding step', function () {
    this.timeout(120_000);
    let model: ColaModel;
    let decoder: Decoder;
    before(async () => {
      model = await ColaModel.load(join(import.meta.dirname, '../fixtures/cola/n8-residual'));
      decoder = new Decoder(device(), model, { parts: { preview: true, value: true, q: true } });
    });
    after(() => decoder.dispose());

    const n = 8;
    const step = async (on: Decoder, bias?: Float32Array, temperature?: number) => {
      const cache = await on.cache(prompts.length, 16);
      const result = await on.step(cache, prompts, bias, temperature);
      cache.dispose();
      return result;
    };
    const biasOf = (of: (row: number, code: number) => number) =>
      Float32Array.from({ length: prompts.length * n }, (_, i) => of(Math.floor(i / n), i % n));

    it('takes the most likely action, and the token the preview promises for it', async () => {
      const result = await step(decoder);
      for (const [row, action] of result.action.entries()) {
        assert.equal(action, argmaxOf(result.policyLogits, row * n, n));
        assert.equal(result.token[row], result.nextTokens?.[row * n + action]);
      }
      assert.equal(result.value?.length, prompts.length);
      assert.equal(result.q?.length, prompts.length * n);
      assert(result.nextProbabilities?.every((p) => p > 0 && p <= 1));
    });

    it('takes another action in each row where it is forced to, and none that is banned', async () => {
      const wanted = [7, 0, 3];
      const result = await step(
        decoder,
        biasOf((row, code) => (code === wanted[row] ? forced : 0)),
      );
      assert.deepEqual([...result.action], wanted);
      assert.deepEqual(
        [...result.token],
        wanted.map((code, row) => result.nextTokens?.[row * n + code]),
      );
      const free = await step(decoder);
      const banned = await step(
        decoder,
        biasOf((row, code) => (code === free.action[row] ? -forced : 0)),
      );
      for (const [row, action] of banned.action.entries()) {
        const rest = free.policyLogits.slice(row * n, (row + 1) * n);
        rest[free.action[row]] = Number.NEGATIVE_INFINITY;
        assert.equal(action, argmaxOf(rest, 0, n));
      }
    });

    itMainly(name, 'chooses among the k most likely only, whatever the noise', async () => {
      const narrow = new Decoder(device(), model, { parts: { topK: 2 } });
      const random = new Random(4);
      for (let time = 0; time < (name === 'cpu' ? 20 : 5); time++) {
        const result = await step(
          narrow,
          biasOf(() => 30 * random.gumbel()),
        );
        for (const [row, action] of result.action.entries()) {
          const own = [...result.policyLogits.subarray(row * n, (row + 1) * n)];
          assert(own.filter((x) => x > own[action]).length < 2);
        }
      }
      await narrow.dispose();
    });

    itMainly(name, 'samples as softmax does at the temperature', async () => {
      const random = new Random(9);
      // On a WebGPU in software every row costs; how far the shares may be off follows from their number.
      const [rows, temperature] = [name === 'cpu' ? 400 : 60, 0.7];
      const bare = new Decoder(device(), model);
      const cache = await bare.cache(rows, 4);
      const noise = Float32Array.from({ length: rows * n }, () => random.gumbel());
      const result = await bare.step(cache, Array<number[]>(rows).fill(prompts[0]), noise, temperature);
      cache.dispose();
      await bare.dispose();
      const counts = new Float64Array(n);
      for (const action of result.action) counts[action]++;
      const p = probabilities(result.policyLogits, 0, n, temperature);
      for (const [code, count] of counts.entries()) {
        const deviation = Math.sqrt((p[code] * (1 - p[code])) / rows);
        assert(Math.abs(count / rows - p[code]) < 4.5 * deviation + 1 / rows, `${count / rows} for ${p[code]}`);
      }
    });
  });
});

describe('the health of codes', () => {
  it('of an even use is all alive and ln N, of a single code nothing', () => {
    const even = healthOf(Int32Array.of(3, 3, 3, 3));
    assert.deepEqual([even.alive, even.maxShare], [4, 0.25]);
    assertClose([even.entropy], [Math.log(4)], 1e-12);
    const single = healthOf(Int32Array.of(0, 9, 0));
    assert.deepEqual([single.alive, single.maxShare], [1, 1]);
    assertClose([single.entropy], [0], 0);
  });

  it('of no use at all has no alive code', () => {
    const none = healthOf(new Int32Array(4));
    assert.deepEqual([none.alive, none.entropy, none.maxShare], [0, 0, 0]);
  });
});
