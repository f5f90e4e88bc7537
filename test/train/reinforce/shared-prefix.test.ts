import assert from 'node:assert/strict';
import type { ColaModel } from '../../../server/cola/model.ts';
import type { Device } from '../../../server/device/device.ts';
import { gradient } from '../../../server/graph/gradient.ts';
import { Random } from '../../../server/random.ts';
import type { Actor } from '../../../server/train/reinforce/actor.ts';
import type { Judged, Prompt } from '../../../server/train/reinforce/episode.ts';
import { LatentActor } from '../../../server/train/reinforce/latent-actor.ts';
import {
  layOut,
  layOutUpdate,
  minibatches,
  type PolicyGradientSettings,
  policyFeeds,
  policyObjective,
  promptsIn,
} from '../../../server/train/reinforce/policy-gradient.ts';
import { numbered, startsOf } from '../../../server/train/reinforce/starts.ts';
import { TokenActor, trainedOf } from '../../../server/train/reinforce/token-actor.ts';
import { answersPerRow, packed, paddedLength } from '../../../server/train/shared-prefix.ts';
import type { StageContext } from '../../../server/train/stage.ts';
import { itMainly, itOnce, onEachDevice } from '../../support/devices.ts';
import { contextOf, promptOf, toyModel } from '../../support/toy-world.ts';

const { signal } = new AbortController();

