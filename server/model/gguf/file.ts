/**
 * A GGUF file opened as a model folder is: its configuration and tokenizer as the texts of the files that a folder has, its
 * tensors under the names and with the rows that they have there.
 */
import { RandomFile } from '../../files/random-file.ts';
import { type BlockWeight, blockSize } from '../../graph/stored.ts';
import { fitsBlocks, putBlocks } from './blocks.ts';
import { architectureOf, configOf, headsOf } from './config.ts';
import { dequantise } from './dequantise.ts';
import { ggufErrors as errors } from './errors.ts';
import { type GgufHeader, type GgufTensor, guardedHeader } from './header.ts';
import { Metadata } from './metadata.ts';
import { modelName, offsetOf, pairedHeads, unpairedRow } from './names.ts';
import { factorTensors, type RopeFactors } from './rope.ts';
import { hasTokenizer, tokenizerConfigOf, tokenizerOf } from './tokenizer.ts';
import type { ReadType, TypeName } from './types.ts';

/** Bytes read at once, so that widening needs no second copy of a whole tensor. */
const CHUNK_BYTES = 1 << 22;

/** What every model has. */
const folderNames: ReadonlySet<string> = new Set(['config.json', 'tokenizer_config.json']);

/** An open GGUF file. Close it. */
export class GgufFile {
  readonly metadata: Metadata;
  private readonly tensors: ReadonlyMap<string, GgufTensor>;

  private constructor(
    private readonly file: RandomFile,
    header: GgufHeader,
  ) {
    this.metadata = new Metadata(header, file.path);
    const architecture = this.metadata.text('general.architecture') ?? '';
    this.tensors = new Map(
      header.tensors
        .filter(({ name }) => !factorTensors.has(name))
        .map((tensor) => [modelName(tensor.name, architecture), tensor]),
    );
  }

