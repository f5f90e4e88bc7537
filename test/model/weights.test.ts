import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { ColaError } from '../../server/errors.ts';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { loadModelConfig, type ModelConfig, parseModelConfig } from '../../server/model/config/config.ts';
import { expectedTensors, openWeights } from '../../server/model/weights/weights.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const MODELS = [
  'hf/llama-gqa',
  'hf/llama-tied-bf16',
  'hf/qwen2',
  'hf/qwen3',
  'cola/n8-plain/base',
  'cola/n8-residual/base',
];
const RUNS = process.env.COLA_SLOW ? 20_000 : 300;

const LLAMA_JSON = JSON.parse(readFileSync(join(FIXTURES, 'hf/llama-gqa/config.json'), 'utf8'));
const LLAMA = parseModelConfig(LLAMA_JSON, 'config.json');

interface Float32Tensor {
  name: string;
  shape: readonly number[];
  dtype: 'F32';
  data: Float32Array;
}

/** Small weights of any configuration, every value its index. */
function tensorsOf(config: ModelConfig): Float32Tensor[] {
  return expectedTensors(config).map(({ name, shape }) => {
    const n = shape.reduce((a, b) => a * b, 1);
    return { name, shape, dtype: 'F32', data: Float32Array.from({ length: n }, (_, i) => i) };
  });
}

