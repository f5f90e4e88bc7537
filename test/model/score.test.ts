import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { Reference } from '../../server/check/reference.ts';
import type { Device } from '../../server/device/device.ts';
import { scoreFile, scoreSequences, windowsOf } from '../../server/evaluate/score.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';
import { itMainly, itOnce, onEachDevice } from '../support/devices.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/hf');

const close = (actual: number, expected: number, tolerance = 1e-5) =>
  assert(
    Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${actual} instead of ${expected}`,
  );

/** -log p of every token but the first given all before it, in float64 from the logits. */
async function nats(device: Device, model: LanguageModel, ids: Int32Array): Promise<number[]> {
  const { config } = model;
  const graph = new Graph();
  const input = graph.input('ids', 'int32', [1, ids.length]);
  const { h } = hiddenStates(graph, config, input, causalContext(graph, config, 1, ids.length));
  const program = await device.compile({ logits: languageHead(graph, config, h) }, { frozen: model.weights });
  const { logits } = await program.run({ ids });
  const values = await logits.readFloats();
  const result = Array.from(ids.subarray(1), (id, t) => {
    const row = values.subarray(t * config.vocabSize, (t + 1) * config.vocabSize);
    return Math.log(row.reduce((n, v) => n + Math.exp(v), 0)) - row[id]!;
  });
  logits.release();
  await program.dispose();
  return result;
}

const sum = (values: readonly number[]) => values.reduce((n, v) => n + v, 0);
const tokens = (length: number, seed: number) => Int32Array.from({ length }, (_, i) => (i * 31 + seed * 17) % 300);

describe('scoring', () => {
  const scratch = scratchFolder();

  it('has windows in which every token but the first is predicted once, with enough before it', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 2, max: 40 }), fc.nat(), (count, length, by) => {
        const stride = 1 + (by % (length - 1));
        const windows = windowsOf(count, length, stride);
        const seen = windows.flatMap(({ end, first }) => Array.from({ length: end - first }, (_, i) => first + i));
        assert.deepEqual(
          seen,
          Array.from({ length: Math.max(0, count - 1) }, (_, i) => i + 1),
        );
        for (const { start, end, first } of windows) {
          assert(start < first && end - start <= length);
          if (start > 0) assert(first - start >= length - stride);
        }
      }),
    );
  });

  onEachDevice((device, name) => {
    for (const folder of ['llama-gqa', 'llama-tied-bf16', 'qwen2', 'qwen3']) {
      // On every device `check` has the loss of a base.
      itMainly(name, `gives the loss of the reference: ${folder}`, async () => {
        const model = await LanguageModel.load(join(FIXTURES, folder));
        using reference = Reference.open(join(FIXTURES, folder));
        const [batch, length] = reference.shape('input_ids') as [number, number];
        const ids = reference.ints('input_ids');
        const rows = Array.from({ length: batch }, (_, b) => ({ ids: ids.subarray(b * length, (b + 1) * length) }));
        const score = await scoreSequences(device(), model, rows);
        close(score.loss, reference.floats('loss')[0]!);
        assert.deepEqual([score.sequences, score.tokens], [batch, batch * (length - 1)]);
        close(score.perplexity, Math.exp(score.loss));
        const bytes = sum(
          rows.flatMap((row) => [...row.ids.subarray(1)].map((id) => model.tokenizer!.tokenBytes(id).length)),
        );
        assert.equal(score.bytes, bytes);
        close(score.bitsPerByte!, (score.loss * score.tokens) / Math.LN2 / bytes);
      });
    }

    itOnce(name, 'over windows is what each window gives on its own', async () => {
      const model = await LanguageModel.load(join(FIXTURES, 'llama-gqa'));
      const ids = tokens(75, 1);
      for (const [length, stride] of [
        [20, undefined],
        [20, 5],
        [33, 32],
        [16, 1],
        [128, undefined],
      ] as const) {
        let expected = 0;
        for (const { start, end, first } of windowsOf(75, length, stride ?? length - 1)) {
          expected += sum((await nats(device(), model, ids.subarray(start, end))).slice(first - start - 1));
        }
        const options = { length, ...(stride === undefined ? {} : { stride }) };
        const score = await scoreSequences(device(), model, [{ ids }], options);
        assert.equal(score.tokens, 74);
        close(score.loss, expected / 74);
      }
    });

    itOnce(name, 'counts only the tokens it should, in batches of unequal rows', async () => {
      const model = await LanguageModel.load(join(FIXTURES, 'qwen3'));
      const lengths = [5, 40, 1, 2, 17, 16, 90, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3];
      const rows = lengths.map((length, i) => ({
        ids: tokens(length, i),
        counts: Uint8Array.from({ length }, (_, t) => (t % 3 === 1 ? 1 : 0)),
      }));
      let expected = 0;
      let count = 0;
      for (const { ids, counts } of rows) {
        if (ids.length < 2) continue;
        for (const [t, value] of (await nats(device(), model, ids)).entries()) {
          expected += counts[t + 1]! * value;
          count += counts[t + 1]!;
        }
      }
      const score = await scoreSequences(device(), model, rows);
      assert.equal(score.tokens, count);
      close(score.loss, expected / count);
    });

    itOnce(name, 'reads text, rows with prompt and response, and conversations', async () => {
      const model = await LanguageModel.load(join(FIXTURES, 'llama-tied-bf16'));
      const tokenizer = model.tokenizer!;
      writeFileSync(scratch('a.txt'), 'Hello there, größe!\n');
      const text = await scoreFile(device(), model, scratch('a.txt'));
      const ids = tokenizer.encode('Hello there, größe!\n');
      close(text.loss, sum(await nats(device(), model, ids)) / (ids.length - 1));
      assert.equal(text.bytes, Buffer.byteLength('Hello there, größe!\n') - tokenizer.tokenBytes(ids[0]!).length);

      writeFileSync(scratch('b.jsonl'), '{"prompt":"2+2=","response":"4."}\n{"prompt":"3+3=","response":"six"}\n');
      const rows = await scoreFile(device(), model, scratch('b.jsonl'));
      let expected = 0;
      let count = 0;
      for (const [prompt, response] of [
        ['2+2=', '4.'],
        ['3+3=', 'six'],
      ] as const) {
        const before = tokenizer.encode(prompt);
        const after = tokenizer.encode(response, { addSpecialTokens: false });
        expected += sum((await nats(device(), model, Int32Array.from([...before, ...after]))).slice(before.length - 1));
        count += after.length;
      }
      assert.deepEqual([rows.sequences, rows.tokens], [2, count]);
      close(rows.loss, expected / count);

      writeFileSync(
        scratch('c.jsonl'),
        '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]}\n',
      );
      await assert.rejects(scoreFile(device(), model, scratch('c.jsonl')), errorOf('chat.noTemplate'));
    });

    itOnce(name, 'is stopped by its signal', async () => {
      const model = await LanguageModel.load(join(FIXTURES, 'llama-gqa'));
      const signal = AbortSignal.abort();
      await assert.rejects(scoreSequences(device(), model, [{ ids: tokens(9, 1) }], { signal }), {
        name: 'AbortError',
      });
    });

    itOnce(name, 'refuses what cannot be scored', async () => {
      const model = await LanguageModel.load(join(FIXTURES, 'llama-gqa'));
      const run = (ids: ArrayLike<number>, options = {}) => scoreSequences(device(), model, [{ ids }], options);
      await assert.rejects(run([1]), errorOf('model.nothingToScore'));
      await assert.rejects(run([]), errorOf('model.nothingToScore'));
      await assert.rejects(run([1, 320]), errorOf('model.idOutOfRange'));
      await assert.rejects(run([1, 2], { length: 1 }), errorOf('model.windowTooLong'));
      await assert.rejects(run([1, 2], { length: 129 }), errorOf('model.windowTooLong', /128/));
      const bare = new LanguageModel(model.folder, model.config, undefined, model.weights);
      await assert.rejects(scoreFile(device(), bare, scratch('a.txt')), errorOf('model.noTokenizer'));
      const scored = await scoreSequences(device(), bare, [{ ids: tokens(9, 1) }]);
      assert.deepEqual([scored.bytes, scored.bitsPerByte], [0, undefined]);
    });
  });
});
