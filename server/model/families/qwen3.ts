/** Qwen3, dense: queries and keys are normalised per head. */
import { type Family, plain, refuseMlpBias, switchedWindow } from './family.ts';

export const qwen3: Family = {
  type: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  defaults: { kvHeads: 32, headDim: 128, maxPositions: 32768, bos: null, eos: null, tied: false },
  reads: [],
  block(raw, file) {
    refuseMlpBias(raw, file);
    const attentionBias = raw.attention_bias === true;
    return { ...plain, attentionBias, attentionOutputBias: attentionBias, qkNorm: true };
  },
  sliding: switchedWindow,
};
