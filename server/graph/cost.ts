/** How long a node takes, roughly: its products at a rate of operations, everything else at a rate of memory. */
import { elementSize, nodeOf, size, type Tensor } from './tensor.ts';

/** Two cores of a laptop. */
const operationsPerSecond = 200e9;
const bytesPerSecond = 20e9;
/** Of a kernel, whatever it computes. */
const secondsPerNode = 5e-6;

const bytesOf = ({ shape, dtype }: Tensor) => size(shape) * elementSize[dtype];

/** Seconds of a node by its shapes; 0 for what is no node. */
export function secondsOf(tensor: Tensor): number {
  const node = nodeOf(tensor);
  if (node === undefined) return 0;
  const moved = bytesOf(tensor) + node.inputs.reduce((n, input) => n + bytesOf(input), 0);
  return secondsPerNode + products(tensor) / operationsPerSecond + moved / bytesPerSecond;
}

/** Additions and multiplications of a product; 0 for what is none. */
export function products(tensor: Tensor): number {
  const node = nodeOf(tensor);
  if (node === undefined || (node.op !== 'MatMul' && node.op !== 'Gemm')) return 0;
  const [a] = node.inputs;
  const transposed = node.attributes.transA;
  const inner =
    a.shape[a.shape.length - (transposed !== undefined && 'int' in transposed && transposed.int === 1 ? 2 : 1)];
  return 2 * size(tensor.shape) * inner;
}
