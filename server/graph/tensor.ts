/**
 * Symbolic tensors with static shapes, and the graph that holds them. Nothing here computes: a graph is written as
 * ONNX (`onnx.ts`) and run by `server/device`.
 */

export type DType = 'float32' | 'int32' | 'int64' | 'bool';

export type Shape = readonly number[];

export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** ONNX attribute values; integers and floats are told apart by the wrapper. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

/** The ONNX ops that graphs are made of. */
export type Op =
  | 'Abs'
  | 'Add'
  | 'And'
  | 'Cast'
  | 'Concat'
  | 'Div'
  | 'Equal'
  | 'Exp'
  | 'Expand'
  | 'Gather'
  | 'GatherElements'
  | 'GatherND'
  | 'Gemm'
  | 'Greater'
  | 'Identity'
  | 'Log'
  | 'MatMul'
  | 'Max'
  | 'Min'
  | 'Mul'
  | 'Neg'
  | 'Not'
  | 'Reciprocal'
  | 'ReduceMax'
  | 'ReduceMean'
  | 'ReduceMin'
  | 'ReduceSum'
  | 'ReduceSumSquare'
  | 'Reshape'
  | 'RotaryEmbedding'
  | 'ScatterElements'
  | 'ScatterND'
  | 'Sigmoid'
  | 'SimplifiedLayerNormalization'
  | 'Slice'
  | 'Softmax'
  | 'Sqrt'
  | 'Sub'
  | 'Tanh'
  | 'TopK'
  | 'Transpose'
  | 'Where';

export interface Node {
  readonly op: Op;
  /** `''` is the ONNX domain. */
  readonly domain: '' | 'com.microsoft';
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** A gradient that replaces the walk through the nodes behind this one. */
  readonly custom?: CustomGradient;
}

export interface CustomGradient {
  /** The tensors that gradients are sent to. */
  readonly inputs: readonly Tensor[];
  /** From the gradient of the output to the gradients of `inputs`; null where there is none. */
  readonly rule: (dy: Tensor) => readonly (Tensor | null)[];
}

export type Source =
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'constant'; readonly data: TensorData }
  | { readonly kind: 'node'; readonly node: Node };

export interface Tensor {
  readonly id: number;
  readonly graph: Graph;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly source: Source;
}

