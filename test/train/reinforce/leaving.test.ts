import assert from 'node:assert/strict';
import { ColaModel } from '../../../server/cola/model.ts';
import { Device } from '../../../server/device/device.ts';
import { LanguageModel } from '../../../server/model/language-model.ts';
import { Random } from '../../../server/random.ts';
import type { Actor } from '../../../server/train/reinforce/actor.ts';
import { LatentActor } from '../../../server/train/reinforce/latent-actor.ts';
import { rowsThatStay } from '../../../server/train/reinforce/leaving.ts';
import type { Chooser } from '../../../server/train/reinforce/sampler.ts';
import { numbered, startsOf } from '../../../server/train/reinforce/starts.ts';
import { TokenActor, trainedOf } from '../../../server/train/reinforce/token-actor.ts';
import { contextOf, promptOf, toyModel } from '../../support/toy-world.ts';

describe('rows that stay', () => {
  it('are all that are not done, in lots of one prompt, and half as many or fewer', () => {
    const random = new Random(4);
    let left = 0;
    for (let trial = 0; trial < 500; trial++) {
      const sharers = [1, 2, 4, 6, 8][random.integer(5)];
      const groups = 8 + random.integer(9);
      const share = random.uniform();
      const done = Array.from({ length: groups * sharers }, () => random.uniform() < share);
      const kept = rowsThatStay(done, sharers);
      if (kept === undefined) continue;
      left++;
      const { rows, sharers: each } = kept;
      assert.ok(rows.length <= done.length / 2 && rows.length >= 8 && rows.length % each === 0);
      const live = rows.filter((row) => !done[row]);
      assert.deepEqual(
        [...live].sort((a, b) => a - b),
        done.flatMap((is, row) => (is ? [] : [row])),
        'each once',
      );
      for (let at = 0; at < rows.length; at += each)
        assert.equal(
          new Set(rows.slice(at, at + each).map((row) => Math.floor(row / sharers))).size,
          1,
          'of one prompt',
        );
    }
    assert.ok(left > 100, `${left} left rows out`);
  });

  it('are all as long as more than half go on, and never fewer than eight', () => {
    assert.equal(
      rowsThatStay(
        Array.from({ length: 32 }, (_, i) => i % 2 === 0 && i < 28),
        8,
      ),
      undefined,
    );
    assert.equal(rowsThatStay([...Array(7).fill(true), false], 1), undefined);
    assert.equal(rowsThatStay([...Array(63).fill(true), false], 8)?.rows.length, 8);
  });
});

describe('answers that have come to their end', function () {
  this.timeout(120_000);
  const { signal } = new AbortController();
  const random = new Random(3);
  const prompts = Array.from({ length: 8 }, (_, i) =>
    promptOf(Array.from({ length: 1 + 9 * (i % 4) }, () => 3 + random.integer(90))),
  );
  /** Rows of every step, from the state of the cache that it reads. */
  const watched = (actor: Actor & Chooser): number[] => {
    const rows: number[] = [];
    const choose = actor.choose.bind(actor);
    actor.choose = (cache, ...rest) => {
      rows.push(cache.batch);
      return choose(cache, ...rest);
    };
    return rows;
  };

  for (const group of [1, 8])
    it(`leave the batch, and the others go on bit for bit as if they had stayed, ${group} to a prompt`, async () => {
      const device = await Device.open('cpu', { threads: 1 });
      const toy = await toyModel();
      const { base } = toy;
      // A tenth of all tokens ends an answer.
      const config = { ...base.config, eosTokenIds: Array.from({ length: 10 }, (_, i) => 9 * i + 5) };
      const ending = new LanguageModel(base.folder, config, base.tokenizer, base.weights);
      const cola = new ColaModel(toy.folder, ending, toy.config, toy.weights, {});
      const context = await contextOf(device, cola, 1);
      const makers = [
        () => new LatentActor(context, cola, true, 0),
        () => new TokenActor(context, trainedOf(cola.base, undefined), false),
      ];
      const starts = startsOf(numbered(group === 1 ? [...prompts, ...prompts] : prompts), group, 11, 2);
      const settings = { maxNew: 20, temperature: 1.5, topK: 0 };
      for (const make of makers) {
        const [leaving, staying] = [make(), make()];
        Object.defineProperty(staying, 'narrows', { value: false });
        const [rows, all] = [watched(leaving), watched(staying)];
        const answers = await leaving.sample(starts, settings, signal);
        assert.deepEqual(answers, await staying.sample(starts, settings, signal));
        const count = starts.length * group;
        // The first choices of all answers are made where their prompts are read.
        assert.deepEqual([rows.shift(), all.shift()], [starts.length, starts.length]);
        assert.ok(all.every((n) => n === count) && rows[0] === count);
        assert.ok(Math.min(...rows) <= count / 2, `${rows}`);
        const buffers = device.ledger.buffers;
        await leaving.dispose();
        await staying.dispose();
        assert.equal(device.ledger.buffers, buffers);
      }
      context.weights.dispose();
      assert.equal(device.ledger.buffers, 0);
    });
});
