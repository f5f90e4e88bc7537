/**
 * Frozen weights that are kept in fewer bits than they are computed in, and how a program reads them. A graph knows nothing of
 * it: its parameter is a float32 tensor. When it is written, the nodes that read such a parameter become others that read the
 * stored form: products in blocks (`MatMulNBits`), rows of a table (`GatherBlockQuantized`), or a conversion before the node.
 */
import type { Attribute, DType, Node, Shape, Tensor, TensorData } from './tensor.ts';

/** Values along the inner axis that share a scale. */
export const blockSize = 32;

/** Half precision, as bit patterns. */
export interface HalfWeight {
  readonly form: 'f16';
  readonly shape: Shape;
  readonly values: Uint16Array;
}

/**
 * Whole numbers with a scale for every {@link blockSize} of a row: weight = (number - 2^(bits-1)) * scale. Of two numbers of 4
 * bits the first is in the lower half of the byte.
 */
export interface BlockWeight<V = Uint8Array, S = Float32Array> {
  readonly form: 'int8' | 'int4';
  /** `[N,K]`, K a multiple of {@link blockSize}. */
  readonly shape: readonly [number, number];
  /** `[N, K/32, 4 * bits]` */
  readonly values: V;
  /** `[N, K/32]` */
  readonly scales: S;
}

/** A file of weights. */
export interface WeightFile {
  readonly folder: string;
  readonly name: string;
  /** Sees to it that it is there, as it was when it was read. @throws where it cannot be brought back */
  present(): Promise<void>;
}