describe('weights', () => {
  const scratch = scratchFolder();
  const single = () => scratch('model.safetensors');
  const index = (map: unknown) =>
    writeFileSync(scratch('model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));

  for (const model of MODELS) {
    it(`of ${model} are complete and read as float32`, async () => {
      const folder = join(FIXTURES, model);
      const weights = openWeights(folder, await loadModelConfig(folder));
      const file = SafetensorsFile.open(join(folder, 'model.safetensors'));
      assert.deepEqual(weights.tensors.map(({ name }) => name).sort(), [...file.names].sort());
      for (const { name, shape } of weights.tensors) {
        assert.deepEqual(file.info(name).shape, shape);
        const all = file.readFloat32(name);
        assert.deepEqual(weights.read(name), all);
        const range = { first: Math.floor(all.length / 3), count: Math.floor(all.length / 2) };
        assert.deepEqual(weights.read(name, range), all.slice(range.first, range.first + range.count));
        assert.throws(() => weights.read(name, { first: all.length, count: 1 }), RangeError);
      }
      file.close();
      weights.close();
    });
  }

  it('include the biases and norms that the configuration calls for', () => {
    const biased = parseModelConfig({ ...LLAMA_JSON, attention_bias: true, mlp_bias: true }, 'config.json');
    const plain = new Set(expectedTensors(LLAMA).map(({ name }) => name));
    const added = expectedTensors(biased).filter(({ name }) => !plain.has(name) && name.includes('.1.'));
    assert.deepEqual(
      added.map(({ name, shape }) => [name.replace('model.layers.1.', ''), ...shape]),
      [
        ['self_attn.q_proj.bias', 32],
        ['self_attn.k_proj.bias', 16],
        ['self_attn.v_proj.bias', 16],
        ['self_attn.o_proj.bias', 32],
        ['mlp.gate_proj.bias', 64],
        ['mlp.up_proj.bias', 64],
        ['mlp.down_proj.bias', 32],
      ],
    );
  });

  it('may be spread over shards', async () => {
    const tensors = tensorsOf(LLAMA);
    const half = Math.floor(tensors.length / 2);
    await writeSafetensors(scratch('a.safetensors'), tensors.slice(0, half));
    await writeSafetensors(scratch('b.safetensors'), tensors.slice(half));
    const map = Object.fromEntries(tensors.map(({ name }, i) => [name, i < half ? 'a.safetensors' : 'b.safetensors']));
    index(map);
    const weights = openWeights(scratch(), LLAMA);
    for (const { name, data } of tensors) assert.deepEqual(weights.read(name), data);
    assert.throws(() => weights.read('model.layers.9.mlp.up_proj.weight'), errorOf('weights.unknown', /layers\.9/));
    weights.close();

    const first = tensors[0]!.name;
    index({ ...map, [first]: 'b.safetensors' });
    assert.throws(() => openWeights(scratch(), LLAMA), errorOf('weights.index', /says otherwise/));
    index({ ...map, 'one.more': 'b.safetensors' });
    assert.throws(() => openWeights(scratch(), LLAMA), errorOf('weights.index', /does not hold "one\.more"/));
    index({ ...map, 'one.more': 'c.safetensors' });
    assert.throws(
      () => openWeights(scratch(), LLAMA),
      errorOf('weights.shardMissing', /one is missing: "c\.safetensors"/),
    );
  });

  it('may only be in the files of the folder', () => {
    for (const shard of [
      '../a.safetensors',
      '/a.safetensors',
      'b/a.safetensors',
      '..\\a.safetensors',
      'C:a.safetensors',
      '..',
      '',
      '.a.safetensors',
      'a.bin',
      'a\0.safetensors',
    ]) {
      index({ 'model.norm.weight': shard });
      assert.throws(() => openWeights(scratch(), LLAMA), errorOf('weights.shardName'), shard);
    }
  });

  it('may not be reached by a link out of the folder, except in the cache of huggingface_hub', async () => {
    const cache = (...parts: string[]) => scratch('models--x', ...parts);
    mkdirSync(cache('blobs'), { recursive: true });
    mkdirSync(cache('snapshots', 'abc'), { recursive: true });
    mkdirSync(scratch('elsewhere'));
    await writeSafetensors(cache('blobs', '1234'), tensorsOf(LLAMA));
    symlinkSync('../../blobs/1234', cache('snapshots', 'abc', 'model.safetensors'));
    openWeights(cache('snapshots', 'abc'), LLAMA).close();
    symlinkSync(cache('blobs', '1234'), scratch('elsewhere', 'model.safetensors'));
    assert.throws(() => openWeights(scratch('elsewhere'), LLAMA), errorOf('weights.outside', /elsewhere/));
    symlinkSync(cache('snapshots', 'abc'), scratch('link'));
    openWeights(scratch('link'), LLAMA).close();
  });

  for (const [what, change, id, says] of [
    ['missing', (all) => all.slice(3), 'missing', /embed_tokens.*input_layernorm.*post_attention_layernorm/],
    ['unknown', (all) => [...all, { ...all[0]!, name: 'score.weight' }], 'extra', /score\.weight/],
    [
      'of another layer',
      (all) => [...all, { ...all[1]!, name: 'model.layers.3.input_layernorm.weight' }],
      'extra',
      /layers\.3/,
    ],
    [
      'of another shape',
      (all) => all.map((t) => ({ ...t, shape: [...t.shape].reverse() })),
      'shape',
      /\[32, 320\].*\[320, 32\]/,
    ],
    [
      'of another format',
      (all) =>
        all.map((t): TensorToWrite => ({ name: t.name, shape: t.shape, dtype: 'I32', data: Int32Array.from(t.data) })),
      'dtype',
      /I32/,
    ],
  ] satisfies [string, (all: Float32Tensor[]) => TensorToWrite[], string, RegExp][]) {
    it(`are refused when one is ${what}`, async () => {
      await writeSafetensors(single(), change(tensorsOf(LLAMA)));
      assert.throws(() => openWeights(scratch(), LLAMA), errorOf(`weights.${id}`, says));
    });
  }

  it('that are not finite are refused when they are read', async () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const tensors = tensorsOf(LLAMA);
      tensors[4]!.data[7] = value;
      await writeSafetensors(single(), tensors);
      const weights = openWeights(scratch(), LLAMA);
      assert.ok(weights.read(tensors[3]!.name));
      const named = new RegExp(`"${tensors[4]!.name}".*index 7`);
      assert.throws(() => weights.read(tensors[4]!.name), errorOf('weights.notFinite', named));
      weights.close();
    }
  });

  it('may repeat a tied head, if it is the embedding, and old rotary buffers', async () => {
    const tied = { ...LLAMA, tieWordEmbeddings: true };
    const tensors = tensorsOf(tied);
    const head: Float32Tensor = {
      ...tensors[0]!,
      name: 'lm_head.weight',
      data: tensors[0]!.data.slice(),
    };
    const buffer: TensorToWrite = {
      name: 'model.layers.0.self_attn.rotary_emb.inv_freq',
      dtype: 'F32',
      shape: [4],
      data: new Float32Array(4),
    };
    await writeSafetensors(single(), [...tensors, head, buffer]);
    const weights = openWeights(scratch(), tied);
    assert.throws(() => weights.read('lm_head.weight'), errorOf('weights.unknown'));
    weights.close();
    head.data[9] = 9.5;
    await writeSafetensors(single(), [...tensors, head]);
    assert.throws(() => openWeights(scratch(), tied), errorOf('weights.untied'));
    await writeSafetensors(single(), [...tensors, { ...head, shape: [32, 320] }]);
    assert.throws(() => openWeights(scratch(), tied), errorOf('weights.shape', /lm_head/));
  });

  it('say when there are none', () => {
    assert.throws(() => openWeights(scratch(), LLAMA), errorOf('weights.none'));
    assert.throws(() => openWeights(scratch('absent'), LLAMA), errorOf('weights.none', /absent/));
  });

  it('answer any index with a catalogued error', () => {
    cpSync(join(FIXTURES, 'hf/llama-gqa/model.safetensors'), scratch('a.safetensors'));
    const file = scratch('model.safetensors.index.json');
    const names = expectedTensors(LLAMA).map(({ name }) => name);
    const valid = JSON.stringify({ weight_map: Object.fromEntries(names.map((name) => [name, 'a.safetensors'])) });
    const mutated = fc
      .tuple(fc.nat(valid.length - 1), fc.constantFrom(...'"{}:,./\\0a'))
      .map(([at, letter]) => valid.slice(0, at) + letter + valid.slice(at + 1));
    const map = fc.dictionary(
      fc.constantFrom(...names, '__proto__', ''),
      fc.oneof(
        fc.constantFrom('a.safetensors', '.safetensors', '..', 'con', ' .safetensors'),
        fc.string(),
        fc.jsonValue(),
      ),
      { maxKeys: 4 },
    );
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      map.map((weight_map) => JSON.stringify({ weight_map })),
    );
    fc.assert(
      fc.property(fc.oneof(mutated, anything), (text) => {
        writeFileSync(file, text);
        try {
          openWeights(scratch(), LLAMA).close();
          // Some letters are replaced by themselves; nothing else may pass.
          assert.deepEqual(JSON.parse(text), JSON.parse(valid));
        } catch (error) {
          assert.ok(error instanceof ColaError, String(error));
        }
      }),
      { numRuns: RUNS },
    );
  }).timeout(300_000);
});
