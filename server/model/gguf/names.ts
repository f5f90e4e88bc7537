/** How tensors are called in a GGUF file and in a Hugging Face folder, and how the rows of some lie. */

const GLOBAL = [
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
] as const;

const BLOCK = [
  ['attn_norm', 'input_layernorm'],
  ['ffn_norm', 'post_attention_layernorm'],
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

const toModel = new Map<string, string>([...GLOBAL, ...BLOCK]);
const toGguf = new Map<string, string>([...GLOBAL, ...BLOCK].map(([gguf, model]) => [model, gguf]));

/** The name in a Hugging Face folder; what is not known keeps its own. */
export function modelName(name: string): string {
  const global = toModel.get(name);
  if (global !== undefined) return global;
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const known = part === undefined ? undefined : toModel.get(part);
  return known === undefined ? name : `model.layers.${layer}.${known}.${kind}`;
}

/** The name in a GGUF file. */
export function ggufName(name: string): string {
  const global = toGguf.get(name);
  if (global !== undefined) return global;
  const [, layer, part, kind] = /^model\.layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(name) ?? [];
  const known = part === undefined ? undefined : toGguf.get(part);
  if (known === undefined) throw new Error(`no name for ${name} in a GGUF file`);
  return `blk.${layer}.${known}.${kind}`;
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
