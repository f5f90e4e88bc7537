/** A base model as a GGUF file for llama.cpp and what is built on it. */
import { basename } from 'node:path';
import type { LanguageModel } from '../language-model.ts';
import { weightOf } from '../language-model.ts';
import { ggufErrors as errors } from './errors.ts';
import { GgufFile } from './file.ts';
import { ggufName, offsetOf, pairedHeads, unpairedRow } from './names.ts';
import { quantise } from './quantise.ts';
import { type ReadType, tensorTypeNamed } from './types.ts';
import { writtenShape } from './write-config.ts';
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
  /** The window of layers that see all in llama.cpp, in tokens; null where there is none. */
  readonly unseenWindow: number | null;
}

/** Elements that are narrowed at once, or a row where that has more. */
const CHUNK = 1 << 20;

/** @throws gguf.notWritten, gguf.tooLarge, store.cannotWrite */
export async function writeGguf(path: string, model: LanguageModel, type: GgufType): Promise<WrittenGguf> {
  const { config, folder } = model;
  const { architecture, metadata: shape, factors, unseenWindow } = writtenShape(config, folder);
  const tokenizer =
    model.tokenizer === undefined ? undefined : tokenizerMetadata(folder, config.vocabSize, model.endIds);
  const metadata = new Map<string, Written>([
    ['general.architecture', { text: architecture }],
    ['general.type', { text: 'model' }],
    ['general.name', { text: tokenizer?.name ?? basename(folder) }],
    ['general.file_type', { u32: fileTypes[type] }],
    ['general.quantization_version', { u32: 2 }],
    ...shape,
    ...(tokenizer?.metadata ?? [['tokenizer.ggml.model', { text: 'none' }]]),
  ]);

  const tensors: TensorToWrite[] = model.tensors.map(({ name, shape }) => {
    const there = ggufName(name, architecture);
    const rows = { heads: pairedHeads(there, architecture, () => config), offset: offsetOf(name, architecture) };
    const stored = typeOf(type, name, shape);
    return { name: there, shape, type: stored, pieces: () => piecesOf(model, name, shape, stored, rows) };
  });
  const f32 = tensorTypeNamed('F32');
  for (const [name, values] of factors)
    tensors.push({ name, shape: [values.length], type: f32, pieces: () => [quantise(f32, values)] });
  await writeGgufFile(path, metadata, tensors);
  return { ...compare(path, model), split: tokenizer?.pre, exact: tokenizer?.exact ?? true, unseenWindow };
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

/** @param how heads whose rows are put from halves to pairs, 0 for none; and what is added */
function* piecesOf(
  model: LanguageModel,
  name: string,
  shape: readonly number[],
  type: ReadType,
  { heads, offset }: { readonly heads: number; readonly offset: number },
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
    yield quantise(type, offset === 0 ? chunk : chunk.map((value) => value + offset));
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
