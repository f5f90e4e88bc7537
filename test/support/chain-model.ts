/**
 * A model whose every token says which comes next: its layers add nothing, and the head answers an embedding with the next token
 * of a chain. What it writes is known, so that what becomes of its text can be tested.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TensorToWrite, writeSafetensors } from '../../server/files/safetensors-writer.ts';

interface Tokens {
  added_tokens: { id: number; content: string; special: boolean }[];
  model: { vocab: Record<string, number> };
}

export interface ChainOptions {
  readonly template: string;
  /** What follows what: texts, each a token of its own. The last of each is followed by the end. */
  readonly chains: readonly (readonly string[])[];
  /** Tokens among them that are special. */
  readonly special?: readonly string[];
}

const from = fileURLToPath(new URL('../fixtures/hf/qwen3', import.meta.url));
const end = 317;
const hidden = 32;

/** Writes the model into a new folder. */
export async function writeChainModel(folder: string, { template, chains, special = [] }: ChainOptions): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'])
    cpSync(join(from, name), join(folder, name));
  writeFileSync(join(folder, 'chat_template.jinja'), template);
  const change = <T extends object>(name: string, to: (value: T) => object) => {
    const value = JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
    writeFileSync(join(folder, name), JSON.stringify(to(value)));
  };
  const ids = new Map<string, number>();
  change<Tokens>('tokenizer.json', (tokens) => {
    for (const [text, id] of Object.entries(tokens.model.vocab)) ids.set(text.replace('Ċ', '\n'), id);
    const first = tokens.added_tokens[0]!;
    for (const text of new Set(chains.flat())) {
      if (ids.has(text)) continue;
      const id = 320 + tokens.added_tokens.length - 5;
      ids.set(text, id);
      tokens.added_tokens.push({ ...first, id, content: text, special: special.includes(text) });
    }
    return tokens;
  });
  const vocabulary = 320 + chains.flat().length;
  change('config.json', (config) => ({
    ...config,
    num_hidden_layers: 1,
    layer_types: ['full_attention'],
    max_position_embeddings: 2048,
    tie_word_embeddings: false,
    vocab_size: vocabulary,
  }));
  const embedding = new Float32Array(vocabulary * hidden);
  const head = new Float32Array(vocabulary * hidden);
  // The first place of an embedding is that of tokens that nothing follows.
  for (let id = 0; id < vocabulary; id++) embedding[id * hidden] = 1;
  let place = 0;
  for (const chain of chains)
    for (const [i, text] of chain.entries()) {
      place++;
      if (place >= hidden) throw new Error('the chains are too long');
      const id = ids.get(text)!;
      embedding[id * hidden] = 0;
      embedding[id * hidden + place] = 1;
      head[(i + 1 < chain.length ? ids.get(chain[i + 1]!)! : end) * hidden + place] = 10;
    }
  const tensors: TensorToWrite[] = [];
  const add = (name: string, shape: number[], data: Float32Array) => tensors.push({ name, dtype: 'F32', shape, data });
  const zeros = (name: string, rows: number, columns: number) =>
    add(`model.layers.0.${name}.weight`, [rows, columns], new Float32Array(rows * columns));
  const ones = (name: string, size: number) => add(`model.${name}.weight`, [size], new Float32Array(size).fill(1));
  add('model.embed_tokens.weight', [vocabulary, hidden], embedding);
  add('lm_head.weight', [vocabulary, hidden], head);
  ones('norm', hidden);
  ones('layers.0.input_layernorm', hidden);
  ones('layers.0.post_attention_layernorm', hidden);
  ones('layers.0.self_attn.q_norm', 16);
  ones('layers.0.self_attn.k_norm', 16);
  zeros('self_attn.q_proj', 64, hidden);
  zeros('self_attn.k_proj', 32, hidden);
  zeros('self_attn.v_proj', 32, hidden);
  zeros('self_attn.o_proj', hidden, 64);
  zeros('mlp.gate_proj', 64, hidden);
  zeros('mlp.up_proj', 64, hidden);
  zeros('mlp.down_proj', hidden, 64);
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
}
