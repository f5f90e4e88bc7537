import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { ColaError } from '../../server/errors.ts';
import { applyGenerationConfig, loadModelConfig, parseModelConfig } from '../../server/model/config/config.ts';
import { type RopeConfig, ropeInverseFrequencies } from '../../server/model/rope.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const HF = join(import.meta.dirname, '../fixtures/hf');
const CASES = ['llama-gqa', 'llama-tied-bf16', 'qwen2', 'qwen3'] as const;
const RUNS = process.env.COLA_SLOW ? 20_000 : 200;

function readJson(...parts: string[]): Record<string, unknown> {
  return JSON.parse(readFileSync(join(HF, ...parts), 'utf8'));
}

const LLAMA = readJson('llama-gqa', 'config.json');
const QWEN2 = readJson('qwen2', 'config.json');
const QWEN3 = readJson('qwen3', 'config.json');
const MISTRAL = { ...LLAMA, model_type: 'mistral', architectures: ['MistralForCausalLM'] };

const parse = (json: unknown) => parseModelConfig(json, 'config.json');

/** The keys of transformers 4 for a given scaling. */
function withScaling(rope_scaling: unknown, more: object = {}): Record<string, unknown> {
  const { rope_parameters: _, ...rest } = LLAMA;
  return { ...rest, rope_theta: 10000, rope_scaling, ...more };
}

