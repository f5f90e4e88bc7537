/** SmolLM3: as Llama, but every fourth layer does not know positions (NoPE, arXiv 2501.18795). */
import { z } from 'zod';
import type { RawConfig } from '../config/schema.ts';
import { configErrors } from '../errors.ts';
import { type Family, plain, slidingIn } from './family.ts';

const layers = z.array(z.union([z.literal(0), z.literal(1), z.boolean()])).max(1024);
const interval = z.number().int().positive();

export const smollm3: Family = {
  type: 'smollm3',
  architecture: 'SmolLM3ForCausalLM',
  defaults: { kvHeads: 4, headDim: null, maxPositions: 32768, bos: 128000, eos: 128001, tied: true, theta: 2e6 },
  reads: ['no_rope_layers', 'no_rope_layer_interval'],
  block(raw, file) {
    const attentionBias = raw.attention_bias === true;
    const traits = { ...plain, attentionBias, attentionOutputBias: attentionBias, mlpBias: raw.mlp_bias === true };
    return { ...traits, unrotatedLayers: unrotated(raw, file) };
  },
  // Those that do not turn are the ones that slide.
  sliding(raw) {
    if (raw.use_sliding_window !== true || raw.sliding_window == null) return null;
    const still = unrotated(raw, 'config.json');
    return slidingIn(raw, raw.sliding_window, (layer) => still.includes(layer));
  },
};

/** Layers that do not know positions. @throws config.value */
function unrotated(raw: RawConfig, file: string): number[] {
  const all = Array.from({ length: raw.num_hidden_layers }, (_, layer) => layer);
  if (raw.no_rope_layers === undefined || raw.no_rope_layers === null) {
    const every = interval.safeParse(raw.no_rope_layer_interval ?? 4).data;
    if (every === undefined) throw configErrors.value(file, 'no_rope_layer_interval', 'it is no whole number above 0');
    return all.filter((layer) => (layer + 1) % every === 0);
  }
  // A 1 says that the layer does turn.
  const turned = layers.safeParse(raw.no_rope_layers).data;
  if (turned === undefined || turned.length < raw.num_hidden_layers)
    throw configErrors.value(file, 'no_rope_layers', 'it is not a list of 0 and 1, one for each of the layers');
  return all.filter((layer) => Number(turned[layer]) === 0);
}
