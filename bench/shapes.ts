/** Models of known shapes with random weights. */
import { type ModelConfig, parseModelConfig } from '../server/model/config/config.ts';
import { LanguageModel } from '../server/model/language-model.ts';
import { expectedTensors } from '../server/model/weights/weights.ts';
import { Random } from '../server/random.ts';

const common = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  max_position_embeddings: 512,
  attention_bias: false,
  mlp_bias: false,
};

export const shapes = {
  /** 7.2 M: the shape of a model that is trained on a laptop. */
  '7M': {
    ...common,
    vocab_size: 4096,
    hidden_size: 256,
    intermediate_size: 768,
    num_hidden_layers: 6,
    num_attention_heads: 8,
    num_key_value_heads: 8,
    tie_word_embeddings: false,
  },
  /** The shape of SmolLM2-135M. */
  '135M': {
    ...common,
    vocab_size: 49152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
  },
  /** The shape of SmolLM2-360M. */
  '360M': {
    ...common,
    vocab_size: 49152,
    hidden_size: 960,
    intermediate_size: 2560,
    num_hidden_layers: 32,
    num_attention_heads: 15,
    num_key_value_heads: 5,
  },
} as const;

export type ShapeName = keyof typeof shapes;

export function randomModel(name: ShapeName): LanguageModel {
  const config = parseModelConfig(shapes[name], name);
  const random = new Random(1);
  const weights = new Map<string, Float32Array>();
  for (const { name: tensor, shape } of expectedTensors(config)) {
    const size = shape.reduce((n, d) => n * d, 1);
    const values = new Float32Array(size);
    if (/norm/.test(tensor)) values.fill(1);
    else for (let i = 0; i < size; i++) values[i] = 0.04 * (random.uniform() - 0.5);
    weights.set(tensor, values);
  }
  return new LanguageModel('', config, undefined, weights);
}

/** Parameters that take part in a matrix product: all but the norms, and the embedding only where it is also the head. */
function productParameters(config: ModelConfig): number {
  return expectedTensors(config)
    .filter(({ name }) => !/norm/.test(name) && (config.tieWordEmbeddings || name !== 'model.embed_tokens.weight'))
    .reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0);
}

/**
 * Operations of the matrix products that a training step has to do: three for every weight and token, and six of every query
 * with the keys up to its own (arXiv 2204.02311, appendix B, with half of the scores).
 */
export function productOperations(config: ModelConfig, batch: number, length: number): number {
  const { layers, heads, headDim } = config;
  const pairs = (length * (length + 1)) / 2;
  return 6 * productParameters(config) * batch * length + 12 * layers * batch * heads * headDim * pairs;
}

export function allParameters(config: ModelConfig): number {
  return expectedTensors(config).reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0);
}

/** Token ids `[B,T]` that repeat nothing obvious. */
export function tokenIds(config: ModelConfig, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (i * 7919 + 13) % config.vocabSize);
}
