/** How tensors are called in a GGUF file and in a Hugging Face folder, and how the rows of some lie. */

const GLOBAL = [
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
] as const;

const BLOCK = [
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_output', 'self_attn.o_proj'],
  ['attn_q_norm', 'self_attn.q_norm'],
  ['attn_k_norm', 'self_attn.k_norm'],
  ['ffn_gate', 'mlp.gate_proj'],
  ['ffn_up', 'mlp.up_proj'],
  ['ffn_down', 'mlp.down_proj'],
] as const;

/** What stands behind the attention: llama.cpp calls the norm before the feed-forward alike, wherever it is. */
const PLAIN = [['ffn_norm', 'post_attention_layernorm']] as const;
const NORMS_AROUND = [
  ['post_attention_norm', 'post_attention_layernorm'],
  ['ffn_norm', 'pre_feedforward_layernorm'],
  ['post_ffw_norm', 'post_feedforward_layernorm'],
] as const;
const JOINED = [
  ['attn_qkv', 'self_attn.qkv_proj'],
  ['ffn_up', 'mlp.gate_up_proj'],
] as const;

/** Kinds of models whose norms count from 1 in a Hugging Face folder, and are whole in a GGUF file. */
const OFFSET: ReadonlySet<string> = new Set(['gemma2', 'gemma3']);

type Names = readonly (readonly [gguf: string, model: string])[];

function namesOf(architecture: string): Names {
  const block = OFFSET.has(architecture) ? [...BLOCK, ...NORMS_AROUND] : [...BLOCK, ...PLAIN];
  return architecture === 'phi3' ? [...block.filter(([gguf]) => gguf !== 'ffn_up'), ...JOINED] : block;
}

/** The name in a Hugging Face folder; what is not known keeps its own. */
export function modelName(name: string, architecture: string): string {
  const global = GLOBAL.find(([gguf]) => gguf === name);
  if (global !== undefined) return global[1];
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const known = namesOf(architecture).find(([gguf]) => gguf === part);
  return known === undefined ? name : `model.layers.${layer}.${known[1]}.${kind}`;
}

/** The name in a GGUF file. */
export function ggufName(name: string, architecture: string): string {
  const global = GLOBAL.find(([, model]) => model === name);
  if (global !== undefined) return global[0];
  const [, layer, part, kind] = /^model\.layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(name) ?? [];
  const known = namesOf(architecture).find(([, model]) => model === part);
  if (known === undefined) throw new Error(`no name for ${name} in a GGUF file`);
  return `blk.${layer}.${known[0]}.${kind}`;
}

/** What is added to a tensor on its way from a Hugging Face folder to a GGUF file. @param name in either */
export function offsetOf(name: string, architecture: string): 0 | 1 {
  return OFFSET.has(architecture) && /norm\.weight$/.test(name) ? 1 : 0;
}

/** Kinds of models whose queries and keys lie as llama.cpp turns them: neighbours are a pair, not the two halves of a head. */
const PAIRED: ReadonlySet<string> = new Set(['llama', 'smollm3']);

/** Heads whose rows are rearranged, of a tensor of queries or keys; 0 for others. */
export function pairedHeads(
  name: string,
  architecture: string,
  counts: () => { readonly heads: number; readonly kvHeads: number },
): number {
  if (!PAIRED.has(architecture)) return 0;
  const [, part] = /^blk\.\d+\.attn_([qk])\.(?:weight|bias)$/.exec(name) ?? [];
  return part === 'q' ? counts().heads : part === 'k' ? counts().kvHeads : 0;
}

/** The row of a Hugging Face tensor that stands in a GGUF file as `row`. */
export function unpairedRow(row: number, headDim: number): number {
  const within = row % headDim;
  return row - within + (within % 2) * (headDim / 2) + (within >> 1);
}
