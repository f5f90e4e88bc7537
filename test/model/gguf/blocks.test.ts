/** Blocks of GGUF files as those of a base in fewer bits. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fitsBlocks, putBlocks } from '../../../server/model/gguf/blocks.ts';
import { dequantise } from '../../../server/model/gguf/dequantise.ts';
import { tensorTypeNamed } from '../../../server/model/gguf/types.ts';
import { writeGguf } from '../../../server/model/gguf/write.ts';
import { LanguageModel } from '../../../server/model/language-model.ts';
import { blocks, widened } from '../../../server/model/weights/quantise.ts';
import { expectedTensors } from '../../../server/model/weights/weights.ts';
import { scratchFolder } from '../../store/scratch.ts';
import { inMemory } from '../../support/stored.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures');

describe('GGUF files', () => {
  const scratch = scratchFolder();

  for (const [type, forms] of [
    ['Q8_0', ['int8']],
    ['Q5_0', ['int8']],
    ['Q4_0', ['int8', 'int4']],
  ] as const) {
    it(`have blocks of ${type} that become those of a base in fewer bits without loss`, () => {
      const { bytes: blockBytes, ...rest } = tensorTypeNamed(type);
      // Not every block goes as far as its scale lets it, and none of the scales is a round number.
      const bytes = Uint8Array.from({ length: 64 * blockBytes }, (_, i) => (((i * 37) ^ (i >> 3)) & 63) | 17);
      const values = new Float32Array(64 * 32);
      dequantise({ bytes: blockBytes, ...rest }, bytes, values);
      for (const form of forms) {
        const { weight, put } = blocks(form, [32, 64]);
        put(values, 0);
        assert.notDeepEqual(widened(weight), values, 'bringing them into blocks anew loses nothing');
        assert.ok(weight.form !== 'f16' && fitsBlocks(type, form));
        putBlocks({ bytes: blockBytes, ...rest }, bytes, weight, 0);
        assert.deepEqual(widened(weight), values);
      }
      for (const form of ['int8', 'int4'] as const)
        assert.equal(fitsBlocks(type, form), (forms as readonly string[]).includes(form));
    });
  }

  for (const type of ['q8_0', 'q4_0'] as const) {
    it(`in ${type} are a base in fewer bits as they are, with rows that llama.cpp turns`, async () => {
      const precision = type === 'q8_0' ? 'int8' : 'int4';
      // Rows of this one are whole blocks.
      const { config, folder } = await LanguageModel.load(join(FIXTURES, 'hf/llama-gqa'));
      const wide = {
        ...config,
        hiddenSize: 64,
        headDim: 16,
        heads: 4,
        kvHeads: 2,
        intermediateSize: 96,
        vocabSize: 40,
      };
      const weights = new Map(
        expectedTensors(wide).map(({ name, shape }, n) => [
          name,
          Float32Array.from(
            { length: shape.reduce((a, b) => a * b, 1) },
            (_, i) => Math.sin(i * 1.7 + n) * (1 + (i % 7)),
          ),
        ]),
      );
      await writeGguf(scratch('m.gguf'), new LanguageModel(folder, wide, undefined, weights), type);
      const exact = await LanguageModel.load(scratch('m.gguf'));
      const { stored } = await LanguageModel.load(scratch('m.gguf'), { precision });
      assert.ok(stored.size > 7);
      for (const [name, weight] of stored) assert.deepEqual(widened(inMemory(weight)), exact.weights.get(name), name);
    });
  }
});
