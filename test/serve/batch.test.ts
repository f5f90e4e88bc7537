import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Decoder } from '../../server/cola/decoder.ts';
import { generateActions } from '../../server/cola/generate.ts';
import { ColaModel } from '../../server/cola/model.ts';
import type { Device } from '../../server/device/device.ts';
import { generate } from '../../server/model/generate.ts';
import { baseStepper } from '../../server/model/language-model.ts';
import { greedy } from '../../server/model/sampling.ts';
import { Random } from '../../server/random.ts';
import { Batch, type Order } from '../../server/serve/batch.ts';
import { chanceOf, type TokenChance } from '../../server/serve/log-probabilities.ts';
import { ActionVoice, type Chosen, TokenVoice, type Voice } from '../../server/serve/voice.ts';
import { itMainly, onEachDevice } from '../support/devices.ts';

const folder = join(import.meta.dirname, '../fixtures/cola/n8-plain');

/** Prompts of many lengths, one longer than what is read at once. */
const prompts = [
  [5, 7, 9],
  [11],
  Array.from({ length: 50 }, (_, i) => 1 + (i % 60)),
  [3, 4],
  [60, 2, 2, 8],
  [9, 9],
].map((ids) => Int32Array.from(ids));
const lengths = [9, 4, 7, 12, 1, 5];

interface Made {
  readonly order: Order;
  readonly ids: number[][];
  readonly actions: number[][];
  readonly chances: TokenChance[];
  readonly ended: Promise<void>;
}

function order(
  prompt: Int32Array,
  maxTokens: number,
  extra: Partial<Order> & { n?: number; logprobs?: number } = {},
): Made {
  const { n = 1, logprobs, ...rest } = extra;
  const ids: number[][] = Array.from({ length: n }, () => []);
  const actions: number[][] = Array.from({ length: n }, () => []);
  const chances: TokenChance[] = [];
  let made!: Order;
  const ended = new Promise<void>((done, failed) => {
    made = {
      client: 'one',
      prompt,
      maxTokens,
      signal: new AbortController().signal,
      answers: ids.map((own, row) => {
        const answer = {
          sampling: greedy,
          random: new Random(row),
          pinned: [],
          banned: [],
          length: 0,
          ...(logprobs === undefined ? {} : { logprobs }),
          take({ id, action, chance }: Chosen) {
            own.push(id);
            if (action !== undefined) actions[row].push(action);
            if (chance !== undefined) chances.push(chance);
            answer.length++;
            return answer.length < maxTokens;
          },
        };
        return answer;
      }),
      takePrompt: (told) => chances.push(...told),
      done,
      failed,
      ...rest,
    };
  });
  return { order: made, ids, actions, chances, ended };
}