  /** @throws gguf.* */
  static open(path: string): GgufFile {
    const file = openOrRefuse(path);
    try {
      return new GgufFile(file, headerOf(file));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  get bytes(): number {
    return this.file.size;
  }

  /** Names as a Hugging Face folder has them. */
  get names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  /** @throws gguf.type for a format that is not read */
  info(name: string): { readonly dtype: TypeName; readonly shape: readonly number[] } {
    const { type, typeName, shape } = this.find(name);
    if (type === undefined) throw errors.type(this.path, name, typeName);
    return { dtype: type.name, shape };
  }

  /**
   * A tensor as float32, with the rows where a Hugging Face folder has them, and norms counted as there.
   *
   * @throws gguf.type, gguf.cannotRead, gguf.truncated
   */
  readFloat32(name: string): Float32Array {
    const tensor = this.find(name);
    const values = this.read(tensor, this.heads(tensor));
    const offset = offsetOf(name, architectureOf(this.metadata));
    return offset === 0 ? values : values.map((value) => value - offset);
  }

  /**
   * Fills a weight in blocks with those of the file, where they are the same blocks.
   *
   * @returns false where they are not, and nothing is filled
   * @throws as {@link readFloat32}
   */
  fillBlocks(name: string, weight: BlockWeight): boolean {
    const tensor = this.find(name);
    if (tensor.type === undefined || !fitsBlocks(tensor.type.name, weight.form)) return false;
    this.walk(tensor, this.heads(tensor), (type, bytes, first) => putBlocks(type, bytes, weight, first / blockSize));
    return true;
  }

  private heads({ name }: GgufTensor): number {
    const architecture = architectureOf(this.metadata);
    return pairedHeads(name, architecture, () => headsOf(this.metadata, architecture));
  }

  /** The text that a folder of this model would have under a name; undefined where it would have none. @throws gguf.* */
  text(name: string): string | undefined {
    if (name === 'config.json') return `${JSON.stringify(configOf(this.metadata, this.factors()), null, 2)}\n`;
    if (name === 'tokenizer.json') return tokenizerOf(this.metadata);
    if (name === 'tokenizer_config.json') return `${JSON.stringify(tokenizerConfigOf(this.metadata), null, 2)}\n`;
    return undefined;
  }

  /** Whether there is a {@link text} of that name. */
  has(name: string): boolean {
    return name === 'tokenizer.json' ? hasTokenizer(this.metadata) : folderNames.has(name);
  }

  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private factors(): RopeFactors {
    const found = this.metadata.header.tensors.flatMap((tensor) => {
      const kind = factorTensors.get(tensor.name);
      return kind === undefined ? [] : [[kind, this.read(tensor, 0)] as const];
    });
    return Object.fromEntries(found);
  }

  private find(name: string): GgufTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw errors.tensor(this.path, name, 'there is none of that name');
    return tensor;
  }

  /** @param heads see {@link walk} */
  private read(tensor: GgufTensor, heads: number): Float32Array {
    let values: Float32Array;
    try {
      values = new Float32Array(tensor.shape.reduce((n, extent) => n * extent, 1));
    } catch (cause) {
      throw errors.cannotRead(this.path, tensor.name, cause);
    }
    this.walk(tensor, heads, (type, bytes, first, count) =>
      dequantise(type, bytes, values.subarray(first, first + count)),
    );
    return values;
  }

  /**
   * Goes through the bytes of a tensor.
   *
   * @param heads whose rows are put back from pairs to halves; 0 for a tensor that lies as it should
   * @param take gets so many elements, and the place of the first of them; their bytes hold until it returns
   */
  private walk(
    { name, shape, type, typeName, offset, byteLength }: GgufTensor,
    heads: number,
    take: (type: ReadType, bytes: Uint8Array<ArrayBuffer>, first: number, count: number) => void,
  ): void {
    if (type === undefined) throw errors.type(this.path, name, typeName);
    const elements = shape.reduce((n, extent) => n * extent, 1);
    const rows = heads > 0 ? shape[0] : shape.slice(0, -1).reduce((n, extent) => n * extent, 1);
    const width = elements / rows;
    const headDim = heads > 0 ? rows / heads : 0;
    if (heads > 0 && (!Number.isInteger(headDim) || headDim % 2 !== 0 || width % type.elements !== 0))
      throw errors.tensor(this.path, name, `its ${rows} rows are not of ${heads} heads`);
    const rowBytes = byteLength / rows;
    const atOnce = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
    const buffer = new Uint8Array(Math.min(atOnce, rows) * rowBytes);
    for (let first = 0; first < rows; first += atOnce) {
      const count = Math.min(atOnce, rows - first);
      const chunk = buffer.subarray(0, count * rowBytes);
      this.fill(name, chunk, offset + first * rowBytes);
      if (heads === 0) take(type, chunk, first * width, count * width);
      else
        for (let i = 0; i < count; i++)
          take(type, chunk.subarray(i * rowBytes, (i + 1) * rowBytes), unpairedRow(first + i, headDim) * width, width);
    }
  }

  private fill(name: string, target: Uint8Array, position: number): void {
    this.file.fill(target, position, {
      cannotRead: (cause) => errors.cannotRead(this.path, name, cause),
      truncated: () => errors.truncated(this.path),
    });
  }
}

/** @throws gguf.cannotOpen */
function openOrRefuse(path: string): RandomFile {
  try {
    return RandomFile.open(path);
  } catch (cause) {
    throw errors.cannotOpen(path, cause);
  }
}

/** What a list of models says of a file; its vocabulary is passed over. */
export interface GgufSummary {
  /** As a config.json would have it. */
  readonly config: unknown;
  readonly parameters: number;
  readonly bytes: number;
  /** Its chat template. */
  readonly template: string | undefined;
}

/** Arrays of layers are shorter, vocabularies longer. */
const SHORT = 1024;

/** @throws gguf.* */
export function summariseGguf(path: string): GgufSummary {
  using file = openOrRefuse(path);
  const header = guardedHeader(file, path, SHORT);
  const elements = ({ shape }: GgufTensor) => shape.reduce((n, extent) => n * extent, 1);
  const parameters = header.tensors.reduce((sum, tensor) => sum + elements(tensor), 0);
  const unread = header.tensors.find(({ type }) => type === undefined);
  const metadata = new Metadata(header, path);
  const config = configOf(metadata);
  if (unread !== undefined) throw errors.type(path, unread.name, unread.typeName);
  const named = 'tokenizer.chat_template';
  return { config, parameters, bytes: file.size, template: metadata.has(named) ? metadata.text(named) : undefined };
}

/** The header that was read last: a model that is loaded asks for its configuration, tokenizer and weights one by one. */
let last: { readonly key: string; readonly header: WeakRef<GgufHeader> } | undefined;

function headerOf(file: RandomFile): GgufHeader {
  const known = last?.key === file.stamp ? last.header.deref() : undefined;
  if (known !== undefined) return known;
  const header = guardedHeader(file, file.path);
  last = { key: file.stamp, header: new WeakRef(header) };
  return header;
}

/** Whether a path is a GGUF file, by its first bytes: Ollama's have no ending. */
export function isGguf(path: string): boolean {
  try {
    using file = RandomFile.open(path);
    const magic = new Uint8Array(4);
    return file.read(magic, 0) && String.fromCharCode(...magic) === 'GGUF';
  } catch {
    return false;
  }
}

/** Whether a GGUF file stands for a model folder with a file of that name in it. @throws gguf.* */
export function ggufHas(folder: string, name: string): boolean {
  if (!isGguf(folder)) return false;
  using file = GgufFile.open(folder);
  return file.has(name);
}

/** The text that stands for a file of a model folder where the folder is a GGUF file; undefined elsewhere. @throws gguf.* */
export function ggufText(folder: string, name: string): string | undefined {
  if (!isGguf(folder)) return undefined;
  using file = GgufFile.open(folder);
  return file.text(name);
}
