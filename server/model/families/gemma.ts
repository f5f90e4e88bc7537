/**
 * Gemma 2 and the text models of Gemma 3 (arXiv 2408.00118, 2503.19786): norms around attention and feed-forward whose weights count
 * from 1, GELU, scaled embeddings, layers that see a window between those that see all. Gemma 2 keeps scores and logits within
 * bounds; Gemma 3 normalises queries and keys, and its sliding layers turn by angles of their own.
 */
import { z } from 'zod';
import type { RawConfig } from '../config/schema.ts';
import { configErrors } from '../errors.ts';
import { type BlockTraits, type Family, plain, slidingIn } from './family.ts';

const positive = z.number().positive().nullish();
const keys = z.looseObject({
  query_pre_attn_scalar: positive,
  attn_logit_softcapping: positive,
  final_logit_softcapping: positive,
  hidden_activation: z.string().nullish(),
  rope_local_base_freq: positive,
  sliding_window_pattern: z.number().int().positive().max(1024).nullish(),
});

/** GELU in the form with tanh, under the names that it has. Published files of Gemma say `gelu` in a key that nothing reads. */
const geluNames = ['gelu_pytorch_tanh', 'gelu_new'];

function read(raw: RawConfig, file: string): z.infer<typeof keys> {
  const parsed = keys.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw configErrors.value(file, issue.path.join('.'), issue.message);
}

/** @param caps of scores and logits where config.json is silent */
function traits(raw: RawConfig, file: string, caps: { scores: number | null; logits: number | null }): BlockTraits {
  const found = read(raw, file);
  const activation = found.hidden_activation ?? geluNames[0];
  if (!geluNames.includes(activation))
    throw configErrors.feature(file, `the activation function "${activation}" ("hidden_activation")`);
  if (raw.use_bidirectional_attention === true)
    throw configErrors.feature(file, 'attention to what comes after ("use_bidirectional_attention")');
  const attentionBias = raw.attention_bias === true;
  const cap = (value: number | null | undefined, silent: number | null) => (value === undefined ? silent : value);
  return {
    ...plain,
    attentionBias,
    attentionOutputBias: attentionBias,
    normOffset: 1,
    outputNorms: true,
    activation: 'gelu',
    embeddingScale: Math.sqrt(raw.hidden_size),
    queryScale: found.query_pre_attn_scalar ?? 256,
    scoreCap: cap(found.attn_logit_softcapping, caps.scores),
    logitCap: cap(found.final_logit_softcapping, caps.logits),
  };
}

const defaults = { kvHeads: 4, headDim: 256, bos: 2, eos: 1, tied: true } as const;
const reads = [
  ...['hidden_act', 'hidden_activation', 'query_pre_attn_scalar', 'attn_logit_softcapping', 'final_logit_softcapping'],
  ...['rope_local_base_freq', 'sliding_window_pattern'],
];

export const gemma2: Family = {
  type: 'gemma2',
  architecture: 'Gemma2ForCausalLM',
  defaults: { ...defaults, maxPositions: 8192 },
  reads,
  block: (raw, file) => traits(raw, file, { scores: 50, logits: 30 }),
  // Every other layer, the first among them.
  sliding: (raw) =>
    raw.sliding_window === null ? null : slidingIn(raw, raw.sliding_window ?? 4096, (layer) => (layer + 1) % 2 !== 0),
};

export const gemma3: Family = {
  type: 'gemma3_text',
  architecture: 'Gemma3ForCausalLM',
  defaults: { ...defaults, maxPositions: 131072, theta: 1e6 },
  reads,
  block: (raw, file) => ({ ...traits(raw, file, { scores: null, logits: null }), qkNorm: true }),
  sliding(raw) {
    if (raw.sliding_window === null) return null;
    const every = keys.safeParse(raw).data?.sliding_window_pattern ?? 6;
    return slidingIn(raw, raw.sliding_window ?? 4096, (layer) => (layer + 1) % every !== 0);
  },
  // transformers 5 writes a set of parameters for each kind of layer, 4 one and the base of the other.
  ropes(raw, file) {
    const sets = z
      .looseObject({ full_attention: z.unknown(), sliding_attention: z.unknown() })
      .safeParse(raw.rope_parameters).data;
    if (sets?.full_attention !== undefined)
      return [
        { rope_parameters: sets.full_attention, max_position_embeddings: raw.max_position_embeddings },
        { rope_parameters: sets.sliding_attention ?? { rope_type: 'default' } },
      ];
    return [raw, { rope_theta: read(raw, file).rope_local_base_freq ?? 10000 }];
  },
};
