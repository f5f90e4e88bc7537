import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Reference } from '../../server/check/reference.ts';
import type { Device } from '../../server/device/device.ts';
import { generate, rowSeed } from '../../server/model/generate.ts';
import { baseStepper, LanguageModel } from '../../server/model/language-model.ts';
import type { Sampling } from '../../server/model/sampling.ts';
import type { Stepper } from '../../server/model/step.ts';
import { errorOf } from '../store/scratch.ts';
import { itMainly, itOnce, onEachDevice } from '../support/devices.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const MODELS = ['hf/llama-gqa', 'hf/llama-tied-bf16', 'hf/qwen2', 'hf/qwen3'];
const sampled: Sampling = { temperature: 1, topK: 0, topP: 1 };

/** A model that never ends, as the fixtures' greedy tokens were made. */
async function endless(folder: string): Promise<LanguageModel> {
  const { config, tokenizer, weights } = await LanguageModel.load(join(FIXTURES, folder));
  // An id that is hardly ever chosen instead of the tokenizer's end.
  return new LanguageModel(folder, { ...config, eosTokenIds: [config.vocabSize - 1] }, tokenizer, weights);
}

async function withStepper<T>(
  device: Device,
  model: LanguageModel,
  use: (stepper: Stepper) => Promise<T>,
  wanted?: 'token',
): Promise<T> {
  const stepper = baseStepper(device, model, wanted);
  try {
    return await use(stepper);
  } finally {
    await stepper.dispose();
  }
}

const prompt = (length: number, seed: number) => Int32Array.from({ length }, (_, i) => (i * 37 + seed * 11 + 5) % 300);