/** Numbers in a file, which the runtime maps into its memory: all programs and processes read the same pages. */
export interface FileRange {
  readonly file: WeightFile;
  /** Bytes before the first. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A weight that lies in a file and has no memory of its own. */
export type MappedWeight = BlockWeight<FileRange, FileRange>;

/** A weight in memory. */
export type MemoryWeight = HalfWeight | BlockWeight;

export type StoredWeight = MemoryWeight | MappedWeight;

export const isRange = (data: object): data is FileRange => 'file' in data;

/** Whether a weight lies in a file. */
export const isMapped = (weight: StoredWeight): weight is MappedWeight => isRange(weight.values);

export const bitsOf = ({ form }: Pick<MappedWeight, 'form'>): 4 | 8 => (form === 'int4' ? 4 : 8);

/** Bytes that it takes, in memory or in its file. */
export function storedBytes(weight: StoredWeight): number {
  return weight.values.byteLength + ('scales' in weight ? weight.scales.byteLength : 0);
}

/**
 * Bytes that a program has of a weight that it lays out for products: in blocks the numbers, their scales, and as many sums of blocks;
 * as the kernels of ONNX Runtime 1.30 do it on x64.
 */
export function laidOutBytes({ form, shape }: { readonly form: StoredWeight['form']; readonly shape: Shape }): number {
  const count = shape.reduce((n, length) => n * length, 1);
  if (form === 'f16') return 2 * count;
  return (count * (form === 'int4' ? 4 : 8)) / 8 + (2 * 4 * count) / blockSize;
}

/** A tensor of a stored weight, as the runtime is given it. */
export interface StoredPart<D = TensorData | Uint16Array | FileRange> {
  readonly name: string;
  readonly dtype: DType | 'float16' | 'uint8' | 'uint4';
  readonly shape: Shape;
  readonly data: D;
}

/** One that stands in the program. */
export type StoredConstant = StoredPart<TensorData>;

/** What a weight consists of. */
export function partsOf(name: string, weight: StoredWeight): StoredPart[] {
  if (weight.form === 'f16')
    return [{ name: `${name}:values`, dtype: 'float16', shape: weight.shape, data: weight.values }];
  const [rows, inner] = weight.shape;
  const blocks = inner / blockSize;
  const bytes = (blockSize * bitsOf(weight)) / 8;
  return [
    { name: `${name}:values`, dtype: 'uint8', shape: [rows, blocks, bytes], data: weight.values },
    { name: `${name}:scales`, dtype: 'float32', shape: [rows, blocks], data: weight.scales },
  ];
}

/**
 * The same numbers as a product reads them that widens them first: a row for each block, and its scale. Numbers of 4 bits are a type of
 * their own there, which the runtime takes from a file and not from its caller.
 *
 * @returns undefined where the runtime cannot take them so
 */
export function blockParts(name: string, weight: StoredWeight): readonly [StoredPart, StoredPart] | undefined {
  if (weight.form === 'f16' || (weight.form === 'int4' && !isMapped(weight))) return undefined;
  const [rows, inner] = weight.shape;
  const blocks = (rows * inner) / blockSize;
  const dtype = weight.form === 'int4' ? 'uint4' : 'uint8';
  return [
    { name: `${name}:blocks`, dtype, shape: [blocks, blockSize], data: weight.values },
    { name: `${name}:steps`, dtype: 'float32', shape: [blocks], data: weight.scales },
  ];
}

/** A node as it is written: tensors by name. */
export interface WrittenNode {
  readonly op: string;
  readonly domain: Node['domain'];
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** What stands in a program instead of nodes that read stored weights. */
export interface StoredReading {
  /**
   * Nodes that widen a whole weight, to be written before all others of the program: the runtime runs what reads only inputs as late
   * as it can where it comes first, and as early as it can elsewhere. All weights would be there in float32 at once. For the same reason
   * each node that reads a weight widens it anew.
   */
  readonly ahead: readonly WrittenNode[];
  readonly nodes: readonly WrittenNode[];
  /** Tensors that the nodes read, besides the inputs of the node they stand for. */
  readonly constants: readonly StoredConstant[];
  readonly parts: readonly StoredPart[];
}

/** The name of a frozen weight among the inputs of a node; undefined for anything else. */
function weightName(tensor: Tensor): string | undefined {
  return tensor.source.kind === 'parameter' ? tensor.source.name : undefined;
}

/** Whether a node is x W^T. */
function isProduct({ op, inputs, attributes }: Node, weight: Tensor): boolean {
  const set = (name: string) => {
    const value = attributes[name];
    return value !== undefined && 'int' in value && value.int === 1;
  };
  return (
    op === 'Gemm' &&
    inputs.length === 2 &&
    inputs[1] === weight &&
    inputs[0] !== weight &&
    set('transB') &&
    !set('transA')
  );
}

/** Of each stored weight that is multiplied with, the rows of its largest product x W^T. */
export function productRows(
  order: readonly Tensor[],
  stored: { has(name: string): boolean },
): ReadonlyMap<string, number> {
  const rows = new Map<string, number>();
  for (const { source } of order) {
    if (source.kind !== 'node' || source.node.op !== 'Gemm') continue;
    const [x, weight] = source.node.inputs;
    const name = weightName(weight);
    if (name === undefined || !stored.has(name) || !isProduct(source.node, weight)) continue;
    rows.set(name, Math.max(rows.get(name) ?? 0, x.shape[0]));
  }
  return rows;
}

/**
 * The frozen weights that a node widens as a whole where it runs in host memory.
 *
 * @param form how a weight is kept, by its name; undefined for one in float32
 * @param widens see {@link StoredReader.widens}
 */
export function widenedBy(
  node: Node,
  form: (name: string, shape: Shape) => StoredWeight['form'] | undefined,
  widens: (name: string) => boolean,
): readonly Tensor[] {
  return node.inputs.filter((input, i) => {
    const name = weightName(input);
    if (name === undefined || form(name, input.shape) === undefined || (node.op === 'Gather' && i === 0)) return false;
    return !isProduct(node, input) || widens(name);
  });
}

/** How a device reads stored weights. */
export interface StoredReader {
  /** Accuracy of products in blocks: 0 computes in float32, 4 rounds what is multiplied to 8 bits. */
  readonly level: 0 | 4;
  /**
   * Whether it computes in host memory: tables in half precision are read there, and weights are widened when they are needed.
   * Elsewhere the runtime widens a weight as a whole, when it makes the program.
   */
  readonly onHost: boolean;
  /** Whether products with a weight in blocks are products in float32 with the weight widened as a whole. */
  widens(name: string): boolean;
}

/** Writes the nodes of one program that read stored weights. */
export class StoredWriter {
  /** Parts and constants that have been written. */
  private readonly known = new Set<string>();
  /** Weights that are there as float32 for all nodes. */
  private readonly widened = new Map<string, string>();

