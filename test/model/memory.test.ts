import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Device } from '../../server/device/device.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph } from '../../server/graph/tensor.ts';
import type { KeyValueCache } from '../../server/model/cache/key-value-cache.ts';
import { loadModelConfig, type ModelConfig, parseModelConfig } from '../../server/model/config/config.ts';
import { baseStepper, LanguageModel } from '../../server/model/language-model.ts';
import {
  decodeMemory,
  fits,
  freeMemory,
  loadMemory,
  type Memory,
  parameterCount,
  pretrainMemory,
  trainMemory,
} from '../../server/model/memory.ts';

const FOLDER = join(import.meta.dirname, '../fixtures/hf/qwen3');

describe('the memory of a model', () => {
  let config: ModelConfig;
  before(async () => {
    config = await loadModelConfig(FOLDER);
  });

  const addsUp = ({ total, ...parts }: Memory) =>
    assert.equal(
      total,
      Object.values(parts).reduce((n, part) => n + part, 0),
    );

  it('is that of its weights when it is loaded', async () => {
    const { weights } = await LanguageModel.load(FOLDER);
    const bytes = [...weights.values()].reduce((n, { byteLength }) => n + byteLength, 0);
    assert.equal(loadMemory(config).total, bytes);
    assert.equal(parameterCount(config) * 4, bytes);
  });

  it('has keys and values of all sequences when it decodes', () => {
    const memory = decodeMemory(config, 4, 100);
    addsUp(memory);
    const slots = 128;
    assert.equal(memory.cache, 2 * config.layers * 4 * config.kvHeads * slots * config.headDim * 4);
    // As loaded, in the program of single steps, and in those that read 8, 32 and 128 tokens.
    const table = 4 * config.vocabSize * config.hiddenSize;
    const copy = loadMemory(config).total + table;
    assert.equal(memory.weights, copy - table);
    assert.equal(memory.copies, 4 * copy);
    assert.equal(decodeMemory(config, 4, 20).copies, 3 * copy);
    // Prompts of 130 tokens are read in 128 and 32, those of 20 and of 50 in 32, and those of 5 in 8.
    assert.equal(decodeMemory(config, 4, 200, { reads: [130] }).copies, 3 * copy);
    assert.equal(decodeMemory(config, 4, 200, { reads: [130, 20, 50] }).copies, 3 * copy);
    assert.equal(decodeMemory(config, 4, 200, { reads: [50] }).copies, 2 * copy);
    assert.equal(decodeMemory(config, 4, 200, { reads: [130, 5] }).copies, 4 * copy);
    assert.equal(decodeMemory(config, 4, 200, { reads: [] }).copies, copy);
    assert.equal(decodeMemory(config, 8, 100).cache, 2 * memory.cache);
    assert(decodeMemory(config, 8, 100).activations > 1.5 * memory.activations);
  });

  it('counts the copies of weights that a decoder comes to have, however many programs it takes', async () => {
    const model = await LanguageModel.load(FOLDER);
    const bytes = loadMemory(config).total;
    for (const layoutRoom of [1e12, 3.5 * bytes, bytes / 2]) {
      const device = await Device.open('cpu', { threads: 1, layoutRoom });
      const stepper = baseStepper(device, model);
      const step = async (cache: KeyValueCache, count: number) => {
        const ids = Array.from({ length: cache.batch }, () => new Int32Array(count).fill(5));
        for (const buffer of Object.values(await stepper.advance(cache, ids))) buffer.release();
      };
      let most = 0;
      // A part of a copy that the room has beside whole ones is never filled.
      const agrees = ({ weights: loaded, copies }: Memory) => {
        const weights = loaded + copies;
        assert(most <= weights && weights - most < 2 * bytes, `${most} and ${weights} with a room of ${layoutRoom}`);
      };
      const note = () => {
        most = Math.max(most, bytes + device.laidOut.bytes);
      };
      const read = async (cache: KeyValueCache, lengths: readonly number[]) => {
        for (const length of lengths) {
          cache.lengths.fill(0);
          await step(cache, length);
          note();
        }
      };
      const cache = await stepper.cache(2, 100);
      await read(cache, [3, 30, 90, 1]);
      agrees(decodeMemory(config, 2, 100, { room: layoutRoom }));
      cache.dispose();
      await stepper.dispose();
      most = 0;
      const stem = await stepper.cache(1, 40);
      await read(stem, [3, 30, 40]);
      const branched = await stepper.branch(stem, 2, 66);
      for (let t = 0; t < 66; t++) await step(branched, 1);
      note();
      const planned = { branched: { sharers: 2, behind: 65 }, room: layoutRoom };
      agrees(decodeMemory(config, 2, 105, planned));
      branched.dispose();
      await stepper.dispose();
      await device.dispose();
    }
  });

  it('counts what programs of few rows lay out of a base in blocks, and the head of those that read a prompt', async () => {
    for (const precision of ['int8', 'int4'] as const) {
      const model = await LanguageModel.load(FOLDER, { precision });
      const device = await Device.open('cpu', { threads: 1, layoutRoom: 1e12 });
      const stepper = baseStepper(device, model);
      const cache = await stepper.cache(2, 100);
      for (const length of [3, 30, 90, 1]) {
        cache.lengths.fill(0);
        const ids = Array.from({ length: cache.batch }, () => new Int32Array(length).fill(5));
        for (const buffer of Object.values(await stepper.advance(cache, ids))) buffer.release();
      }
      const { copies } = decodeMemory(config, 2, 100, { room: 1e12, precision, reads: [3, 30, 90] });
      assert.equal(copies, device.laidOut.bytes);
      cache.dispose();
      await stepper.dispose();
      await device.dispose();
    }
  });

  it('is of a base whose file is mapped what was measured, within a tenth', () => {
    // Qwen3 8B in int4, random weights, a short prompt: 7.7 GB beside a process of 0.2 GB (docs/figures.md, "The whole way").
    const shape = { hidden_size: 4096, intermediate_size: 12_288, num_hidden_layers: 36, num_attention_heads: 32 };
    const file = JSON.parse(readFileSync(join(FOLDER, 'config.json'), 'utf8'));
    const large = { ...file, ...shape, num_key_value_heads: 8, head_dim: 128, vocab_size: 151_936 };
    const parsed = parseModelConfig({ ...large, layer_types: undefined, tie_word_embeddings: false }, 'config.json');
    const taken = decodeMemory(parsed, 1, 32, { precision: 'int4', reads: [5] }).total + 0.2e9;
    assert(Math.abs(taken / 7.7e9 - 1) < 0.1, `${taken}`);
  });

  it('has gradients, moments and activations when all of it trains', () => {
    const memory = pretrainMemory(config, 4, 32);
    addsUp(memory);
    const weights = loadMemory(config).total;
    assert.deepEqual([memory.weights, memory.gradients, memory.moments], [weights, weights, 2 * weights]);
    // The logits alone are there, and their gradient.
    assert(memory.activations > 4 * 32 * config.vocabSize * 4);
    const twice = pretrainMemory(config, 8, 32).activations / memory.activations;
    assert(twice > 1.7 && twice < 2.1, `${twice}`);
    assert.equal(pretrainMemory(config, 4, 32, 2).gradients, 2 * weights);
  });

  it('is extrapolated to sizes whose graphs would be too large to build', () => {
    for (const [batch, length] of [
      [64, 32],
      [100, 128],
    ] as const) {
      const memory = pretrainMemory(config, batch, length);
      const half = pretrainMemory(config, 32, length);
      const perRow = (half.activations - pretrainMemory(config, 16, length).activations) / 16;
      assert.equal(memory.activations, half.activations + (batch - 32) * perRow);
      addsUp(memory);
    }
    // Scores grow with the square of the length.
    const wide: ModelConfig = { ...config, maxPositionEmbeddings: 1e6 };
    const at = (length: number) => pretrainMemory(wide, 1, length).activations;
    assert(Math.abs(at(65536) / at(32768) - 4) < 0.3);
    assert(decodeMemory(wide, 1e6, 1e5).total > 1e12);
  });

  it('has those of the trained weights only', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [3, 10]);
    const loss = ops.sum(ops.matmul(ops.matmul(x, graph.parameter('a', [10, 20])), graph.parameter('b', [20, 5])));
    const memory = trainMemory(loss, ['b']);
    assert.deepEqual([memory.weights, memory.gradients, memory.moments], [4 * 300, 4 * 100, 8 * 100]);
    assert.throws(() => trainMemory(loss, ['c']), /does not contain c/);
  });

  it('is compared with what is free on the CPU, and not guessed for others', () => {
    const { free } = freeMemory();
    assert(free > 0);
    assert.equal(fits(1, 'cpu').fits, true);
    assert.equal(fits(1e18, 'cpu').fits, false);
    const unknown = fits(1, 'webgpu');
    assert.deepEqual([unknown.fits, unknown.free], [undefined, undefined]);
    assert.match(unknown.source, /does not tell/);
    assert.deepEqual([fits(10, 'cuda', 10).fits, fits(11, 'cuda', 10).fits], [true, false]);
  });
});