describe('generation', () => {
  onEachDevice((device, name) => {
    for (const folder of MODELS) {
      // What a family has of its own is in `families`.
      const test = folder === MODELS[0] ? it : itMainly.bind(undefined, name);
      test(`continues as the reference does: ${folder}`, async () => {
        const model = await endless(folder);
        using reference = Reference.open(join(FIXTURES, folder));
        const [batch, count] = reference.shape('greedy') as [number, number];
        const length = reference.shape('input_ids')[1]!;
        const size = reference.json.greedy!.prompt_length!;
        const ids = reference.ints('input_ids');
        const prompts = Array.from({ length: batch }, (_, b) => ids.subarray(b * length, b * length + size));
        const results = await withStepper(device(), model, (stepper) =>
          generate(stepper, model, prompts, { maxNewTokens: count }),
        );
        const expected = reference.ints('greedy');
        for (const [b, result] of results.entries()) {
          assert.deepEqual([...result.ids], [...expected.subarray(b * count, (b + 1) * count)]);
          assert.equal(result.finish, 'length');
          assert.equal(
            result.text,
            model.tokenizer!.decode(result.ids, { skipSpecialTokens: true, continuation: true }),
          );
        }
      });
    }

    itMainly(name, 'gives each row of a ragged batch what it gets alone, greedy or sampled', async () => {
      const model = await endless('hf/qwen3');
      const prompts = [prompt(3, 1), prompt(1, 2), prompt(40, 3), prompt(17, 4)];
      await withStepper(device(), model, async (stepper) => {
        const samplings = [sampled, undefined, { temperature: 0.8, topK: 20, topP: 0.9 }];
        // What is drawn from the logits of a device is drawn in the same way for all.
        for (const sampling of name === 'cpu' ? samplings : samplings.slice(0, 1)) {
          const options = { maxNewTokens: 12, ...(sampling === undefined ? {} : { sampling }) };
          const seeds = prompts.map((_, row) => rowSeed(5, row));
          const together = await generate(stepper, model, prompts, { ...options, seed: 5 });
          for (const [i, one] of prompts.entries()) {
            const [alone] = await generate(stepper, model, [one], { ...options, seed: [seeds[i]!] });
            assert.deepEqual(together[i], alone);
          }
        }
      });
    });

    itOnce(name, 'reads prompts longer than one run, whatever the others are', async () => {
      const { config, tokenizer, weights } = await endless('hf/llama-gqa');
      const model = new LanguageModel('wide', { ...config, maxPositionEmbeddings: 512 }, tokenizer, weights);
      const prompts = [prompt(300, 1), prompt(5, 2), prompt(129, 3), prompt(128, 4)];
      await withStepper(device(), model, async (stepper) => {
        const together = await generate(stepper, model, prompts, { maxNewTokens: 6 });
        for (const [i, one] of prompts.entries()) {
          assert.deepEqual(together[i], (await generate(stepper, model, [one], { maxNewTokens: 6 }))[0]);
        }
      });
    });

    itOnce(name, 'is the same for the same seed and another for another', async () => {
      const model = await endless('hf/llama-gqa');
      await withStepper(device(), model, async (stepper) => {
        const run = (seed: number) =>
          generate(stepper, model, [prompt(5, 1), prompt(5, 1)], { maxNewTokens: 16, sampling: sampled, seed });
        const first = await run(1);
        assert.deepEqual(await run(1), first);
        assert.notDeepEqual(first[0]!.ids, first[1]!.ids);
        assert.notDeepEqual((await run(2))[0]!.ids, first[0]!.ids);
      });
    });

    itMainly(name, 'samples only what top-k and top-p leave', async () => {
      const model = await endless('hf/qwen2');
      await withStepper(device(), model, async (stepper) => {
        const greedy = await generate(stepper, model, [prompt(6, 1)], { maxNewTokens: 10 });
        for (const cut of [
          { topK: 1, topP: 1 },
          { topK: 0, topP: 1e-9 },
        ]) {
          const options = { maxNewTokens: 10, sampling: { temperature: 5, ...cut }, seed: 3 };
          assert.deepEqual(await generate(stepper, model, [prompt(6, 1)], options), greedy);
        }
      });
    });

    itMainly(name, 'writes the same greedily where only the token comes to the host', async () => {
      const model = await endless('hf/qwen2');
      const prompts = [prompt(3, 1), prompt(9, 2), prompt(6, 3)];
      const write = (stepper: Stepper) => generate(stepper, model, prompts, { maxNewTokens: 12 });
      const byLogits = await withStepper(device(), model, write);
      assert.deepEqual(await withStepper(device(), model, write, 'token'), byLogits);
    });

    itOnce(name, 'stops each row at an end token, without it, and the others go on', async () => {
      const base = await endless('hf/llama-gqa');
      await withStepper(device(), base, async (stepper) => {
        const prompts = [prompt(4, 1), prompt(9, 2)];
        const free = await generate(stepper, base, prompts, { maxNewTokens: 12 });
        const end = free[0]!.ids[5]!;
        const model = new LanguageModel(
          'ending',
          { ...base.config, eosTokenIds: [7, end] },
          base.tokenizer,
          base.weights,
        );
        const tokens: [number, number][] = [];
        const results = await generate(stepper, model, prompts, {
          maxNewTokens: 12,
          onToken: (row, id) => tokens.push([row, id]),
        });
        for (const [b, result] of results.entries()) {
          const at = free[b]!.ids.findIndex((id) => id === end || id === 7);
          const expected = at < 0 ? free[b]!.ids : free[b]!.ids.subarray(0, at);
          assert.deepEqual([...result.ids], [...expected]);
          assert.equal(result.finish, at < 0 ? 'length' : 'end');
          const seen = tokens.filter(([row]) => row === b).map(([, id]) => id);
          assert.deepEqual(seen, [...free[b]!.ids.subarray(0, at < 0 ? undefined : at + 1)]);
        }
        assert.equal(results[0]!.finish, 'end');
      });
    });

    itOnce(name, 'stops before a stop text', async () => {
      const model = await endless('hf/llama-gqa');
      await withStepper(device(), model, async (stepper) => {
        const [free] = await generate(stepper, model, [prompt(4, 1)], { maxNewTokens: 20 });
        const stop = free!.text!.slice(6, 9);
        const [result] = await generate(stepper, model, [prompt(4, 1)], { maxNewTokens: 20, stop: ['never', stop] });
        assert.equal(result!.finish, 'stop');
        assert.equal(result!.text, free!.text!.slice(0, free!.text!.indexOf(stop)));
        assert(result!.ids.length < 20);
      });
    });

    itOnce(name, 'is stopped by its signal between tokens', async () => {
      const model = await endless('hf/llama-gqa');
      const controller = new AbortController();
      let tokens = 0;
      const onToken = () => {
        if (++tokens === 3) controller.abort();
      };
      await withStepper(device(), model, (stepper) =>
        assert.rejects(
          generate(stepper, model, [prompt(4, 1)], { maxNewTokens: 20, signal: controller.signal, onToken }),
          { name: 'AbortError' },
        ),
      );
      assert.equal(tokens, 3);
    });

    itOnce(name, 'refuses prompts it cannot read', async () => {
      const model = await endless('hf/llama-gqa');
      const { vocabSize, maxPositionEmbeddings: context } = model.config;
      await withStepper(device(), model, async (stepper) => {
        const run = (ids: ArrayLike<number>, maxNewTokens = 4) =>
          generate(stepper, model, [prompt(2, 1), ids], { maxNewTokens });
        await assert.rejects(run([]), errorOf('model.emptyPrompt'));
        for (const id of [-1, vocabSize, 1.5, Number.NaN])
          await assert.rejects(run([1, id]), errorOf('model.idOutOfRange'));
        await assert.rejects(run(prompt(context, 1)), errorOf('model.tooLong', new RegExp(`${context}`)));
        await assert.rejects(run(prompt(context - 3, 1)), errorOf('model.contextFull'));
        assert.equal((await run(prompt(context - 4, 1)))[1]!.ids.length, 4);
        assert.deepEqual([...(await run([1], 0))[1]!.ids], []);
        assert.deepEqual(await generate(stepper, model, [], { maxNewTokens: 4 }), []);
      });
    });
  });
});