  constructor(
    private readonly stored: ReadonlyMap<string, StoredWeight>,
    private readonly reader: StoredReader,
  ) {}

  has(tensor: Tensor): boolean {
    return this.stored.has(weightName(tensor) ?? '');
  }

  /** @returns undefined for a node that reads none of them */
  write(node: Node, nameOf: (tensor: Tensor) => string): StoredReading | undefined {
    const read = node.inputs.filter((input) => this.has(input));
    if (read.length === 0) return undefined;
    const reading = {
      ahead: [] as WrittenNode[],
      nodes: [] as WrittenNode[],
      constants: [] as StoredConstant[],
      parts: [] as StoredPart[],
    };
    const [first] = read;
    const output = nameOf(node.output);
    const name = nameOf(first);
    const weight = this.find(first);
    const table = node.op === 'Gather' && node.inputs[0] === first && (weight.form !== 'f16' || this.reader.onHost);
    if (table) {
      this.take(partsOf(name, weight), reading.parts);
      this.gather(name, weight, nameOf(node.inputs[1]), output, node.output.shape, reading);
    } else if (weight.form !== 'f16' && isProduct(node, first) && !this.widensProduct(name, weight)) {
      const parts = partsOf(name, weight);
      this.take(parts, reading.parts);
      const [rows, inner] = weight.shape;
      const attributes = {
        N: rows,
        K: inner,
        bits: bitsOf(weight),
        block_size: blockSize,
        accuracy_level: this.reader.level,
      };
      reading.nodes.push({
        op: 'MatMulNBits',
        domain: 'com.microsoft',
        inputs: [nameOf(node.inputs[0]), ...parts.map((part) => part.name)],
        output,
        attributes: integers(attributes),
      });
    } else {
      const inputs = node.inputs.map((input, i) =>
        this.has(input) ? this.widen(nameOf(input), this.find(input), `${output}:${i}`, reading) : nameOf(input),
      );
      reading.nodes.push({ op: node.op, domain: node.domain, inputs, output, attributes: node.attributes });
    }
    return reading;
  }

  private widensProduct(name: string, weight: StoredWeight): boolean {
    return this.reader.widens(name) && this.blocksOf(name, weight) !== undefined;
  }

  private blocksOf(name: string, weight: StoredWeight): readonly StoredPart[] | undefined {
    return this.reader.onHost ? blockParts(name, weight) : undefined;
  }

  /** Those among parts or constants that are not there yet. */
  private take<T extends { readonly name: string }>(all: readonly T[], into: T[]): void {
    for (const part of all) {
      if (this.known.has(part.name)) continue;
      this.known.add(part.name);
      into.push(part);
    }
  }

  private find(tensor: Tensor): StoredWeight {
    const weight = this.stored.get(weightName(tensor) ?? '');
    if (weight === undefined) throw new Error(`${weightName(tensor)} is not stored`);
    return weight;
  }

