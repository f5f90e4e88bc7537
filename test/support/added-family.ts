/** A family that somebody adds: Seed-OSS, whose queries, keys and values have a bias, and its output another one. */
import { type Family, plain } from '../../server/model/families/family.ts';

export const seedOss: Family = {
  type: 'seed_oss',
  architecture: 'SeedOssForCausalLM',
  defaults: { kvHeads: 8, headDim: 128, maxPositions: 524288, bos: null, eos: null, tied: false },
  reads: [],
  block: (raw) => ({
    ...plain,
    attentionBias: raw.attention_bias !== false,
    attentionOutputBias: raw.attention_out_bias === true,
    mlpBias: raw.mlp_bias === true,
  }),
  sliding: () => null,
};
