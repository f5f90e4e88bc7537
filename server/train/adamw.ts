/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101), twice: a loop over typed arrays for weights in host memory, and graph
 * ops for weights that live on an accelerator. A test holds the two together.
 */
import * as ops from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';

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

/** Updates one tensor in place: weights, gradients, first and second moments, all of one length. */
export function adamw(
  weights: Float32Array,
  gradients: Float32Array,
  first: Float32Array,
  second: Float32Array,
  settings: AdamWSettings,
  step: AdamWStep,
  decay: boolean,
): void {
  const { beta1, beta2, epsilon } = settings;
  const { scale } = step;
  const { keep, rate, correction } = coefficients(settings, step, decay);
  const n = weights.length;
  for (let i = 0; i < n; i++) {
    const g = gradients[i] * scale;
    const m = beta1 * first[i] + (1 - beta1) * g;
    const v = beta2 * second[i] + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = keep * weights[i] - (rate * m) / (Math.sqrt(v) * correction + epsilon);
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
