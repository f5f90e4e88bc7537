/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101), twice: over typed arrays for weights in host memory, and as graph ops for
 * weights that live on an accelerator. A test holds the two together.
 */
import * as ops from '../../graph/ops.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { adamwModule } from './adamw-module.ts';

export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled weight decay. */
  readonly weightDecay: number;
}

/** The numbers of one step that both forms need. */
export interface AdamWStep {
  readonly learningRate: number;
  /** Factor on every gradient: the clip by global norm, and 1 / number of micro-batches. */
  readonly scale: number;
  /** Number of this update, from 1. */
  readonly update: number;
}

/** Floats of a block: the four of an update stay in a core's second cache. */
const blockLength = 4096;
const floatBytes = Float32Array.BYTES_PER_ELEMENT;
const pageBytes = 65536;
/** What a module can address, less the page whose end is no address: a model of 360 M has a little more, so that its last arrays are elsewhere. */
const mostPages = 65535;

interface Module {
  readonly memory: WebAssembly.Memory;
  /** Addresses of weights, gradients, first and second moments, the end of the gradients; then the scalars. */
  readonly update: (...addressesThenScalars: readonly number[]) => void;
}

/**
 * The loop of {@link adamw} in WebAssembly, four floats at a time, and memory where it can work: a loop over typed arrays takes
 * more than twice as long. Arrays from elsewhere are brought here and back block by block; those of {@link floats} are here already.
 */
export class AdamWMemory {
  readonly update: Module['update'];
  readonly buffer: ArrayBuffer;
  /** Where a block of the weights, gradients and moments goes. */
  readonly blocks: readonly Float32Array[];
  private used = 0;

  /** @param floats how many there is room for; where they cannot be had, {@link floats} gives arrays from elsewhere */
  constructor(floats = 0) {
    const module = new WebAssembly.Module(Buffer.from(adamwModule, 'base64'));
    const { memory, update } = new WebAssembly.Instance(module).exports as unknown as Module;
    this.update = update;
    const pages = Math.min(mostPages, Math.ceil(((floats + 4 * blockLength) * floatBytes) / pageBytes));
    try {
      memory.grow(pages - memory.buffer.byteLength / pageBytes);
    } catch {
      // More than there is.
    }
    this.buffer = memory.buffer as ArrayBuffer;
    this.blocks = [0, 1, 2, 3].map(() => this.floats(blockLength));
  }

  /** So many zeros. */
  floats(length: number): Float32Array {
    const start = this.used;
    // Whole fours, so that the last of an array does not reach into the next.
    const end = start + Math.ceil(length / 4) * 4 * floatBytes;
    if (end > this.buffer.byteLength) return new Float32Array(length);
    this.used = end;
    return new Float32Array(this.buffer, start, length);
  }
}

const elsewhere = new AdamWMemory();

/** A tensor with its gradients and its first and second moments, all of one length. */
export interface AdamWArrays {
  readonly weights: Float32Array;
  readonly gradients: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/**
 * Updates one tensor in place.
 *
 * @param memory where some of the arrays may be
 */
export function adamw(
  { weights, gradients, first, second }: AdamWArrays,
  settings: AdamWSettings,
  step: AdamWStep,
  decay: boolean,
  memory = elsewhere,
): void {
  const { beta1, beta2, epsilon } = settings;
  const { keep, rate, correction } = coefficients(settings, step, decay);
  const scalars = [step.scale, beta1, 1 - beta1, beta2, 1 - beta2, 1 - keep, rate, correction, epsilon];
  const parts = [weights, gradients, first, second].map((array, i) => ({
    array,
    block: array.buffer === memory.buffer ? undefined : memory.blocks[i],
    changes: array !== gradients,
  }));
  for (let start = 0; start < weights.length; start += blockLength) {
    const end = Math.min(weights.length, start + blockLength);
    for (const { array, block } of parts) block?.set(array.subarray(start, end));
    const addresses = parts.map(({ array, block }) => block?.byteOffset ?? array.byteOffset + start * floatBytes);
    memory.update(...addresses, addresses[1] + (end - start) * floatBytes, ...scalars);
    for (const { array, block, changes } of parts) {
      if (block !== undefined && changes) array.set(block.subarray(0, end - start), start);
    }
  }
}

/** The scalars of a step: decay factor, learning rate with bias correction, and the correction of the second moment. */
export function coefficients(
  settings: AdamWSettings,
  step: AdamWStep,
  decay: boolean,
): { keep: number; rate: number; correction: number } {
  return {
    keep: decay ? 1 - step.learningRate * settings.weightDecay : 1,
    rate: step.learningRate / (1 - settings.beta1 ** step.update),
    correction: 1 / Math.sqrt(1 - settings.beta2 ** step.update),
  };
}

/** The step's scalars as graph tensors of shape []. */
export interface AdamWScalars {
  readonly scale: Tensor;
  readonly keep: Tensor;
  readonly rate: Tensor;
  readonly correction: Tensor;
}

/** {@link adamw} as graph ops. */
export function adamwOps(
  weights: Tensor,
  gradients: Tensor,
  first: Tensor,
  second: Tensor,
  settings: AdamWSettings,
  scalars: AdamWScalars,
): { weights: Tensor; first: Tensor; second: Tensor } {
  const { beta1, beta2, epsilon } = settings;
  const g = ops.mul(gradients, scalars.scale);
  const m = ops.add(ops.mul(first, beta1), ops.mul(g, 1 - beta1));
  const v = ops.add(ops.mul(second, beta2), ops.mul(ops.mul(g, g), 1 - beta2));
  const update = ops.div(ops.mul(m, scalars.rate), ops.add(ops.mul(ops.sqrt(v), scalars.correction), epsilon));
  return { weights: ops.sub(ops.mul(weights, scalars.keep), update), first: m, second: v };
}

/** Sum of squares of one gradient. */
export function sumOfSquares(values: Float32Array): number {
  // Four sums: a single one would wait for itself at every addition.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i] * values[i];
    b += values[i + 1] * values[i + 1];
    c += values[i + 2] * values[i + 2];
    d += values[i + 3] * values[i + 3];
  }
  for (let i = whole; i < values.length; i++) a += values[i] * values[i];
  return a + b + (c + d);
}