describe('model configuration', () => {
  const scratch = scratchFolder();

  for (const name of CASES) {
    it(`reads ${name} alike with the keys of transformers 4 and 5`, () => {
      assert.deepEqual(parse(readJson(name, 'expected.json').config_v4_style), parse(readJson(name, 'config.json')));
    });
  }

  it('has the values of the fixtures', () => {
    assert.deepEqual(parse(LLAMA), {
      family: 'llama',
      vocabSize: 320,
      hiddenSize: 32,
      intermediateSize: 64,
      layers: 3,
      heads: 4,
      kvHeads: 2,
      headDim: 8,
      rmsNormEps: 1e-5,
      tieWordEmbeddings: false,
      attentionBias: false,
      attentionOutputBias: false,
      mlpBias: false,
      qkNorm: false,
      unrotatedLayers: [],
      normOffset: 0,
      outputNorms: false,
      activation: 'silu',
      joined: false,
      embeddingScale: 1,
      queryScale: null,
      scoreCap: null,
      logitCap: null,
      rope: { type: 'default', theta: 10000 },
      sliding: null,
      maxPositionEmbeddings: 128,
      bosTokenId: 314,
      eosTokenIds: [315],
      padTokenId: 319,
      initializerRange: 0.3,
    });
    const qwen2 = parse(QWEN2);
    assert.deepEqual(
      [qwen2.family, qwen2.headDim, qwen2.attentionBias, qwen2.attentionOutputBias, qwen2.bosTokenId, qwen2.rope.theta],
      ['qwen2', 10, true, false, null, 1e6],
    );
    const qwen3 = parse(QWEN3);
    assert.deepEqual([qwen3.family, qwen3.headDim, qwen3.qkNorm, qwen3.tieWordEmbeddings], ['qwen3', 16, true, true]);
  });

  it('puts biases where each family has them', () => {
    const biases = (json: object) => {
      const { attentionBias, attentionOutputBias, mlpBias } = parse(json);
      return [attentionBias, attentionOutputBias, mlpBias];
    };
    assert.deepEqual(biases({ ...LLAMA, attention_bias: true, mlp_bias: true }), [true, true, true]);
    assert.deepEqual(biases({ ...QWEN3, attention_bias: true }), [true, true, false]);
    assert.deepEqual(biases({ ...QWEN2, attention_bias: false }), [true, false, false]);
    assert.deepEqual(biases(MISTRAL), [false, false, false]);
  });

  it('fills in what transformers assumes', () => {
    const bare = { vocab_size: 100, hidden_size: 64, intermediate_size: 8, num_hidden_layers: 1 };
    const llama = parse({ ...bare, num_attention_heads: 4, model_type: 'llama' });
    assert.deepEqual(
      [llama.kvHeads, llama.headDim, llama.rmsNormEps, llama.maxPositionEmbeddings, llama.tieWordEmbeddings],
      [4, 16, 1e-6, 2048, false],
    );
    assert.deepEqual([llama.bosTokenId, llama.eosTokenIds, llama.padTokenId, llama.rope.theta], [1, [2], null, 10000]);
    const mistral = parse({ ...bare, num_attention_heads: 16, model_type: 'mistral', sliding_window: null });
    assert.deepEqual([mistral.kvHeads, mistral.maxPositionEmbeddings], [8, 131072]);
    const qwen3 = parse({ ...bare, num_attention_heads: 32, architectures: ['Qwen3ForCausalLM'] });
    assert.deepEqual([qwen3.kvHeads, qwen3.headDim, qwen3.bosTokenId, qwen3.eosTokenIds], [32, 128, null, []]);
    assert.equal(parse({ ...QWEN3, head_dim: null }).headDim, 8);
    assert.equal(parse({ ...MISTRAL, num_key_value_heads: null }).kvHeads, 4);
  });

  it('takes end-of-sequence tokens from one number, a list, or none, and -1 for none', () => {
    assert.deepEqual(parse({ ...LLAMA, eos_token_id: [5, 6, 5] }).eosTokenIds, [5, 6]);
    assert.deepEqual(parse({ ...LLAMA, eos_token_id: null }).eosTokenIds, []);
    assert.equal(parse({ ...LLAMA, pad_token_id: -1 }).padTokenId, null);
    assert.equal(parse({ ...LLAMA, bos_token_id: null }).bosTokenId, null);
  });

  for (const [what, json, id, says] of [
    ['a missing size', { ...LLAMA, hidden_size: undefined }, 'value', /"hidden_size".*missing/],
    ['a size of zero', { ...LLAMA, num_hidden_layers: 0 }, 'value', /"num_hidden_layers"/],
    ['a negative size', { ...LLAMA, vocab_size: -1 }, 'value', /"vocab_size"/],
    ['a broken size', { ...LLAMA, intermediate_size: 1.5 }, 'value', /"intermediate_size"/],
    ['an absurd size', { ...LLAMA, vocab_size: 1e9 }, 'value', /"vocab_size"/],
    ['a size in words', { ...LLAMA, vocab_size: '320' }, 'value', /"vocab_size"/],
    ['key/value heads that do not divide', { ...LLAMA, num_key_value_heads: 3 }, 'value', /3 does not divide the 4/],
    ['more key/value heads than heads', { ...LLAMA, num_key_value_heads: 8 }, 'value', /8 does not divide/],
    ['a head of odd width', { ...LLAMA, head_dim: 7 }, 'value', /7 is odd/],
    [
      'a width that heads do not divide',
      { ...LLAMA, head_dim: null, hidden_size: 34 },
      'value',
      /34 is not a multiple/,
    ],
    [
      'a pad token outside the vocabulary',
      { ...LLAMA, pad_token_id: 320 },
      'value',
      /"pad_token_id".*320 is not among/,
    ],
    ['an end token outside the vocabulary', { ...LLAMA, eos_token_id: [1, 400] }, 'value', /400/],
    ['an epsilon of zero', { ...LLAMA, rms_norm_eps: 0 }, 'value', /rms_norm_eps/],
    ['a list', [], 'value', /./],
    ['nothing', null, 'value', /./],
    ['no kind', { ...LLAMA, model_type: undefined, architectures: undefined }, 'value', /"model_type".*missing/],
    ['another kind', { ...LLAMA, model_type: 'gpt2' }, 'architecture', /"gpt2"/],
    [
      'a mixture of experts',
      { ...LLAMA, model_type: 'mixtral', architectures: ['MixtralForCausalLM'] },
      'architecture',
      /mixtral/,
    ],
    ['a classifier', { ...LLAMA, architectures: ['LlamaForSequenceClassification'] }, 'architecture', /Classification/],
    ['a contradiction of kinds', { ...LLAMA, architectures: ['Qwen2ForCausalLM'] }, 'architecture', /Qwen2/],
    ['an architecture named like a method', { ...LLAMA, architectures: ['toString'] }, 'architecture', /toString/],
    ['another activation', { ...LLAMA, hidden_act: 'gelu' }, 'feature', /"gelu"/],
    ['softcapping', { ...LLAMA, attn_logit_softcapping: 50 }, 'feature', /softcapping/],
    ['experts', { ...LLAMA, num_local_experts: 8 }, 'feature', /mixture of experts/],
    ['quantised weights', { ...LLAMA, quantization_config: { bits: 4 } }, 'quantised', /4 bits/],
    ...(
      [
        [{ quant_method: 'fp8', weight_block_size: [128, 128] }, /\(fp8;/],
        [{ quant_method: 'compressed-tensors', format: 'pack-quantized' }, /compressed-tensors, pack-quantized/],
        [{ quant_method: 'bitsandbytes', load_in_4bit: true, load_in_8bit: false }, /bitsandbytes, 4 bits/],
        [{ quant_method: 'bitsandbytes', load_in_8bit: true }, /bitsandbytes, 8 bits/],
        [{ quant_method: 'awq', bits: 4 }, /awq, 4 bits/],
        [{ quant_method: 'mxfp4' }, /mxfp4/],
      ] as const
    ).map(
      ([quantization_config, says]) =>
        [
          `weights in ${quantization_config.quant_method}`,
          { ...LLAMA, quantization_config },
          'quantised',
          says,
        ] as const,
    ),
    ...(
      [
        ['Qwen3NextForCausalLM', 'qwen3_next', /Gated DeltaNet/],
        ['Qwen3_5ForConditionalGeneration', 'qwen3_5', /Gated DeltaNet/],
        ['Qwen3_5MoeForCausalLM', 'qwen3_5_moe_text', /Gated DeltaNet/],
        ['GptOssForCausalLM', 'gpt_oss', /mixture of experts/],
      ] as const
    ).map(
      ([architecture, model_type, says]) =>
        [architecture, { ...LLAMA, model_type, architectures: [architecture] }, 'architecture', says] as const,
    ),
    ['other layers', { ...QWEN3, layer_types: ['linear_attention'] }, 'feature', /linear_attention/],
    [
      'a bias that Mistral does not have',
      { ...MISTRAL, sliding_window: null, attention_bias: true },
      'feature',
      /bias/,
    ],
    ['partial RoPE, key 4', { ...LLAMA, partial_rotary_factor: 0.5 }, 'feature', /partial_rotary_factor" 0.5/],
    [
      'partial RoPE, key 5',
      { ...LLAMA, rope_parameters: { rope_theta: 1, partial_rotary_factor: 0.25 } },
      'feature',
      /0.25/,
    ],
    ['longrope without what it was made from', withScaling({ type: 'longrope', factor: 4 }), 'value', /original_max/],
    ['YaRN without its factor', withScaling({ type: 'yarn' }), 'value', /factor/],
    ['dynamic RoPE', withScaling({ rope_type: 'dynamic', factor: 2 }), 'feature', /"dynamic"/],
    [
      'longrope for other heads',
      withScaling({ rope_type: 'longrope', short_factor: [1], original_max_position_embeddings: 64 }),
      'value',
      /1 factors for heads of 8/,
    ],
    ['multimodal RoPE', withScaling({ type: 'default', mrope_section: [1, 2] }), 'feature', /mrope_section/],
    [
      'RoPE per layer type',
      { ...LLAMA, rope_parameters: { full_attention: { rope_theta: 1 } } },
      'feature',
      /full_attention/,
    ],
    ['linear RoPE without factor', withScaling({ type: 'linear' }), 'value', /"rope_scaling.factor".*missing/],
    ['Llama 3 RoPE without all values', withScaling({ rope_type: 'llama3', factor: 8 }), 'value', /low_freq_factor/],
    ['a negative base', { ...LLAMA, rope_parameters: { rope_theta: -1 } }, 'value', /rope_parameters.rope_theta/],
    ['two bases', { ...LLAMA, rope_theta: 500 }, 'value', /500 contradicts the 10000/],
    ['two scalings', { ...LLAMA, rope_scaling: { type: 'linear', factor: 2 } }, 'value', /contradicts/],
    [
      'types of some layers alone',
      { ...QWEN3, use_sliding_window: true, sliding_window: 64, layer_types: ['sliding_attention'] },
      'value',
      /layer_types.*1 of/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parse(json), errorOf(`config.${id}`, says));
    });
  }

  it('reads factors for each frequency as longrope, whatever name they have', () => {
    const factors = { short_factor: [1, 1, 2, 2], original_max_position_embeddings: 64 };
    const [named, early] = ['longrope', 'yarn'].map((type) => parse(withScaling({ type, factor: 2, ...factors })));
    assert.equal(named?.rope.type, 'longrope');
    assert.equal(named.maxPositionEmbeddings, 64);
    assert.deepEqual(early?.rope, named.rope);
  });

  it('says which layers see a window', () => {
    assert.deepEqual(parse({ ...MISTRAL, sliding_window: 64 }).sliding, { window: 64, layers: [0, 1, 2] });
    assert.equal(parse({ ...MISTRAL, max_position_embeddings: 8192 }).sliding?.window, 4096);
    const qwen2 = { ...QWEN2, use_sliding_window: true, sliding_window: 64, layer_types: undefined };
    assert.deepEqual(parse({ ...qwen2, max_window_layers: 1 }).sliding, { window: 64, layers: [1] });
    const layer_types = ['sliding_attention', 'full_attention'];
    assert.deepEqual(parse({ ...QWEN3, use_sliding_window: true, sliding_window: 64, layer_types }).sliding, {
      window: 64,
      layers: [0],
    });
  });

  it('has no window where no sequence can leave it or no layer uses it', () => {
    for (const json of [
      { ...MISTRAL, sliding_window: 128 },
      { ...MISTRAL, sliding_window: null },
      { ...QWEN2, sliding_window: 64, use_sliding_window: false },
      { ...QWEN2, sliding_window: 64, use_sliding_window: true, layer_types: undefined, max_window_layers: 2 },
      { ...LLAMA, sliding_window: 64 },
    ]) {
      assert.equal(parse(json).maxPositionEmbeddings, 128);
    }
  });

  it('lets generation_config.json name the end-of-sequence tokens', async () => {
    writeFileSync(scratch('config.json'), JSON.stringify(LLAMA));
    assert.deepEqual((await loadModelConfig(scratch())).eosTokenIds, [315]);
    writeFileSync(scratch('generation_config.json'), '{"eos_token_id": [1, 7]}');
    assert.deepEqual((await loadModelConfig(scratch())).eosTokenIds, [315, 1, 7]);
    writeFileSync(scratch('config.json'), JSON.stringify({ ...LLAMA, eos_token_id: undefined }));
    assert.deepEqual((await loadModelConfig(scratch())).eosTokenIds, [1, 7]);
    writeFileSync(scratch('config.json'), JSON.stringify(LLAMA));
    writeFileSync(scratch('generation_config.json'), '{"eos_token_id": null}');
    assert.deepEqual((await loadModelConfig(scratch())).eosTokenIds, [315]);
    writeFileSync(scratch('generation_config.json'), '{"eos_token_id": 999}');
    await assert.rejects(loadModelConfig(scratch()), errorOf('config.value', /generation_config/));
    writeFileSync(scratch('generation_config.json'), '{');
    await assert.rejects(loadModelConfig(scratch()), errorOf('config.json', /generation_config/));
  });

  it('says what is wrong with the file itself', async () => {
    await assert.rejects(loadModelConfig(scratch()), errorOf('config.cannotRead', /config\.json/));
    writeFileSync(scratch('config.json'), '{"a": nan}');
    await assert.rejects(loadModelConfig(scratch()), errorOf('config.json', /not valid JSON/));
  });

  it('answers any JSON with a configuration or a catalogued error', () => {
    const keys = [...new Set([LLAMA, QWEN2, QWEN3].flatMap((json) => Object.keys(json))), 'rope_scaling', '__proto__'];
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(0, 1, 2, 3, 1e6, 1e308, -1, true, null, 'silu', 'linear'),
      fc.record({
        rope_type: fc.constantFrom('linear', 'llama3', 'default'),
        factor: fc.integer(),
        rope_theta: fc.double(),
      }),
    );
    const mutated = fc
      .tuple(
        fc.constantFrom(LLAMA, QWEN2, QWEN3, MISTRAL),
        fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 3 }),
      )
      .map(([base, changes]) => ({ ...base, ...changes }));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.jsonValue()), value, (json, generation) => {
        try {
          const config = applyGenerationConfig(parse(json), generation, 'generation_config.json');
          assert.equal(config.heads % config.kvHeads, 0);
          assert.equal(ropeInverseFrequencies(config).length, config.headDim / 2);
        } catch (error) {
          assert.ok(error instanceof ColaError, String(error));
        }
      }),
      { numRuns: RUNS },
    );
  }).timeout(300_000);
});

