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

/** A tensor of a stored weight, as the runtime is given it. */
export interface StoredPart<D = TensorData | Uint16Array | FileRange> {
  readonly name: string;
  readonly dtype: DType | 'float16' | 'uint8';
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
   * as it can where it comes first, and as early as it can elsewhere. All weights would be there in float32 at once.
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

/** Of each stored weight that is multiplied with, the rows of its smallest product x W^T. */
export function productRows(
  order: readonly Tensor[],
  stored: ReadonlyMap<string, StoredWeight>,
): ReadonlyMap<string, number> {
  const rows = new Map<string, number>();
  for (const { source } of order) {
    if (source.kind !== 'node' || source.node.op !== 'Gemm') continue;
    const [x, weight] = source.node.inputs;
    const name = weightName(weight);
    if (name === undefined || !stored.has(name) || !isProduct(source.node, weight)) continue;
    rows.set(name, Math.min(rows.get(name) ?? Number.POSITIVE_INFINITY, x.shape[0]));
  }
  return rows;
}

/** Writes the nodes of one program that read stored weights. */
export class StoredWriter {
  /** Weights that are there as float32 already. */
  private readonly widened = new Map<string, string>();
  private readonly known = new Set<string>();

  /**
   * @param level accuracy of products in blocks: 0 computes in float32, 4 rounds what is multiplied to 8 bits
   * @param halves whether the device reads tables in half precision; if not, such a weight is widened as a whole, by the runtime
   *   when it makes the program
   */
  constructor(
    private readonly stored: ReadonlyMap<string, StoredWeight>,
    private readonly level: 0 | 4,
    private readonly halves = true,
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
    for (const weight of read) {
      for (const part of partsOf(nameOf(weight), this.find(weight))) {
        if (this.known.has(part.name)) continue;
        this.known.add(part.name);
        reading.parts.push(part);
      }
    }
    const [first] = read;
    const name = nameOf(node.output);
    const weight = this.find(first);
    const table = node.op === 'Gather' && node.inputs[0] === first && (weight.form !== 'f16' || this.halves);
    if (table) this.rows(node, weight, nameOf, reading);
    else if (weight.form !== 'f16' && isProduct(node, first)) {
      const [rows, inner] = weight.shape;
      const attributes = { N: rows, K: inner, bits: bitsOf(weight), block_size: blockSize, accuracy_level: this.level };
      reading.nodes.push({
        op: 'MatMulNBits',
        domain: 'com.microsoft',
        inputs: [nameOf(node.inputs[0]), ...partsOf(nameOf(first), weight).map((part) => part.name)],
        output: name,
        attributes: integers(attributes),
      });
    } else {
      const inputs = node.inputs.map((input) => (this.has(input) ? this.widen(input, nameOf, reading) : nameOf(input)));
      reading.nodes.push({ op: node.op, domain: node.domain, inputs, output: name, attributes: node.attributes });
    }
    return reading;
  }

  private find(tensor: Tensor): StoredWeight {
    const weight = this.stored.get(weightName(tensor) ?? '');
    if (weight === undefined) throw new Error(`${weightName(tensor)} is not stored`);
    return weight;
  }

  /** Rows of a table: only those that are asked for are widened. */
  private rows(node: Node, weight: StoredWeight, nameOf: (tensor: Tensor) => string, reading: Building): void {
    const [table, ids] = node.inputs;
    this.gather(nameOf(table), weight, nameOf(ids), nameOf(node.output), node.output.shape, reading);
  }

  /** The whole weight as float32, once for all nodes of the program that need it. */
  private widen(
    tensor: Tensor,
    nameOf: (tensor: Tensor) => string,
    { ahead: nodes, constants }: { readonly ahead: WrittenNode[]; readonly constants: StoredConstant[] },
  ): string {
    const name = nameOf(tensor);
    const known = this.widened.get(name);
    if (known !== undefined) return known;
    const weight = this.find(tensor);
    const output = `${name}:f32`;
    this.widened.set(name, output);
    if (weight.form === 'f16') nodes.push(toFloat(`${name}:values`, output));
    else {
      const all = `${name}:all`;
      const iota = Int32Array.from({ length: weight.shape[0] }, (_, i) => i);
      constants.push({ name: all, dtype: 'int32', shape: [iota.length], data: iota });
      this.gather(name, weight, all, output, weight.shape, { nodes, constants });
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