onEachDevice((device: () => Device, name) => {
  describe('a batch', function () {
    this.timeout(240_000);
    let model: ColaModel;
    let vocabulary: number;
    before(async () => {
      model = await ColaModel.load(folder);
      vocabulary = model.base.config.vocabSize;
    });
    // A software driver takes seconds for each shape of program.
    const few = name === 'webgpu';
    const asked = few ? prompts.slice(0, 3) : prompts;
    const batchOf = (voice: Voice, parallel: number) =>
      new Batch(voice, parallel, (logits, start, id, k) => chanceOf(logits, start, vocabulary, id, k), vocabulary, 16);

    itMainly(name, 'answers many as one at a time would, whoever comes and goes meanwhile', async () => {
      const stepper = baseStepper(device(), model.base);
      const decoder = new Decoder(device(), model);
      const expected: { tokens: number[]; byActions: number[]; actions: number[] }[] = [];
      for (const [i, prompt] of asked.entries()) {
        const options = { maxNewTokens: lengths[i] };
        const [own] = await generate(stepper, endless(model), [prompt], options);
        const [acted] = await generateActions(decoder, model, [prompt], { ...options, temperature: 0 });
        expected.push({ tokens: [...own!.ids], byActions: [...acted!.ids], actions: [...acted!.actions] });
      }
      await stepper.dispose();
      await decoder.dispose();
      const voices = [new ActionVoice(device(), model), ...(few ? [] : [new TokenVoice(device(), model.base)])];
      for (const voice of voices) {
        const batch = batchOf(voice, few ? 2 : 4);
        const made = asked.map((prompt, i) => order(prompt, lengths[i]!, { client: `${i % 2}`, n: i === 3 ? 2 : 1 }));
        // Two at first, the others while these are written.
        for (const { order } of made.slice(0, 2)) batch.add(order);
        for (const { order } of made.slice(2)) {
          await batch.step();
          batch.add(order);
        }
        while (await batch.step());
        await Promise.all(made.map(({ ended }) => ended));
        assert.equal(batch.load, 0);
        for (const [i, { ids, actions }] of made.entries()) {
          const { tokens, byActions, actions: codes } = expected[i]!;
          const wanted = voice instanceof TokenVoice ? tokens : byActions;
          for (const own of ids) assert.deepEqual(own.slice(0, wanted.length), wanted, `prompt ${i}`);
          if (voice instanceof ActionVoice) assert.deepEqual(actions[0]!.slice(0, codes.length), codes);
        }
        await batch.close(new Error('closed'));
      }
    });

    itMainly(name, 'lets go of an answer that nobody waits for, and ends what is left when it is closed', async () => {
      const batch = batchOf(new TokenVoice(device(), model.base), 2);
      const [gone, late, stays] = [new AbortController(), new AbortController(), new AbortController()];
      const made = [gone, late, stays].map(({ signal }) => order(prompts[0]!, 30, { signal }));
      const outcomes = made.map(({ ended }) =>
        ended.then(
          () => 'done',
          (error: Error) => error.message,
        ),
      );
      for (const { order } of made) batch.add(order);
      await batch.step();
      await batch.step();
      gone.abort(new Error('gone'));
      late.abort(new Error('late'));
      await batch.step();
      assert.deepEqual(await Promise.all(outcomes.slice(0, 2)), ['gone', 'late']);
      assert.equal(batch.load, 1);
      await batch.close(new Error('closed'));
      assert.equal(await outcomes[2], 'closed');
      assert.equal(batch.load, 0);
    });
  });
});

describe('a batch of tokens', () => {
  it('tells of a prompt what one pass over all of it tells', async () => {
    const { Device } = await import('../../server/device/device.ts');
    const { scoreSequences } = await import('../../server/evaluate/score.ts');
    const device = await Device.open('cpu');
    const model = await ColaModel.load(folder);
    const { vocabSize } = model.base.config;
    const batch = new Batch(
      new TokenVoice(device, model.base),
      2,
      (logits, start, id, k) => chanceOf(logits, start, vocabSize, id, k),
      vocabSize,
      16,
    );
    for (const prompt of prompts) {
      const { order: asked, chances, ended } = order(prompt, 0, { echoLogprobs: 3, answers: [] });
      batch.add(asked);
      while (await batch.step());
      await ended;
      assert.deepEqual(
        chances.map(({ id }) => id),
        [...prompt.subarray(1)],
      );
      for (const { id, logp, top } of chances) {
        assert(top.length === 3 && top[0]![1] >= top[1]![1] && top[1]![1] >= top[2]![1]);
        assert(logp! <= top[0]![1]);
        const listed = top.find(([other]) => other === id);
        if (listed !== undefined) assert.equal(listed[1], logp);
      }
      if (prompt.length === 1) continue;
      const { loss, tokens } = await scoreSequences(device, model.base, [{ ids: prompt }]);
      const sum = chances.reduce((total, { logp }) => total + logp!, 0);
      assert(Math.abs(sum + loss * tokens) < 1e-4, `${sum} and ${-loss * tokens}`);
    }
    await batch.close(new Error('closed'));
    await device.dispose();
  });
});

/** The base without end tokens: what comes behind one is compared too. */
function endless({ base }: ColaModel) {
  return Object.create(base, { endIds: { value: new Set<number>() } }) as typeof base;
}