/** A mistake in building a graph: never a user's, so it is an ordinary error that names the op and the shapes. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}

export const elementSize = { float32: 4, int32: 4, int64: 8, bool: 1 } as const satisfies Record<DType, number>;

/** Number of elements of a shape; 1 for a scalar. */
export function size(shape: Shape): number {
  return shape.reduce((n, d) => n * d, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

interface GraphOptions {
  /** Queries that causal attention looks at together; which number is fastest depends on the device. */
  readonly strip?: number;
  /** Whether blocks of a model are computed again in the backward pass, and nothing inside them is kept. */
  readonly recompute?: boolean;
}

export class Graph {
  readonly strip: number;
  readonly recompute: boolean;
  readonly inputs: Tensor[] = [];
  readonly parameters = new Map<string, Tensor>();
  private readonly names = new Set<string>();
  private readonly scalars = new Map<string, Tensor>();
  /** Common subexpressions: a backward pass may ask again for what the forward pass has. */
  private readonly expressions = new Map<string, Tensor>();
  private count = 0;

  /** A graph for a device is made by `Device.graph`. */
  constructor({ strip = 128, recompute = false }: GraphOptions = {}) {
    this.strip = strip;
    this.recompute = recompute;
  }

  /** A value that is given with every run. */
  input(name: string, dtype: DType, shape: Shape): Tensor {
    this.claim(name);
    const tensor = this.make(dtype, shape, { kind: 'input', name });
    this.inputs.push(tensor);
    return tensor;
  }

  /** A float32 weight: given with every run, or frozen into the model when it is compiled. Asking again gives the same tensor. */
  parameter(name: string, shape: Shape): Tensor {
    const known = this.parameters.get(name);
    if (known !== undefined) {
      if (!sameShape(known.shape, shape)) throw new GraphError(`parameter ${name} is [${known.shape}] and [${shape}]`);
      return known;
    }
    this.claim(name);
    const tensor = this.make('float32', shape, { kind: 'parameter', name });
    this.parameters.set(name, tensor);
    return tensor;
  }

  constant(data: TensorData, dtype: DType, shape: Shape): Tensor {
    if (data.length !== size(shape)) throw new GraphError(`constant of ${data.length} elements for shape [${shape}]`);
    return this.make(dtype, shape, { kind: 'constant', data });
  }

  /** A float32 or int32 scalar of shape []. */
  scalar(value: number, dtype: 'float32' | 'int32' = 'float32'): Tensor {
    const key = `${dtype}:${Object.is(value, -0) ? '-0' : value}`;
    let tensor = this.scalars.get(key);
    if (tensor === undefined) {
      tensor = this.constant(dtype === 'float32' ? Float32Array.of(value) : Int32Array.of(value), dtype, []);
      this.scalars.set(key, tensor);
    }
    return tensor;
  }

  /** An int64 vector, as shapes and axes are given to ONNX ops. */
  int64s(values: readonly number[]): Tensor {
    const key = `int64s:${values.join(',')}`;
    let tensor = this.scalars.get(key);
    if (tensor === undefined) {
      tensor = this.constant(BigInt64Array.from(values, BigInt), 'int64', [values.length]);
      this.scalars.set(key, tensor);
    }
    return tensor;
  }

  node(
    op: Op,
    inputs: readonly Tensor[],
    dtype: DType,
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: Node['domain'] = '',
  ): Tensor {
    for (const input of inputs) if (input.graph !== this) throw new GraphError(`${op}: a tensor of another graph`);
    const key = `${domain}.${op}(${inputs.map((t) => t.id).join(',')})${JSON.stringify(attributes)}${shape.join(',')}`;
    const known = this.expressions.get(key);
    if (known !== undefined) return known;
    const tensor = this.makeNode(op, inputs, dtype, shape, attributes, domain);
    this.expressions.set(key, tensor);
    return tensor;
  }

  /** `output` with a gradient of its own instead of the one through the nodes that compute it. */
  withGradient(output: Tensor, custom: CustomGradient): Tensor {
    return this.makeNode('Identity', [output], output.dtype, output.shape, {}, '', custom);
  }

  private makeNode(
    op: Op,
    inputs: readonly Tensor[],
    dtype: DType,
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>>,
    domain: Node['domain'],
    custom?: CustomGradient,
  ): Tensor {
    const source: { kind: 'node'; node: Node } = { kind: 'node', node: undefined as never };
    const output = this.make(dtype, shape, source);
    source.node = { op, domain, inputs, output, attributes, ...(custom === undefined ? {} : { custom }) };
    return output;
  }

  private make(dtype: DType, shape: Shape, source: Source): Tensor {
    for (const d of shape) if (!Number.isInteger(d) || d < 0) throw new GraphError(`bad shape [${shape}]`);
    return { id: this.count++, graph: this, dtype, shape, source };
  }

  private claim(name: string): void {
    if (this.names.has(name)) throw new GraphError(`the name ${name} is taken`);
    this.names.add(name);
  }
}

/** The node that computes a tensor, or undefined for inputs, parameters and constants. */
export function nodeOf(tensor: Tensor): Node | undefined {
  return tensor.source.kind === 'node' ? tensor.source.node : undefined;
}

/**
 * All tensors that `outputs` need, in an order in which each comes after what it needs.
 *
 * @param given tensors that are there: not what they need
 */
export function reachable(outputs: readonly Tensor[], given: ReadonlySet<Tensor> = new Set()): Tensor[] {
  const seen = new Map<number, Tensor>();
  const stack = [...outputs];
  for (let t = stack.pop(); t !== undefined; t = stack.pop()) {
    if (seen.has(t.id)) continue;
    seen.set(t.id, t);
    const node = given.has(t) ? undefined : nodeOf(t);
    if (node !== undefined) stack.push(...node.inputs);
  }
  // Ids are given out in order of creation, and a node is created after its inputs.
  return [...seen.values()].sort((a, b) => a.id - b.id);
}
