/** How much memory a graph needs at once, found from the graph itself: which tensors are alive at the same time. */
import { elementSize, type Node, nodeOf, reachable, size, type Tensor } from './tensor.ts';

export interface Liveness {
  /** Largest number of bytes alive at once, constants included. */
  readonly peak: number;
  /** The op at which that is. */
  readonly at: string;
  /** Bytes of the constants, which are alive throughout. */
  readonly constants: number;
  /** Bytes of all computed tensors together: what a planner that never reuses memory would take. */
  readonly computed: number;
}

export interface LivenessOptions {
  /** Outputs that are written into memory of the caller's: they take none here. */
  readonly outside?: readonly Tensor[];
}

/** Ops whose output is the memory of their input. */
export const views: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);

/**
 * Ops whose kernels on the CPU may write over their first input where nobody needs it afterwards. Those of arithmetic may not, in
 * ONNX Runtime 1.30.
 */
export const overwriting: ReadonlySet<string> = new Set(['ScatterElements', 'ScatterND', 'Sigmoid', 'Softmax', 'Tanh']);

export const bytesOf = (tensor: Tensor) => size(tensor.shape) * elementSize[tensor.dtype];

/** The tensor whose memory this one is. */
function ownerOf(tensor: Tensor): Tensor {
  let owner = tensor;
  for (let node = nodeOf(owner); node !== undefined && views.has(node.op); node = nodeOf(owner)) owner = node.inputs[0];
  return owner;
}

/**
 * Walks the graph in the order in which it was built: a tensor is there from the node that computes it to the last that
 * reads it, outputs to the end. Inputs and parameters are the caller's and count nothing. Scratch memory of single kernels
 * is not in a graph and not counted.
 */
export function liveness(outputs: readonly Tensor[], options: LivenessOptions = {}): Liveness {
  const order = reachable(outputs);
  const lastUse = new Map<Tensor, number>();
  for (const [step, tensor] of order.entries()) {
    for (const input of nodeOf(tensor)?.inputs ?? []) lastUse.set(ownerOf(input), step);
  }
  for (const output of outputs) lastUse.set(ownerOf(output), order.length);
  const outside = new Set((options.outside ?? []).map(ownerOf));

  let constants = 0;
  let computed = 0;
  let alive = 0;
  let peak = 0;
  let at = 'none';
  const freed = new Set<Tensor>();
  for (const [step, tensor] of order.entries()) {
    if (tensor.source.kind === 'constant') constants += bytesOf(tensor);
    const node = nodeOf(tensor);
    if (node === undefined) continue;
    const dying = [...new Set(node.inputs.map(ownerOf))].filter(
      (input) => nodeOf(input) !== undefined && lastUse.get(input) === step && !freed.has(input) && !outside.has(input),
    );
    const fresh = ownerOf(tensor) === tensor && !outside.has(tensor) ? bytesOf(tensor) : 0;
    computed += fresh;
    const reused = fresh > 0 ? reusable(node, dying, fresh) : 0;
    alive += fresh - reused;
    if (alive > peak) {
      peak = alive;
      at = node.op;
    }
    alive += reused;
    for (const input of dying) {
      alive -= bytesOf(input);
      freed.add(input);
    }
  }
  return { peak: peak + constants, at, constants, computed };
}

/** Bytes of a dying input that the output takes over. */
function reusable(node: Node, dying: readonly Tensor[], bytes: number): number {
  if (!overwriting.has(node.op)) return 0;
  const owner = ownerOf(node.inputs[0]);
  return dying.includes(owner) && bytesOf(owner) === bytes ? bytes : 0;
}
