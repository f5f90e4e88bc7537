import type { ModelConfig } from './config/config.ts';

/** Names and shapes of the weights of one block. */
export function blockWeights(config: ModelConfig, prefix: string): { name: string; shape: number[] }[] {
  const { hiddenSize: d, intermediateSize: f, heads, kvHeads, headDim } = config;
  const weights: { name: string; shape: number[] }[] = [];
  const put = (name: string, ...shape: number[]) => weights.push({ name: `${prefix}.${name}`, shape });
  put('input_layernorm.weight', d);
  put('post_attention_layernorm.weight', d);
  if (config.outputNorms) {
    put('pre_feedforward_layernorm.weight', d);
    put('post_feedforward_layernorm.weight', d);
  }
  if (config.joined) put('self_attn.qkv_proj.weight', (heads + 2 * kvHeads) * headDim, d);
  else {
    put('self_attn.q_proj.weight', heads * headDim, d);
    put('self_attn.k_proj.weight', kvHeads * headDim, d);
    put('self_attn.v_proj.weight', kvHeads * headDim, d);
  }
  put('self_attn.o_proj.weight', d, heads * headDim);
  if (config.attentionBias) {
    put('self_attn.q_proj.bias', heads * headDim);
    put('self_attn.k_proj.bias', kvHeads * headDim);
    put('self_attn.v_proj.bias', kvHeads * headDim);
  }
  if (config.attentionOutputBias) put('self_attn.o_proj.bias', d);
  if (config.qkNorm) {
    put('self_attn.q_norm.weight', headDim);
    put('self_attn.k_norm.weight', headDim);
  }
  if (config.joined) put('mlp.gate_up_proj.weight', 2 * f, d);
  else {
    put('mlp.gate_proj.weight', f, d);
    put('mlp.up_proj.weight', f, d);
  }
  put('mlp.down_proj.weight', d, f);
  if (config.mlpBias) {
    put('mlp.gate_proj.bias', f);
    put('mlp.up_proj.bias', f);
    put('mlp.down_proj.bias', d);
  }
  return weights;
}
