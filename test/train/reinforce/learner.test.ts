import assert from 'node:assert/strict';
import type { Device } from '../../../server/device/device.ts';
import type { Judged } from '../../../server/train/reinforce/episode.ts';
import { LatentActor } from '../../../server/train/reinforce/latent-actor.ts';
import { PolicyLearner } from '../../../server/train/reinforce/learner.ts';
import { numbered, startsOf } from '../../../server/train/reinforce/starts.ts';
import { itMainly, itOnce, onEachDevice } from '../../support/devices.ts';
import { contextOf, promptOf, toyModel, toySettings } from '../../support/toy-world.ts';

const liked = 3;
const prompts = [[5, 7], [9], [11, 4, 20]].map(promptOf);

/** What is left of episodes that came from elsewhere: values, and nothing of who made them. */
function copied(episodes: readonly Judged[]): Judged[] {
  const kept = new Map(prompts.map((prompt) => [prompt, promptOf([...prompt.ids])]));
  return episodes.map(({ prompt, ...rest }) => ({ ...structuredClone(rest), prompt: kept.get(prompt)! }));
}

onEachDevice((device: () => Device, name) => {
  describe('a learner', function () {
    this.timeout(120_000);

    itMainly(name, 'learns the same from episodes that were made elsewhere, and likes what was rewarded', async () => {
      const settings = toySettings({
        max_new: 4,
        learning_rate: 0.03,
        minibatches: 2,
        warmup: 0,
        kl: 0,
        clip_ratio: 9,
      });
      const share = async (policy: LatentActor, seed: number) => {
        const rows = await policy.sample(
          startsOf(numbered(prompts), 16, seed, 0),
          { maxNew: 4, temperature: 1, topK: 0 },
          new AbortController().signal,
        );
        const all = rows.flatMap(({ choices }) => choices);
        return { rows, share: all.filter((choice) => choice === liked).length / all.length };
      };
      const learned = async (made?: Judged[]) => {
        const cola = await toyModel();
        const context = await contextOf(device(), cola, 1);
        const actor = new LatentActor(context, cola, false, 0);
        const learner = await PolicyLearner.create(context, actor, settings);
        const before = await share(actor, 1);
        const judged = before.rows.map((row): Judged => {
          const value = row.choices.filter((choice) => choice === liked).length;
          return { ...row, completion: '', result: { value, parts: {} } };
        });
        for (let i = 0; i < 6; i++) await learner.learn(i, made ?? judged, undefined);
        const after = await share(actor, 2);
        const weights = await context.weights.read('policy.head.weight');
        await learner.dispose();
        await actor.dispose();
        context.weights.dispose();
        return { judged, before: before.share, after: after.share, weights: weights.slice() };
      };
      const own = await learned();
      assert(own.after > own.before + 0.1, `${own.before} before, ${own.after} after`);
      // Where they come from is nothing that a device knows of, and WebGPU adds the gradients of rows in no fixed order.
      if (name === 'cpu') assert.deepEqual((await learned(copied(own.judged))).weights, own.weights);
    });

    const title =
      'measures the divergence by whole groups of 32 answers or more, where it is no part of what is learned';
    itOnce(name, title, async () => {
      const measured = async (kl: number) => {
        const cola = await toyModel();
        const context = await contextOf(device(), cola, 1);
        const actor = new LatentActor(context, cola, false, 0);
        const settings = toySettings({ max_new: 4, learning_rate: 0.03, minibatches: 1, warmup: 0, kl });
        const learner = await PolicyLearner.create(context, actor, settings);
        const sampling = { maxNew: 4, temperature: 1, topK: 0 };
        const judged = async (step: number) => {
          const starts = startsOf(numbered(prompts), 24, 1, step);
          const rows = await actor.sample(starts, sampling, new AbortController().signal);
          return rows.map((row): Judged => {
            const value = row.choices.filter((choice) => choice === liked).length;
            return { ...row, completion: '', result: { value, parts: {} } };
          });
        };
        await learner.learn(0, await judged(0), undefined);
        // The 32nd of three times 24 is in the second group.
        const given = (await judged(1)).filter(({ group }) => kl === 0 || group < 2);
        const { kl: apart } = await learner.learn(1, given, undefined);
        await learner.dispose();
        await actor.dispose();
        context.weights.dispose();
        return Number(apart);
      };
      const some = await measured(0);
      assert(Math.abs(some) > 1e-3, `${some}`);
      assert(Math.abs(some - (await measured(1e-12))) < 1e-5 * Math.max(1, Math.abs(some)));
    });
  });
});
