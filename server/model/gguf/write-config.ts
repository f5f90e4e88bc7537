/** What a GGUF file says of a model besides its weights and its tokenizer, as llama.cpp asks for it. */
import type { ModelConfig } from '../config/config.ts';
import { rotaryWidth } from '../rope.ts';
import { gemmaLarge, gemmaQueryScale } from './config.ts';
import { ggufErrors as errors } from './errors.ts';
import { llama3Factors } from './rope.ts';
import { computesWindows, windowMetadata } from './windows.ts';
import type { Written } from './writer.ts';

export interface WrittenShape {
  readonly architecture: string;
  readonly metadata: [string, Written][];
  /** Tensors that hold factors of RoPE, by name. */
  readonly factors: readonly (readonly [name: string, values: Float32Array])[];
  /** The window of layers that see all in llama.cpp, in tokens; null where there is none. */
  readonly unseenWindow: number | null;
}

type Refuse = (what: string) => never;

/** @throws gguf.notWritten for what llama.cpp has no word for */
export function writtenShape(config: ModelConfig, folder: string): WrittenShape {
  const refuse: Refuse = (what) => {
    throw errors.notWritten(folder, what);
  };
  const architecture = architectureFor(config, refuse);
  const positions = longest(config);
  const windows = windowMetadata(config.sliding, architecture, { layers: config.layers, positions });
  if (windows === undefined) return refuse('a window in layers that follow no period');
  const rope = ropeOf(config, architecture, refuse);
  const pairs: [string, Written][] = [
    ['context_length', { u32: positions }],
    ['embedding_length', { u32: config.hiddenSize }],
    ['block_count', { u32: config.layers }],
    ['feed_forward_length', { u32: config.intermediateSize }],
    ['attention.head_count', { u32: config.heads }],
    ['attention.head_count_kv', { u32: config.kvHeads }],
    ['attention.key_length', { u32: config.headDim }],
    ['attention.value_length', { u32: config.headDim }],
    ['attention.layer_norm_rms_epsilon', { f32: config.rmsNormEps }],
    ['vocab_size', { u32: config.vocabSize }],
    ['rope.dimension_count', { u32: rotaryWidth(config) }],
    ['rope.freq_base', { f32: config.rope.theta }],
    ...rope.metadata,
    ...windows,
    ...(config.scoreCap === null ? [] : [['attn_logit_softcapping', { f32: config.scoreCap }] as [string, Written]]),
    ...(config.logitCap === null ? [] : [['final_logit_softcapping', { f32: config.logitCap }] as [string, Written]]),
  ];
  const unseen = config.sliding !== null && !computesWindows(architecture);
  return {
    architecture,
    metadata: pairs.map(([key, value]) => [`${architecture}.${key}`, value]),
    factors: rope.factors,
    unseenWindow: unseen ? config.sliding.window : null,
  };
}

/** In tokens. Longrope has other factors beyond the length that it was made from, which llama.cpp knows how to use. */
const longest = ({ rope, maxPositionEmbeddings }: ModelConfig): number =>
  (rope.type === 'longrope' ? rope.long?.positions : undefined) ?? maxPositionEmbeddings;

/** The name that llama.cpp has for models of this make. */
function architectureFor(config: ModelConfig, refuse: Refuse): string {
  switch (config.family) {
    case 'llama':
    case 'mistral':
      return 'llama';
    case 'qwen2':
      return 'qwen2';
    case 'qwen3':
      return config.attentionBias ? refuse('a bias in the attention of Qwen3') : 'qwen3';
    case 'smollm3': {
      const every4 = Array.from({ length: config.layers }, (_, i) => i).filter((i) => (i + 1) % 4 === 0);
      if (every4.join() !== config.unrotatedLayers.join()) return refuse('other layers without RoPE than every fourth');
      return config.attentionBias || config.mlpBias ? refuse('a bias in SmolLM3') : 'smollm3';
    }
    case 'phi3':
      return config.heads * config.headDim === config.hiddenSize ? 'phi3' : refuse('heads of another width than usual');
    case 'gemma2':
      refuseGemma(config, gemmaLarge.gemma2, refuse);
      if (config.scoreCap === null || config.logitCap === null) return refuse('no caps of scores and logits');
      return config.tieWordEmbeddings ? 'gemma2' : refuse('a head of its own');
    case 'gemma3_text':
      refuseGemma(config, gemmaLarge.gemma3, refuse);
      return config.scoreCap === null && config.logitCap === null ? 'gemma3' : refuse('caps of scores or logits');
    default:
      return refuse(`the family ${config.family}`);
  }
}

/** @param large layers of the 27B model */
function refuseGemma(config: ModelConfig, large: number, refuse: Refuse): void {
  if (config.attentionBias) refuse('a bias in the attention of Gemma');
  const scale = gemmaQueryScale({ ...config, width: config.hiddenSize }, large);
  if (config.queryScale !== scale) refuse(`scores divided by the root of ${config.queryScale} instead of ${scale}`);
}

function ropeOf(
  { rope, sliding, headDim }: ModelConfig,
  architecture: string,
  refuse: Refuse,
): Pick<WrittenShape, 'metadata' | 'factors'> {
  const local: [string, Written][] = [];
  if (sliding?.rope !== undefined) {
    if (sliding.rope.type !== 'default') return refuse('scaled RoPE in the layers that see a window');
    local.push(['rope.freq_base_swa', { f32: sliding.rope.theta }]);
  }
  switch (rope.type) {
    case 'default':
      return { metadata: local, factors: [] };
    case 'llama3':
      return { metadata: local, factors: [['rope_freqs.weight', llama3Factors(headDim, rope)]] };
    case 'longrope': {
      if (architecture !== 'phi3' && architecture !== 'llama') return refuse(`longrope in ${architecture}`);
      const { long, factors } = rope;
      return {
        metadata: [
          ['rope.scaling.type', { text: 'longrope' }],
          ['rope.scaling.original_context_length', { u32: rope.originalMaxPositionEmbeddings }],
          ['rope.scaling.attn_factor', { f32: rope.attentionFactor }],
        ],
        factors: [
          ...(long === undefined ? [] : [['rope_factors_long.weight', Float32Array.from(long.factors)] as const]),
          ['rope_factors_short.weight', Float32Array.from(factors)],
        ],
      };
    }
  }
  const scaling: [string, Written][] = [
    ['rope.scaling.type', { text: rope.type }],
    ['rope.scaling.factor', { f32: rope.factor }],
    ...local,
  ];
  if (rope.type === 'linear') return { metadata: scaling, factors: [] };
  // llama.cpp makes this one of the factor itself.
  const usual = rope.factor <= 1 ? 1 : 0.1 * Math.log(rope.factor) + 1;
  if (!rope.truncate || Math.abs(rope.attentionFactor - usual) > 1e-6) return refuse('YaRN with settings of its own');
  return {
    metadata: [
      ...scaling,
      ['rope.scaling.original_context_length', { u32: rope.originalMaxPositionEmbeddings }],
      ['rope.scaling.yarn_beta_fast', { f32: rope.betaFast }],
      ['rope.scaling.yarn_beta_slow', { f32: rope.betaSlow }],
    ],
    factors: [],
  };
}
