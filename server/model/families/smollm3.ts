/** SmolLM3: as Llama, but every fourth layer does not know positions (NoPE, arXiv 2501.18795). */
import { z } from 'zod';
import { configErrors } from '../errors.ts';
import { type Family, plain } from './family.ts';

const layers = z.array(z.union([z.literal(0), z.literal(1), z.boolean()])).max(1024);
const interval = z.number().int().positive();

export const smollm3: Family = {
  type: 'smollm3',
  architecture: 'SmolLM3ForCausalLM',
  defaults: { kvHeads: 4, headDim: null, maxPositions: 32768, bos: 128000, eos: 128001, tied: true, theta: 2e6 },
  reads: ['no_rope_layers', 'no_rope_layer_interval'],
  block(raw, file) {
    const attentionBias = raw.attention_bias === true;
    const all = Array.from({ length: raw.num_hidden_layers }, (_, layer) => layer);
    const traits = { ...plain, attentionBias, attentionOutputBias: attentionBias, mlpBias: raw.mlp_bias === true };
    if (raw.no_rope_layers === undefined || raw.no_rope_layers === null) {
      const every = interval.safeParse(raw.no_rope_layer_interval ?? 4).data;
      if (every === undefined)
        throw configErrors.value(file, 'no_rope_layer_interval', 'it is no whole number above 0');
      return { ...traits, unrotatedLayers: all.filter((layer) => (layer + 1) % every === 0) };
    }
    // A 1 says that the layer does turn.
    const turned = layers.safeParse(raw.no_rope_layers).data;
    if (turned === undefined || turned.length < raw.num_hidden_layers)
      throw configErrors.value(file, 'no_rope_layers', 'it is not a list of 0 and 1, one for each of the layers');
    return { ...traits, unrotatedLayers: all.filter((layer) => Number(turned[layer]) === 0) };
  },
  window: (raw) => (raw.use_sliding_window === true ? (raw.sliding_window ?? null) : null),
};
