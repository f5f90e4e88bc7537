/** Llama 1 to 3.2, and what is built like it (SmolLM2, TinyLlama). */
import { type Family, plain } from './family.ts';

export const llama: Family = {
  type: 'llama',
  architecture: 'LlamaForCausalLM',
  defaults: { kvHeads: null, headDim: null, maxPositions: 2048, bos: 1, eos: 2, tied: false },
  reads: [],
  block(raw) {
    const attentionBias = raw.attention_bias === true;
    return { ...plain, attentionBias, attentionOutputBias: attentionBias, mlpBias: raw.mlp_bias === true };
  },
  sliding: () => null,
};
