/** The config.json that a GGUF file stands for, from its metadata and the shapes of its tensors. */
import { ggufErrors as errors } from './errors.ts';
import type { Metadata } from './metadata.ts';
import { ropeScaling, shortest } from './rope.ts';

/** The families by the name they have in GGUF. Mistral is `llama` there. */
const families: Readonly<Record<string, { readonly type: string; readonly architecture: string }>> = {
  llama: { type: 'llama', architecture: 'LlamaForCausalLM' },
  qwen2: { type: 'qwen2', architecture: 'Qwen2ForCausalLM' },
  qwen3: { type: 'qwen3', architecture: 'Qwen3ForCausalLM' },
  smollm3: { type: 'smollm3', architecture: 'SmolLM3ForCausalLM' },
};

/** Keys behind the name of the architecture that change the numbers, and what they are. */
const UNSUPPORTED: readonly (readonly [key: string, what: string])[] = [
  ['attn_logit_softcapping', 'softcapping of the attention logits'],
  ['final_logit_softcapping', 'softcapping of the output logits'],
  ['logit_scale', 'scaled logits'],
  ['residual_scale', 'scaled residuals'],
  ['embedding_scale', 'scaled embeddings'],
  ['attention.scale', 'its own scale of attention'],
  ['attention.key_length_mla', 'latent attention (MLA)'],
];

/** Refuses what is no whole model of a family that is read, and says its name in GGUF. */
export function architectureOf(metadata: Metadata): string {
  const { file } = metadata;
  const kind = metadata.text('general.type');
  if (kind !== undefined && kind !== 'model') throw errors.notModel(file, kind);
  const parts = metadata.number('split.count') ?? 1;
  if (parts > 1) throw errors.split(file, parts);
  const architecture = metadata.text('general.architecture');
  if (architecture === undefined) throw errors.value(file, 'general.architecture', 'it is missing');
  if (!Object.hasOwn(families, architecture)) throw errors.architecture(file, architecture);
  return architecture;
}

/** Query heads and key/value heads. */
export function headsOf(metadata: Metadata, architecture: string): { heads: number; kvHeads: number } {
  const heads = metadata.sameNumber(`${architecture}.attention.head_count`, 'numbers of heads');
  if (heads === undefined) throw errors.value(metadata.file, `${architecture}.attention.head_count`, 'it is missing');
  const kvHeads = metadata.sameNumber(`${architecture}.attention.head_count_kv`, 'numbers of heads') ?? heads;
  return { heads, kvHeads };
}

/**
 * @param factors of RoPE, where the file has them
 * @throws gguf.*
 */
export function configOf(metadata: Metadata, factors: Float32Array | undefined): Readonly<Record<string, unknown>> {
  const { file } = metadata;
  const architecture = architectureOf(metadata);
  const key = (name: string) => `${architecture}.${name}`;
  refuse(metadata, key);
  const { heads, kvHeads } = headsOf(metadata, architecture);
  const width = metadata.requiredNumber(key('embedding_length'));
  const headDim = metadata.number(key('attention.key_length')) ?? width / heads;
  if ((metadata.number(key('attention.value_length')) ?? headDim) !== headDim)
    throw errors.feature(file, 'keys and values of different width');
  const shapes = new Map(metadata.header.tensors.map(({ name, shape }) => [name, shape]));
  const window = metadata.number(key('attention.sliding_window'));
  const family = families[architecture];
  const sliding = window !== undefined && window > 0;
  // What llama.cpp calls llama and slides is Mistral.
  const mistral = sliding && architecture === 'llama';
  return {
    architectures: [mistral ? 'MistralForCausalLM' : family.architecture],
    model_type: mistral ? 'mistral' : family.type,
    vocab_size: shapes.get('token_embd.weight')?.[0] ?? metadata.texts('tokenizer.ggml.tokens')?.length,
    hidden_size: width,
    intermediate_size: metadata.sameNumber(key('feed_forward_length'), 'widths of the feed-forward'),
    num_hidden_layers: metadata.requiredNumber(key('block_count')),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    hidden_act: 'silu',
    max_position_embeddings: metadata.requiredNumber(key('context_length')),
    rms_norm_eps: shortest(metadata.requiredNumber(key('attention.layer_norm_rms_epsilon'))),
    rope_theta: shortest(metadata.number(key('rope.freq_base')) ?? 10000),
    rope_scaling: ropeScaling(metadata, architecture, headDim, factors) ?? null,
    tie_word_embeddings: !shapes.has('output.weight'),
    ...(mistral ? {} : { attention_bias: shapes.has('blk.0.attn_q.bias') }),
    ...(shapes.has('blk.0.ffn_up.bias') ? { mlp_bias: true } : {}),
    ...(sliding ? { sliding_window: window, use_sliding_window: true, max_window_layers: 0 } : {}),
    ...(architecture === 'llama' && !sliding ? {} : { sliding_window: window ?? null }),
    ...tokensOf(metadata),
    torch_dtype: 'float32',
  };
}

function refuse(metadata: Metadata, key: (name: string) => string): void {
  const { file } = metadata;
  if ((metadata.number(key('expert_count')) ?? 0) > 0) throw errors.feature(file, 'a mixture of experts');
  if (metadata.flag(key('attention.causal')) === false) throw errors.feature(file, 'attention to what comes after');
  for (const [name, what] of UNSUPPORTED) {
    if (metadata.has(key(name))) throw errors.feature(file, `${what} ("${key(name)}")`);
  }
}

/** Texts of tokens at which llama.cpp ends, whatever a file says. */
const ENDS: ReadonlySet<string> = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|eom_id|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<end_of_turn>',
  '</s>',
  '<EOT>',
]);
const CONTROL = 3;

function tokensOf(metadata: Metadata): Readonly<Record<string, unknown>> {
  const id = (name: string) => metadata.number(`tokenizer.ggml.${name}_token_id`);
  const tokens = metadata.texts('tokenizer.ggml.tokens') ?? [];
  const types = metadata.numbers('tokenizer.ggml.token_type') ?? [];
  const ends = [id('eos'), id('eot'), id('eom')].filter((each) => each !== undefined);
  for (const [i, token] of tokens.entries()) if (types[i] === CONTROL && ENDS.has(token)) ends.push(i);
  return {
    bos_token_id: id('bos') ?? null,
    eos_token_id: [...new Set(ends)],
    pad_token_id: id('padding') ?? null,
  };
}
