/**
 * The weights of a model folder or a GGUF file: which file holds which tensor, checked as a whole against the configuration before
 * anything is computed. Tensors are read one at a time.
 */
import { existsSync, realpathSync } from 'node:fs';
import { totalmem } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { z } from 'zod';
import { firstNonFinite, firstOver } from '../../files/floats.ts';
import { DTYPE_BYTES, type Dtype, type ElementRange, SafetensorsFile } from '../../files/safetensors.ts';
import { type BlockWeight, blockSize } from '../../graph/stored.ts';
import { firstIssue } from '../../schemas/first-issue.ts';
import { blockWeights } from '../block-weights.ts';
import type { ModelConfig, ModelForm } from '../config/config.ts';
import { weightErrors as errors } from '../errors.ts';
import { refuseFolder } from '../folder.ts';
import { GgufFile, isGguf } from '../gguf/file.ts';
import { INDEX_BYTES, parseModelJson, readModelText } from '../json.ts';
import { type StoredTensor, type TensorFile, underOwnNames } from './tensor-names.ts';

/** A tensor that a model needs. */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';
const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** Tensors of a model; those of the largest are a few ten thousand. */
const MAX_TENSORS = 100_000;

/** No weight of a trained model comes near it; garbage that was read as numbers is soon beyond. */
const ABSURD = 1e6;

/** Buffers that old versions of transformers stored although they follow from the configuration. */
const HARMLESS = /\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * The tensors a model consists of, under their Hugging Face names, with the shapes the configuration gives. Linear
 * weights are `[out, in]`. With tied embeddings there is no `lm_head.weight`.
 */
export function expectedTensors(config: ModelConfig): ExpectedTensor[] {
  const { vocabSize: V, hiddenSize: d } = config;
  const layers = Array.from({ length: config.layers }, (_, i) => blockWeights(config, `model.layers.${i}`));
  return [
    { name: EMBEDDING, shape: [V, d] },
    ...layers.flat(),
    { name: 'model.norm.weight', shape: [d] },
    ...(config.tieWordEmbeddings ? [] : [{ name: HEAD, shape: [V, d] }]),
  ];
}

/** The head of a model that gives scores, as transformers names it. It has no bias. */
export const scoreHead = ({ hiddenSize }: ModelConfig): ExpectedTensor => ({
  name: 'score.weight',
  shape: [1, hiddenSize],
});

/** The open, complete and checked weights of a model. */
export class Weights {
  private readonly names: ReadonlySet<string>;
  /** The tensor that was read last out of a file that has no ranges. */
  private whole: { readonly name: string; readonly values: Float32Array } | undefined;

  /** @param stored where each tensor is, and those that do not matter; their files are closed together with the weights */
  constructor(
    readonly folder: string,
    readonly tensors: readonly ExpectedTensor[],
    private readonly stored: ReadonlyMap<string, StoredTensor>,
  ) {
    this.names = new Set(tensors.map(({ name }) => name));
  }

  /**
   * Reads one tensor as float32.
   *
   * @param range a part of its elements; all, if not given
   * @returns the elements in row-major order; the shape is that of {@link expectedTensors}
   * @throws ColaError weights.notFinite for NaN and infinity, weights.tooLarge for what is no weight, weights.unknown,
   *   safetensors.*
   */
  read(name: string, range?: ElementRange): Float32Array {
    const { file, name: storedName } = this.find(name);
    const values = this.floats(file, storedName, range);
    const first = range?.first ?? 0;
    refuseAbsurd(file.path, name, values, first);
    return values;
  }

  /**
   * Fills a weight in blocks with those that it has in a GGUF file, number for number.
   *
   * @returns false where they are others, and nothing is filled
   * @throws ColaError gguf.*, weights.notFinite, weights.tooLarge
   */
  fillBlocks(name: string, weight: BlockWeight): boolean {
    const { file, name: storedName } = this.find(name);
    if (!(file instanceof GgufFile) || !file.fillBlocks(storedName, weight)) return false;
    const bad = firstNonFinite(weight.scales);
    if (bad >= 0) throw errors.notFinite(file.path, name, bad * blockSize);
    refuseAbsurd(file.path, name, weight.scales);
    return true;
  }

  private floats(file: TensorFile, name: string, range: ElementRange | undefined): Float32Array {
    if (file instanceof SafetensorsFile) return file.readFloat32(name, range);
    if (range === undefined) return file.readFloat32(name);
    // The next range is probably of the same one.
    if (this.whole?.name !== name) this.whole = { name, values: file.readFloat32(name) };
    return this.whole.values.subarray(range.first, range.first + range.count);
  }

