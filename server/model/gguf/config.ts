/** The config.json that a GGUF file stands for, from its metadata and the shapes of its tensors. */
import { architectureKind } from '../config/architecture.ts';
import { ggufErrors as errors } from './errors.ts';
import type { Metadata } from './metadata.ts';
import { type RopeFactors, ropeKeys, shortest } from './rope.ts';
import { endsText } from './tokenizer.ts';
import { windowKeys } from './windows.ts';

/** The families by the name they have in GGUF. Mistral is `llama` there. */
const families: Readonly<Record<string, { readonly type: string; readonly architecture: string }>> = {
  llama: { type: 'llama', architecture: 'LlamaForCausalLM' },
  qwen2: { type: 'qwen2', architecture: 'Qwen2ForCausalLM' },
  qwen3: { type: 'qwen3', architecture: 'Qwen3ForCausalLM' },
  smollm3: { type: 'smollm3', architecture: 'SmolLM3ForCausalLM' },
  gemma2: { type: 'gemma2', architecture: 'Gemma2ForCausalLM' },
  gemma3: { type: 'gemma3_text', architecture: 'Gemma3ForCausalLM' },
  phi3: { type: 'phi3', architecture: 'Phi3ForCausalLM' },
};

const CAPS = { scores: 'attn_logit_softcapping', logits: 'final_logit_softcapping' } as const;

/** Keys behind the name of the architecture that change the numbers, and what they are. */
const UNSUPPORTED: readonly (readonly [key: string, what: string])[] = [
  [CAPS.scores, 'softcapping of the attention logits'],
  [CAPS.logits, 'softcapping of the output logits'],
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
  if (!Object.hasOwn(families, architecture))
    throw errors.architecture(file, architecture, architectureKind([architecture]));
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
export function configOf(metadata: Metadata, factors: RopeFactors = {}): Readonly<Record<string, unknown>> {
  const { file } = metadata;
  const architecture = architectureOf(metadata);
  const key = (name: string) => `${architecture}.${name}`;
  const own = traitKeys[architecture];
  refuse(metadata, key, own?.reads ?? []);
  const { heads, kvHeads } = headsOf(metadata, architecture);
  const width = metadata.requiredNumber(key('embedding_length'));
  const headDim = metadata.number(key('attention.key_length')) ?? width / heads;
  if ((metadata.number(key('attention.value_length')) ?? headDim) !== headDim)
    throw errors.feature(file, 'keys and values of different width');
  const layers = metadata.requiredNumber(key('block_count'));
  const shapes = new Map(metadata.header.tensors.map(({ name, shape }) => [name, shape]));
  const picture = metadata.header.tensors.find(({ name }) => /^(v|mm)\./.test(name));
  if (picture !== undefined) throw errors.feature(file, `parts for pictures ("${picture.name}")`);
  const windows = windowKeys(metadata, architecture, layers);
  // What llama.cpp calls llama and slides is Mistral.
  const mistral = architecture === 'llama' && windows.sliding_window !== undefined;
  const family = families[architecture];
  return {
    architectures: [mistral ? 'MistralForCausalLM' : family.architecture],
    model_type: mistral ? 'mistral' : family.type,
    vocab_size: shapes.get('token_embd.weight')?.[0] ?? metadata.texts('tokenizer.ggml.tokens')?.length,
    hidden_size: width,
    intermediate_size: metadata.sameNumber(key('feed_forward_length'), 'widths of the feed-forward'),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    hidden_act: 'silu',
    max_position_embeddings: metadata.requiredNumber(key('context_length')),
    rms_norm_eps: shortest(metadata.requiredNumber(key('attention.layer_norm_rms_epsilon'))),
    ...ropeKeys(metadata, architecture, headDim, factors),
    tie_word_embeddings: !shapes.has('output.weight'),
    ...(mistral ? {} : { attention_bias: shapes.has('blk.0.attn_q.bias') }),
    ...(shapes.has('blk.0.ffn_up.bias') ? { mlp_bias: true } : {}),
    ...windows,
    ...own?.keys(metadata, { headDim, width, heads, layers }),
    ...tokensOf(metadata),
    torch_dtype: 'float32',
  };
}

interface Sizes {
  readonly headDim: number;
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
}

/** What llama.cpp divides the scores of Gemma by, as its square root: a file does not say it. @param large layers of the 27B model */
export const gemmaQueryScale = ({ headDim, width, heads, layers }: Sizes, large: number): number =>
  layers === large ? Math.floor(width / heads) : headDim;

/** Layers of the models of 27B. */
export const gemmaLarge = { gemma2: 46, gemma3: 62 } as const;

/** What a file does not say of a family, or says in keys that no other has. */
const traitKeys: Readonly<
  Record<
    string,
    { readonly reads: readonly string[]; keys(metadata: Metadata, sizes: Sizes): Readonly<Record<string, unknown>> }
  >
> = {
  gemma2: {
    reads: [CAPS.scores, CAPS.logits],
    keys: (metadata, sizes) => ({
      ...gelu,
      query_pre_attn_scalar: gemmaQueryScale(sizes, gemmaLarge.gemma2),
      attn_logit_softcapping: shortest(metadata.number(`gemma2.${CAPS.scores}`) ?? 50),
      final_logit_softcapping: shortest(metadata.number(`gemma2.${CAPS.logits}`) ?? 30),
    }),
  },
  gemma3: {
    reads: [CAPS.logits],
    keys(metadata, sizes) {
      const cap = metadata.number(`gemma3.${CAPS.logits}`);
      return {
        ...gelu,
        query_pre_attn_scalar: gemmaQueryScale(sizes, gemmaLarge.gemma3),
        attn_logit_softcapping: null,
        final_logit_softcapping: cap === undefined ? null : shortest(cap),
      };
    },
  },
};

const gelu = { hidden_act: 'gelu_pytorch_tanh', hidden_activation: 'gelu_pytorch_tanh' } as const;

function refuse(metadata: Metadata, key: (name: string) => string, reads: readonly string[]): void {
  const { file } = metadata;
  if ((metadata.number(key('expert_count')) ?? 0) > 0) throw errors.feature(file, 'a mixture of experts');
  if (metadata.flag(key('attention.causal')) === false) throw errors.feature(file, 'attention to what comes after');
  for (const [name, what] of UNSUPPORTED) {
    if (metadata.has(key(name)) && !reads.includes(name)) throw errors.feature(file, `${what} ("${key(name)}")`);
  }
}

function tokensOf(metadata: Metadata): Readonly<Record<string, unknown>> {
  const id = (name: string) => metadata.number(`tokenizer.ggml.${name}_token_id`);
  const tokens = metadata.texts('tokenizer.ggml.tokens') ?? [];
  const types = metadata.numbers('tokenizer.ggml.token_type') ?? [];
  const ends = [id('eos'), id('eot'), id('eom')].filter((each) => each !== undefined);
  for (const [i, token] of tokens.entries()) if (endsText(token, types[i])) ends.push(i);
  return {
    bos_token_id: id('bos') ?? null,
    eos_token_id: [...new Set(ends)],
    pad_token_id: id('padding') ?? null,
  };
}
