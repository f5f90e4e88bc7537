/** Qwen2 and Qwen2.5: queries, keys and values have a bias. */
import { type Family, plain, refuseMlpBias, switchedWindow } from './family.ts';

export const qwen2: Family = {
  type: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  defaults: { kvHeads: 32, headDim: null, maxPositions: 32768, bos: null, eos: null, tied: false },
  reads: [],
  block(raw, file) {
    refuseMlpBias(raw, file);
    return { ...plain, attentionBias: true };
  },
  sliding: switchedWindow,
};