  /** The whole weight as float32, on the host for one node, else for all. @param to what names of its own begin with */
  private widen(name: string, weight: StoredWeight, to: string, reading: Reading): string {
    const known = this.widened.get(name);
    if (known !== undefined) return known;
    const output = `${to}:f32`;
    if (!this.reader.onHost) this.widened.set(name, output);
    const blocks = this.blocksOf(name, weight);
    if (blocks !== undefined) {
      this.take(blocks, reading.parts);
      const [{ shape }] = blocks;
      const zero = zeroPoints(weight.form, shape[0]);
      const rows = lengths(`${name}:shape`, weight.shape);
      this.take([zero, rows], reading.constants);
      const inputs = [...blocks.map((part) => part.name), zero.name];
      const attributes = integers({ axis: 0 });
      const each = `${output}:blocks`;
      reading.ahead.push({ op: 'DequantizeLinear', domain: '', inputs, output: each, attributes });
      reading.ahead.push(reshape(each, rows.name, output));
      return output;
    }
    this.take(partsOf(name, weight), reading.parts);
    if (weight.form === 'f16') reading.ahead.push(toFloat(`${name}:values`, output));
    else {
      const iota = Int32Array.from({ length: weight.shape[0] }, (_, i) => i);
      const all = { name: `${name}:all`, dtype: 'int32' as const, shape: [iota.length], data: iota };
      this.take([all], reading.constants);
      const own = { nodes: reading.ahead, constants: reading.constants };
      this.gather(name, weight, all.name, output, weight.shape, own);
    }
    return output;
  }

  private gather(name: string, weight: StoredWeight, ids: string, output: string, shape: Shape, to: Building): void {
    if (weight.form === 'f16') {
      const halves = `${output}:f16`;
      const attributes = integers({ axis: 0 });
      to.nodes.push({ op: 'Gather', domain: '', inputs: [`${name}:values`, ids], output: halves, attributes });
      to.nodes.push(toFloat(halves, output));
      return;
    }
    const [rows, inner] = weight.shape;
    // The blocks are an axis of their own, so that products and rows read the same bytes.
    const own = `${output}:scales`;
    const blocks = `${output}:blocks`;
    to.constants.push(lengths(`${own}:shape`, [rows, inner / blockSize, 1]), lengths(`${blocks}:shape`, shape));
    to.nodes.push(
      reshape(`${name}:scales`, `${own}:shape`, own),
      {
        op: 'GatherBlockQuantized',
        domain: 'com.microsoft',
        inputs: [`${name}:values`, ids, own],
        output: blocks,
        attributes: integers({ bits: bitsOf(weight), block_size: blockSize, gather_axis: 0, quantize_axis: 2 }),
      },
      reshape(blocks, `${blocks}:shape`, output),
    );
  }
}

interface Building {
  readonly nodes: WrittenNode[];
  readonly constants: StoredConstant[];
}

interface Reading extends Building {
  readonly ahead: WrittenNode[];
  readonly parts: StoredPart[];
}

/** What stands for 0 in every block. */
function zeroPoints(form: StoredWeight['form'], blocks: number): StoredPart<Uint8Array> {
  const name = `zero:${form}:${blocks}`;
  return form === 'int4'
    ? { name, dtype: 'uint4', shape: [blocks], data: new Uint8Array(Math.ceil(blocks / 2)).fill(0x88) }
    : { name, dtype: 'uint8', shape: [blocks], data: new Uint8Array(blocks).fill(128) };
}

function integers(values: Readonly<Record<string, number>>): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(values).map(([name, int]) => [name, { int }]));
}

const toFloat = (input: string, output: string): WrittenNode => ({
  op: 'Cast',
  domain: '',
  inputs: [input],
  output,
  attributes: integers({ to: 1 }),
});

const reshape = (input: string, shape: string, output: string): WrittenNode => ({
  op: 'Reshape',
  domain: '',
  inputs: [input, shape],
  output,
  attributes: {},
});

const lengths = (name: string, shape: Shape): StoredConstant => ({
  name,
  dtype: 'int64',
  shape: [shape.length],
  data: BigInt64Array.from(shape, BigInt),
});
