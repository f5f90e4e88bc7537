/** The keys of config.json that are read, before a family says what they mean. */
import { z } from 'zod';

/** The largest extent that is believed; a damaged file must not make us reserve absurd amounts of memory. */
const MAX_EXTENT = 1 << 24;
const extent = z.number().int().positive().max(MAX_EXTENT);
const flag = z.boolean().nullish();
const tokenId = z.number().int().nullish();
export const tokenIds = z.union([z.number().int(), z.array(z.number().int())]).nullish();

export const configSchema = z.looseObject({
  vocab_size: extent,
  hidden_size: extent,
  intermediate_size: extent,
  num_hidden_layers: extent.max(1024),
  num_attention_heads: extent.max(1024),
  num_key_value_heads: extent.max(1024).nullish(),
  head_dim: extent.max(4096).nullish(),
  rms_norm_eps: z.number().positive().max(1).nullish(),
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  hidden_act: z.string().nullish(),
  max_position_embeddings: z.number().int().positive().nullish(),
  sliding_window: z.number().int().positive().nullish(),
  use_sliding_window: flag,
  max_window_layers: z.number().int().nonnegative().nullish(),
  layer_types: z.array(z.string()).nullish(),
  bos_token_id: tokenId,
  eos_token_id: tokenIds,
  pad_token_id: tokenId,
  initializer_range: z.number().positive().nullish(),
});

export type RawConfig = z.infer<typeof configSchema>;
