/**
 * Phi-3, 3.5 and 4 (arXiv 2404.14219): as Llama, with joined projections. Phi-4-mini turns a part of each head alone, and models for
 * long texts have longrope.
 */
import { allSliding, type Family, plain } from './family.ts';

export const phi3: Family = {
  type: 'phi3',
  architecture: 'Phi3ForCausalLM',
  defaults: { kvHeads: null, headDim: null, maxPositions: 4096, bos: 1, eos: 32000, tied: false, eps: 1e-5 },
  reads: ['partial_rotary_factor'],
  block: () => ({ ...plain, joined: true }),
  sliding: (raw) => allSliding(raw, null),
};