const settings: Omit<PolicyGradientSettings, 'algorithm'> = {
  temperature: 0.8,
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

const answer = (prompt: Prompt, choices: readonly number[]) => ({ prompt, choices, tokens: choices }) as Judged;

describe('answers put together', () => {
  const [a, b] = [promptOf([1, 2, 3]), promptOf([4])];
  const rows = [answer(a, [5, 6]), answer(b, [7]), answer(a, [8, 9, 10]), undefined, answer(a, [11])];

  it('stand in the row of their prompt, whatever their order', () => {
    const { rows: list, shape } = packed(rows, 4, 512);
    assert.deepEqual(list, [[0, 2, 4], [1], [3]]);
    assert.deepEqual(shape, { rows: 3, length: 8, samples: 5, answer: 4, shared: true });
  });

  it('are as many as pay: all of short ones, one where the answers are long', () => {
    assert.equal(answersPerRow(27, 12, 8, 320), 8);
    assert.equal(answersPerRow(2000, 64, 8, 320), 8);
    assert.equal(answersPerRow(10, 4000, 8, 320), 1);
    const some = answersPerRow(300, 300, 8, 320);
    assert.ok(some >= 1 && some < 8);
  });

  it('leave little padding', () => {
    for (let n = 64; n < 5000; n++) {
      const length = paddedLength(n);
      assert.ok(length >= n && length - n < n / 8 + 1, `${n} became ${length}`);
    }
  });

  it('stay together in minibatches', () => {
    const prompts = Array.from({ length: 8 }, (_, i) => promptOf([i]));
    const samples = prompts.flatMap((prompt) => [answer(prompt, [1]), answer(prompt, [2])]);
    const batch = layOutOf(samples);
    for (const part of minibatches(promptsIn(batch), 4, new Random(1)))
      assert.equal(new Set(part.map((i) => samples[i].prompt)).size, 2);
  });
});

const layOutOf = (samples: readonly Judged[]) =>
  layOut(samples.map((row) => ({ ...row, logp: [0], values: [], result: { value: 1, parts: {} } }) as never));

onEachDevice((device: () => Device, name) => {
  describe('an update that reads a prompt once for its answers', function () {
    this.timeout(240_000);
    let cola: ColaModel;
    let context: StageContext;
    const actors: Actor[] = [];

    before(async () => {
      cola = await toyModel();
      const own = new Random(8);
      for (const name of ['policy.head.weight', 'value.head.weight'])
        cola.weights.set(
          name,
          cola.weight(name).map(() => own.normal()),
        );
      context = await contextOf(device(), cola, 1);
    });
    after(async () => {
      for (const actor of actors) await actor.dispose();
      context.weights.dispose();
    });

    /** Loss and gradients by name of an update over `rows`. */
    async function updateOf(context: StageContext, actor: Actor, rows: readonly Judged[], random: Random) {
      // PPO needs values, which only the latent actor has here.
      const own: PolicyGradientSettings = { ...settings, algorithm: actor.latent ? 'ppo' : 'grpo' };
      const batch = layOut(rows);
      const draw = () => Float64Array.from(batch.mask, (m) => m * random.normal());
      const credit = { advantages: draw(), returns: draw(), logpRef: batch.logpOld };
      const all = rows.map((_, i) => i);
      const layout = layOutUpdate(batch, all, actor);
      const { loss } = policyObjective(device().graph(), actor, layout.shape, own, false);
      const gradients = gradient(
        loss,
        actor.trained.map((name) => loss.graph.parameters.get(name)!),
      );
      const outputs = Object.fromEntries(actor.trained.map((name, i) => [`d.${name}`, gradients[i]]));
      const program = await device().compile({ loss, ...outputs });
      const results = await program.run(policyFeeds(actor, batch, credit, all, layout, false), {
        states: [context.weights.state],
      });
      const values = new Map<string, Float32Array>();
      for (const [name, buffer] of Object.entries(results)) {
        values.set(name, (await buffer.readFloats()).slice());
        buffer.release();
      }
      await program.dispose();
      return { values, shared: layout.shape.shared };
    }

    // Each has other numbers of groups and answers: how they are laid out is nothing that a device knows of.
    for (const seed of name === 'cpu' ? [1, 2, 3] : [1]) {
      itMainly(name, `has the loss and the gradients of one that reads it for each, groups of seed ${seed}`, () =>
        alike(cola, context, seed),
      );
    }

    itOnce(name, 'has them where layers of the base see a window', async () => {
      const near = await toyModel({ sliding: { window: 5, layers: [0] } });
      const own = await contextOf(device(), near, 1);
      await alike(near, own, 4);
      own.weights.dispose();
    });

    async function alike(cola: ColaModel, context: StageContext, seed: number): Promise<void> {
      const random = new Random(seed);
      const groups = 1 + random.integer(3);
      const group = 2 + random.integer(4);
      const prompts = Array.from({ length: groups }, () =>
        promptOf(Array.from({ length: 1 + random.integer(30) }, () => 3 + random.integer(90))),
      );
      const latent = new LatentActor(context, cola, true, 0);
      const tokens = new TokenActor(context, trainedOf(cola.base, undefined), false);
      actors.push(latent, tokens);
      for (const actor of [latent, tokens]) {
        const how = { maxNew: 2 + random.integer(6), temperature: 1.3, topK: 0 };
        const rows = (await actor.sample(startsOf(numbered(prompts), group, seed, 0), how, signal)).map(
          (row): Judged => ({
            ...row,
            completion: '',
            result: random.integer(5) === 0 ? { noScore: 'none' } : { value: 1, parts: {} },
          }),
        );
        // A prompt of its own each: nothing is shared.
        const apart = rows.map((row) => ({ ...row, prompt: { ...row.prompt } }));
        const state = random.state;
        const together = await updateOf(context, actor, rows, random);
        random.restore(state);
        const alone = await updateOf(context, actor, apart, random);
        assert.deepEqual([together.shared, alone.shared], [true, false]);
        let largest = 0;
        for (const [name, expected] of alone.values) {
          const own = together.values.get(name)!;
          const scale = Math.max(1e-3, ...expected.map(Math.abs));
          for (const [i, x] of expected.entries()) largest = Math.max(largest, Math.abs(x - own[i]) / scale);
        }
        assert.ok(largest < 2e-4, `${largest} apart`);
      }
    }
  });
});
