/** A base model as a GGUF file for llama.cpp and what is built on it. */
import { basename } from 'node:path';
import type { ModelConfig } from '../config/config.ts';
import type { LanguageModel } from '../language-model.ts';
import { weightOf } from '../language-model.ts';
import { ggufErrors as errors } from './errors.ts';
import { GgufFile } from './file.ts';
import { ggufName, pairedHeads, unpairedRow } from './names.ts';
import { quantise } from './quantise.ts';
import { llama3Factors } from './rope.ts';
import { type ReadType, tensorTypeNamed } from './types.ts';
import { tokenizerMetadata } from './write-tokenizer.ts';
import { type TensorToWrite, type Written, writeGgufFile } from './writer.ts';

export const ggufTypes = ['f32', 'f16', 'q8_0', 'q4_0'] as const;
export type GgufType = (typeof ggufTypes)[number];

/** `general.file_type`. */
const fileTypes = { f32: 0, f16: 1, q8_0: 7, q4_0: 2 } as const satisfies Record<GgufType, number>;

export interface WrittenGguf {
  readonly parameters: number;
  readonly bytes: number;
  /** Largest absolute difference between a weight and what is read back. */
  readonly largest: number;
  /** The split of texts that llama.cpp is told; undefined without a tokenizer. */
  readonly split: string | undefined;
  /** Whether llama.cpp has the split of the tokenizer. */
  readonly exact: boolean;
}

/** Elements that are narrowed at once, or a row where that has more. */
const CHUNK = 1 << 20;

/** @throws gguf.notWritten, gguf.tooLarge, store.cannotWrite */
export async function writeGguf(path: string, model: LanguageModel, type: GgufType): Promise<WrittenGguf> {
  const { config, folder } = model;
  const architecture = architectureFor(config, folder);
  const metadata = new Map<string, Written>([
    ['general.architecture', { text: architecture }],
    ['general.type', { text: 'model' }],
    ['general.name', { text: basename(folder) }],
    ['general.file_type', { u32: fileTypes[type] }],
    ['general.quantization_version', { u32: 2 }],
    ...shapeMetadata(config, architecture, folder),
  ]);
  const tokenizer =
    model.tokenizer === undefined ? undefined : tokenizerMetadata(folder, config.vocabSize, model.endIds);
  if (tokenizer === undefined) metadata.set('tokenizer.ggml.model', { text: 'none' });
  for (const [key, value] of tokenizer?.metadata ?? []) metadata.set(key, value);

  const tensors: TensorToWrite[] = model.tensors.map(({ name, shape }) => {
    const there = ggufName(name);
    const heads = pairedHeads(there, architecture, () => config);
    const stored = typeOf(type, name, shape);
    return { name: there, shape, type: stored, pieces: () => piecesOf(model, name, shape, stored, heads) };
  });
  if (config.rope.type === 'llama3') {
    const factors = llama3Factors(config.headDim, config.rope);
    const f32 = tensorTypeNamed('F32');
    tensors.push({
      name: 'rope_freqs.weight',
      shape: [factors.length],
      type: f32,
      pieces: () => [quantise(f32, factors)],
    });
  }
  await writeGgufFile(path, metadata, tensors);
  return { ...compare(path, model), split: tokenizer?.pre, exact: tokenizer?.exact ?? true };
}

/** The name that llama.cpp has for models of this make. */
function architectureFor(config: ModelConfig, folder: string): string {
  const { family } = config;
  const refuse = (what: string): never => {
    throw errors.notWritten(folder, what);
  };
  if (config.sliding !== null) return refuse('layers that see a window');
  if (family === 'llama' || family === 'mistral') return 'llama';
  if (family === 'qwen2') return 'qwen2';
  if (family === 'qwen3') return config.attentionBias ? refuse('a bias in the attention of Qwen3') : 'qwen3';
  if (family !== 'smollm3') return refuse(`the family ${family}`);
  const every4 = Array.from({ length: config.layers }, (_, i) => i).filter((i) => (i + 1) % 4 === 0);
  if (every4.join() !== config.unrotatedLayers.join()) return refuse('other layers without RoPE than every fourth');
  return config.attentionBias || config.mlpBias ? refuse('a bias in SmolLM3') : 'smollm3';
}