  close(): void {
    this.whole = undefined;
    for (const { file } of this.stored.values()) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private find(name: string): StoredTensor {
    const tensor = this.stored.get(name);
    if (tensor === undefined || !this.names.has(name)) throw errors.unknown(this.folder, name);
    return tensor;
  }
}

/**
 * Opens the weights of a model folder, one file or sharded, or of a GGUF file, and checks that they are the tensors the configuration
 * calls for: none missing, none unknown, all of the right shape and of a floating-point format.
 *
 * @throws ColaError weights.*, safetensors.*, gguf.*
 */
export function openWeights(folder: string, config: ModelConfig, form: ModelForm = 'language'): Weights {
  const opened: TensorFile[] = [];
  const open = <T extends TensorFile>(file: T): T => {
    opened.push(file);
    return file;
  };
  try {
    const found = underOwnNames(
      isGguf(folder)
        ? tensorsIn(open(GgufFile.open(folder)))
        : findTensors(folder, (path) => open(SafetensorsFile.open(insideFolder(folder, path)))),
    );
    const expected = form === 'scores' ? [...expectedTensors(config), scoreHead(config)] : expectedTensors(config);
    checkTensors(folder, expected, found, config);
    refuseMoreThanMemory(folder, found);
    return new Weights(folder, expected, found);
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/**
 * The files that the weights of a model are read from: a GGUF file, one file of a folder, or the shards that its index names, by name.
 * Whether they are there and whole, {@link openWeights} says.
 *
 * @throws ColaError weights.*
 */
export function weightFiles(folder: string): string[] {
  if (isGguf(folder)) return [folder];
  const single = join(folder, SINGLE);
  if (existsSync(single)) return [single];
  const shardOf = readIndex(join(folder, INDEX));
  if (shardOf === undefined) throw errors.none(folder);
  return [...new Set(shardOf.values())].sort().map((shard) => join(folder, shard));
}

function tensorsIn(file: TensorFile): Map<string, TensorFile> {
  return new Map(file.names.map((name) => [name, file]));
}

/** A file may be as long as it likes without a byte of it on the disk; to load it would take the memory all the same. */
function refuseMoreThanMemory(folder: string, found: ReadonlyMap<string, StoredTensor>): void {
  let bytes = 0;
  for (const { file, name } of found.values()) {
    const { shape, dtype } = file.info(name);
    // A byte, at the least, of formats that are made into another.
    bytes += shape.reduce((product, extent) => product * extent, DTYPE_BYTES[dtype as Dtype] ?? 1);
  }
  const limit = process.constrainedMemory();
  // Without a limit the number is 0, or larger than any machine.
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  if (bytes > memory) throw errors.memory(folder, bytes, memory);
}

/** Every tensor of the folder with the file it is in, under the name it has there. */
function findTensors(folder: string, open: (path: string) => TensorFile): Map<string, TensorFile> {
  const found = new Map<string, TensorFile>();
  const single = join(folder, SINGLE);
  if (existsSync(single)) {
    return tensorsIn(open(single));
  }

  const index = join(folder, INDEX);
  const shardOf = readIndex(index);
  if (shardOf === undefined) {
    refuseFolder(folder);
    throw errors.none(folder);
  }
  const shards = [...new Set(shardOf.values())];
  const absent = shards.filter((shard) => !existsSync(join(folder, shard)));
  if (absent.length > 0) {
    if (absent.length === shards.length) refuseFolder(folder);
    throw errors.shardMissing(index, absent, shards.length);
  }
  for (const shard of shards) {
    const file = open(join(folder, shard));
    for (const name of file.names) {
      if (shardOf.get(name) !== shard)
        throw errors.index(index, `${shard} holds "${name}", but the index says otherwise`);
      found.set(name, file);
    }
  }
  for (const [name, shard] of shardOf) {
    if (!found.has(name)) throw errors.index(index, `${shard} does not hold "${name}"`);
  }
  return found;
}

/** @returns undefined where there is no index */
function readIndex(index: string): Map<string, string> | undefined {
  const text = readModelText(index, INDEX_BYTES);
  if (text === undefined) return undefined;
  const json = parseModelJson(text, index);
  const { weight_map: map } = (json ?? {}) as { weight_map?: unknown };
  // Too many are not walked through.
  const named = typeof map === 'object' && map !== null ? Object.keys(map).length : 0;
  if (named > MAX_TENSORS) throw errors.index(index, `it names ${named} tensors`);
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw errors.index(index, `"${path}": ${detail}`);
  }
  const shardOf = new Map(Object.entries(parsed.data.weight_map));
  for (const shard of shardOf.values()) if (!isPlainName(shard)) throw errors.shardName(index, shard);
  return shardOf;
}

/** @throws ColaError weights.notFinite, weights.tooLarge */
export function refuseAbsurd(path: string, name: string, values: Float32Array, first = 0): void {
  if (firstOver(values, ABSURD) < 0) return;
  const bad = firstNonFinite(values);
  if (bad >= 0) throw errors.notFinite(path, name, first + bad);
  const at = firstOver(values, ABSURD);
  throw errors.tooLarge(path, name, values[at], first + at);
}

/** Neither a path nor anything a file system could take for one; `:` is a drive or a stream on Windows. */
function isPlainName(name: string): boolean {
  return /^[^/\\:\0]+\.safetensors$/.test(name) && !name.startsWith('.');
}

/**
 * Follows links, but not out of the model folder. The cache of huggingface_hub is let in: its folders
 * `snapshots/<revision>` consist of links to `blobs` beside `snapshots`.
 */
function insideFolder(folder: string, path: string): string {
  let target: string;
  try {
    target = realpathSync(path);
  } catch {
    // A link that leads to nothing, or to itself.
    throw errors.outside(path);
  }
  const home = realpathSync(folder);
  const allowed = [home];
  if (basename(dirname(home)) === 'snapshots') allowed.push(join(dirname(dirname(home)), 'blobs'));
  if (!allowed.includes(dirname(target)) && !target.startsWith(home + sep)) throw errors.outside(path);
  return path;
}

function checkTensors(
  folder: string,
  expected: readonly ExpectedTensor[],
  found: ReadonlyMap<string, StoredTensor>,
  config: ModelConfig,
): void {
  refuseOtherForms(found);
  const missing: string[] = [];
  for (const { name, shape } of expected) {
    const tensor = found.get(name);
    if (tensor === undefined) missing.push(name);
    else checkTensor(tensor, shape);
  }
  if (missing.length === 1 && missing[0] === HEAD) throw errors.headMissing(folder);
  if (missing.length > 0) throw errors.missing(folder, missing);

  const wanted = new Set(expected.map(({ name }) => name));
  const extra = [...found.keys()].filter((name) => !wanted.has(name) && !HARMLESS.test(name));
  const strange = extra.filter((name) => !(name === HEAD && config.tieWordEmbeddings));
  if (strange.length > 0) throw errors.extra(folder, strange);
  if (extra.length > 0) checkTiedHead(found, [config.vocabSize, config.hiddenSize]);
}

/** Tensors that only quantised weights have, by the method that writes them. */
const QUANTISED: readonly (readonly [name: RegExp, method: string])[] = [
  [/\.(qweight|qzeros|g_idx)$/, 'GPTQ or AWQ'],
  [/\.weight\.(absmax|quant_map|quant_state|nested_absmax)/, 'bitsandbytes, 4 bits'],
  [/\.(SCB|weight_format)$/, 'bitsandbytes, 8 bits'],
  [/\.(weight_scale|weight_scale_inv|input_scale|weight_packed)$/, 'FP8 or another compressed form'],
  [/_(blocks|scales)$/, 'MXFP4'],
  [/\.(scales|biases)$/, 'MLX'],
];

/** Quantised weights and adapters that were not merged are named, before anything is said to be missing. */
function refuseOtherForms(found: ReadonlyMap<string, StoredTensor>): void {
  for (const { file, name } of found.values()) {
    const method = QUANTISED.find(([pattern]) => pattern.test(name))?.[1];
    if (method !== undefined) throw errors.quantised(file.path, name, method);
    if (/\.(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|base_layer)\b/.test(name))
      throw errors.adapter(file.path, name);
  }
}

function checkTensor({ file, name }: StoredTensor, wanted: readonly number[]): void {
  const { dtype, shape } = file.info(name);
  if (shape.length !== wanted.length || shape.some((extent, i) => extent !== wanted[i])) {
    throw errors.shape(file.path, name, shape, wanted);
  }
  // A GGUF file says itself what of it is not read.
  if (file instanceof SafetensorsFile && !FLOATS.has(dtype)) throw errors.dtype(file.path, name, dtype);
}

const FLOATS: ReadonlySet<string> = new Set(['F32', 'F16', 'BF16', 'F64']);

/** Some writers store the head although it is tied; it must then be what it is tied to. */
function checkTiedHead(found: ReadonlyMap<string, StoredTensor>, shape: readonly number[]): void {
  const head = found.get(HEAD);
  const embedding = found.get(EMBEDDING);
  if (head === undefined || embedding === undefined) return;
  checkTensor(head, shape);
  const values = embedding.file.readFloat32(embedding.name);
  if (head.file.readFloat32(head.name).some((value, i) => value !== values[i])) throw errors.untied(head.file.path);
}