describe('rotary frequencies', () => {
  const frequencies = (rope: RopeConfig, headDim: number) => ropeInverseFrequencies({ headDim, rope });
  const close = (found: Float32Array, expected: readonly number[]) => {
    assert.equal(found.length, expected.length);
    expected.forEach((value, i) => {
      assert.ok(Math.abs(found[i]! / value - 1) < 1e-6, `[${i}] ${found[i]} instead of ${value}`);
    });
  };
  /** theta^(-2i/D) in double precision, by way of logarithms. */
  const plain = (theta: number, D: number) =>
    Array.from({ length: D / 2 }, (_, i) => Math.exp((-2 * i * Math.log(theta)) / D));

  it('are powers of the base', () => {
    assert.deepEqual([...frequencies({ type: 'default', theta: 10000 }, 8)], [1, 0.1, 0.01, 0.001].map(Math.fround));
    close(frequencies({ type: 'default', theta: 500000 }, 128), plain(500000, 128));
  });

  it('are divided by a linear factor', () => {
    const config = parse(withScaling({ type: 'linear', factor: 4 }));
    assert.deepEqual(config.rope, { type: 'linear', theta: 10000, factor: 4 });
    close(
      ropeInverseFrequencies(config),
      plain(10000, 8).map((f) => f / 4),
    );
  });

  it('follow the three bands of Llama 3', () => {
    const scaling = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
    const json = withScaling(
      { ...scaling, original_max_position_embeddings: 8192 },
      { rope_theta: 500000, head_dim: 128 },
    );
    // Turns within the original context decide: above 4 a frequency stays, below 1 it is divided by 8.
    const bands = [0, 0, 0];
    const expected = plain(500000, 128).map((frequency) => {
      const turns = (8192 * frequency) / (2 * Math.PI);
      if (turns > 4) {
        bands[0]!++;
        return frequency;
      }
      if (turns < 1) {
        bands[2]!++;
        return frequency / 8;
      }
      bands[1]!++;
      const weight = (turns - 1) / 3;
      return frequency * (weight + (1 - weight) / 8);
    });
    assert.deepEqual(bands, [29, 6, 29]);
    close(ropeInverseFrequencies(parse(json)), expected);
    const { rope_theta, rope_scaling, ...rest } = json;
    const five = { ...rest, rope_parameters: { ...(rope_scaling as object), rope_theta } };
    assert.deepEqual(parse(five), parse(json));
  });
});
