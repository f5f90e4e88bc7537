/** Mistral 7B and its like. */
import { configErrors } from '../errors.ts';
import { allSliding, type Family, plain, refuseMlpBias } from './family.ts';

export const mistral: Family = {
  type: 'mistral',
  architecture: 'MistralForCausalLM',
  defaults: { kvHeads: 8, headDim: null, maxPositions: 131072, bos: 1, eos: 2, tied: false },
  reads: [],
  block(raw, file) {
    refuseMlpBias(raw, file);
    if (raw.attention_bias === true) throw configErrors.feature(file, 'a bias in the attention ("attention_bias")');
    return plain;
  },
  sliding: (raw) => allSliding(raw, 4096),
};