function shapeMetadata(config: ModelConfig, architecture: string, folder: string): [string, Written][] {
  const pairs: [string, Written][] = [
    ['context_length', { u32: config.maxPositionEmbeddings }],
    ['embedding_length', { u32: config.hiddenSize }],
    ['block_count', { u32: config.layers }],
    ['feed_forward_length', { u32: config.intermediateSize }],
    ['attention.head_count', { u32: config.heads }],
    ['attention.head_count_kv', { u32: config.kvHeads }],
    ['attention.key_length', { u32: config.headDim }],
    ['attention.value_length', { u32: config.headDim }],
    ['attention.layer_norm_rms_epsilon', { f32: config.rmsNormEps }],
    ['vocab_size', { u32: config.vocabSize }],
    ['rope.dimension_count', { u32: config.headDim }],
    ['rope.freq_base', { f32: config.rope.theta }],
    ...ropeMetadata(config, folder),
  ];
  return pairs.map(([key, value]) => [`${architecture}.${key}`, value]);
}

function ropeMetadata({ rope }: ModelConfig, folder: string): [string, Written][] {
  if (rope.type === 'default' || rope.type === 'llama3') return [];
  if (rope.type === 'longrope') throw errors.notWritten(folder, 'longrope');
  const scaling: [string, Written][] = [
    ['rope.scaling.type', { text: rope.type }],
    ['rope.scaling.factor', { f32: rope.factor }],
  ];
  if (rope.type === 'linear') return scaling;
  // llama.cpp makes this one of the factor itself.
  const usual = rope.factor <= 1 ? 1 : 0.1 * Math.log(rope.factor) + 1;
  if (!rope.truncate || Math.abs(rope.attentionFactor - usual) > 1e-6)
    throw errors.notWritten(folder, 'YaRN with settings of its own');
  return [
    ...scaling,
    ['rope.scaling.original_context_length', { u32: rope.originalMaxPositionEmbeddings }],
    ['rope.scaling.yarn_beta_fast', { f32: rope.betaFast }],
    ['rope.scaling.yarn_beta_slow', { f32: rope.betaSlow }],
  ];
}

/**
 * Vectors stay f32, as llama.cpp asks for. Rows that are no whole blocks are kept in f16, and in 4 bits the embedding and the
 * head in 8: they decide on the words.
 */
function typeOf(type: GgufType, name: string, shape: readonly number[]): ReadType {
  if (shape.length < 2 || type === 'f32') return tensorTypeNamed('F32');
  if (type === 'f16' || shape[shape.length - 1] % 32 !== 0) return tensorTypeNamed('F16');
  const word = name === 'model.embed_tokens.weight' || name === 'lm_head.weight';
  return tensorTypeNamed(type === 'q8_0' || word ? 'Q8_0' : 'Q4_0');
}

/** The largest finite float16. */
const TOP = 65504;

/** @param heads whose rows are put from halves to pairs; 0 for a tensor that stays as it is */
function* piecesOf(
  model: LanguageModel,
  name: string,
  shape: readonly number[],
  type: ReadType,
  heads: number,
): Generator<Uint8Array> {
  const values = weightOf(model.weights, name);
  if (type.name !== 'F32') {
    const at = values.findIndex((x) => Math.abs(x) > TOP);
    if (at >= 0) throw errors.tooLarge(model.folder, name, values[at]);
  }
  const rows = heads > 0 ? shape[0] : shape.length > 1 ? shape.slice(0, -1).reduce((n, extent) => n * extent, 1) : 1;
  const width = values.length / rows;
  const atOnce = Math.max(1, Math.floor(CHUNK / width));
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first);
    let chunk = values.subarray(first * width, (first + count) * width);
    if (heads > 0) {
      chunk = new Float32Array(count * width);
      for (let i = 0; i < count; i++) {
        const from = unpairedRow(first + i, rows / heads) * width;
        chunk.set(values.subarray(from, from + width), i * width);
      }
    }
    yield quantise(type, chunk);
  }
}

function compare(path: string, model: LanguageModel): { parameters: number; bytes: number; largest: number } {
  using file = GgufFile.open(path);
  let [parameters, largest] = [0, 0];
  for (const { name } of model.tensors) {
    const before = weightOf(model.weights, name);
    const after = file.readFloat32(name);
    parameters += before.length;
    for (let i = 0; i < before.length; i++) largest = Math.max(largest, Math.abs(before[i] - after[i]));
  }
  return { parameters, bytes: file.bytes, largest };
}
