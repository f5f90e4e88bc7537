/**
 * The weights of a model folder: which file holds which tensor, checked as a whole against the configuration before
 * anything is computed. Tensors are read one at a time.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { z } from 'zod';
import { firstNonFinite } from '../files/floats.ts';
import { SafetensorsFile, type TensorInfo } from '../files/safetensors.ts';
import { firstIssue } from '../store/issue.ts';
import { blockWeights } from './block.ts';
import type { ModelConfig } from './config.ts';
import { weightErrors as errors } from './errors.ts';

/** A tensor that a model needs. */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';
const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

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

/** Where a tensor lies on the disk, for a runtime that reads it itself. */
export interface TensorLocation extends TensorInfo {
  readonly path: string;
}

/** The open, complete and checked weights of a model. */
export class Weights {
  private readonly names: ReadonlySet<string>;

  /** @param files the open file of each tensor, and of those that do not matter; closed together with the weights */
  constructor(
    readonly folder: string,
    readonly tensors: readonly ExpectedTensor[],
    private readonly files: ReadonlyMap<string, SafetensorsFile>,
  ) {
    this.names = new Set(tensors.map(({ name }) => name));
  }

  /**
   * Reads one tensor as float32.
   *
   * @returns the elements in row-major order; the shape is that of {@link expectedTensors}
   * @throws ColaError weights.notFinite for NaN and infinity, weights.unknown, safetensors.*
   */
  read(name: string): Float32Array {
    const file = this.file(name);
    const values = file.readFloat32(name);
    const bad = firstNonFinite(values);
    if (bad >= 0) throw errors.notFinite(file.path, name, bad);
    return values;
  }

  /** @throws ColaError weights.unknown */
  locate(name: string): TensorLocation {
    const file = this.file(name);
    return { ...file.info(name), path: file.path };
  }

  close(): void {
    for (const file of new Set(this.files.values())) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private file(name: string): SafetensorsFile {
    const file = this.files.get(name);
    if (file === undefined || !this.names.has(name)) throw errors.unknown(this.folder, name);
    return file;
  }
}

/**
 * Opens the weights of a model folder, one file or sharded, and checks that they are the tensors the configuration
 * calls for: none missing, none unknown, all of the right shape and of a floating-point format.
 *
 * @throws ColaError weights.*, safetensors.*
 */
export function openWeights(folder: string, config: ModelConfig): Weights {
  const opened: SafetensorsFile[] = [];
  const open = (path: string): SafetensorsFile => {
    const file = SafetensorsFile.open(insideFolder(folder, path));
    opened.push(file);
    return file;
  };
  try {
    const found = findTensors(folder, open);
    const expected = expectedTensors(config);
    checkTensors(folder, expected, found, config);
    return new Weights(folder, expected, found);
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** Every tensor of the folder with the file it is in. */
function findTensors(folder: string, open: (path: string) => SafetensorsFile): Map<string, SafetensorsFile> {
  const found = new Map<string, SafetensorsFile>();
  const single = join(folder, SINGLE);
  if (existsSync(single)) {
    const file = open(single);
    for (const name of file.names) found.set(name, file);
    return found;
  }

  const index = join(folder, INDEX);
  if (!existsSync(index)) throw errors.none(folder);
  const shardOf = readIndex(index);
  for (const shard of new Set(shardOf.values())) {
    const path = join(folder, shard);
    if (!existsSync(path)) throw errors.index(index, `the file ${JSON.stringify(shard)} is missing`);
    const file = open(path);
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

function readIndex(index: string): Map<string, string> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(index, 'utf8'));
  } catch (error) {
    throw errors.index(index, error instanceof Error ? error.message : String(error));
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw errors.index(index, `"${path}": ${detail}`);
  }
  const shardOf = new Map(Object.entries(parsed.data.weight_map));
  for (const shard of shardOf.values()) if (!isPlainName(shard)) throw errors.shardName(index, shard);
  return shardOf;
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
  const home = realpathSync(folder);
  const target = realpathSync(path);
  const allowed = [home];
  if (basename(dirname(home)) === 'snapshots') allowed.push(join(dirname(dirname(home)), 'blobs'));
  if (!allowed.includes(dirname(target)) && !target.startsWith(home + sep)) throw errors.outside(path);
  return path;
}

function checkTensors(
  folder: string,
  expected: readonly ExpectedTensor[],
  found: ReadonlyMap<string, SafetensorsFile>,
  config: ModelConfig,
): void {
  const missing: string[] = [];
  for (const { name, shape } of expected) {
    const file = found.get(name);
    if (file === undefined) missing.push(name);
    else checkTensor(file, name, shape);
  }
  if (missing.length > 0) throw errors.missing(folder, missing);

  const wanted = new Set(expected.map(({ name }) => name));
  const extra = [...found.keys()].filter((name) => !wanted.has(name) && !HARMLESS.test(name));
  const strange = extra.filter((name) => !(name === HEAD && config.tieWordEmbeddings));
  if (strange.length > 0) throw errors.extra(folder, strange);
  if (extra.length > 0) checkTiedHead(found, [config.vocabSize, config.hiddenSize]);
}

function checkTensor(file: SafetensorsFile, name: string, wanted: readonly number[]): void {
  const { dtype, shape } = file.info(name);
  if (shape.length !== wanted.length || shape.some((extent, i) => extent !== wanted[i])) {
    throw errors.shape(file.path, name, shape, wanted);
  }
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16' && dtype !== 'F64') {
    throw errors.dtype(file.path, name, dtype);
  }
}

/** Some writers store the head although it is tied; it must then be what it is tied to. */
function checkTiedHead(found: ReadonlyMap<string, SafetensorsFile>, shape: readonly number[]): void {
  const headFile = found.get(HEAD);
  const embeddingFile = found.get(EMBEDDING);
  if (headFile === undefined || embeddingFile === undefined) return;
  checkTensor(headFile, HEAD, shape);
  const head = headFile.readFloat32(HEAD);
  const embedding = embeddingFile.readFloat32(EMBEDDING);
  if (head.some((value, i) => value !== embedding[i])) throw errors.untied(headFile.path);
}
