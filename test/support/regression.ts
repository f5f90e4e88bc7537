/** Linear regression y = x w' + b, in a graph and by hand: the small problem the optimiser is tested on. */
import type { Device } from '../../server/device/device.ts';
import { State } from '../../server/device/program.ts';
import * as functions from '../../server/graph/functions.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph } from '../../server/graph/tensor.ts';
import type { Random } from '../../server/random.ts';
import type { AdamWSettings } from '../../server/train/optimizer/adamw.ts';
import type { Objective } from '../../server/train/optimizer/optimizer.ts';

const [inputs, targets] = [3, 2];

/** A weight that decays and a bias that does not. */
export const trainable = ['w', 'b'];

export interface Batch {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

export function drawBatch(rows: number, random: Random): Batch {
  const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal());
  return { x: normals(rows * inputs), y: normals(rows * targets) };
}

/** Mean squared error over `rows` rows, with the errors of each row as a metric. */
export function objective(rows: number): Objective {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [rows, inputs]);
  const y = graph.input('y', 'float32', [rows, targets]);
  const weight = graph.parameter('w', [targets, inputs]);
  const error = ops.sub(functions.linear(x, weight, graph.parameter('b', [targets])), y);
  return { loss: ops.mean(ops.mul(error, error)), metrics: { errors: ops.mean(ops.mul(error, error), [1]) } };
}

export const startingWeights = (): Record<'w' | 'b', Float32Array> => ({
  w: Float32Array.of(0.5, -1, 0.25, 2, 0, -0.5),
  b: Float32Array.of(0.1, -0.2),
});

export async function weightState(device: Device, { w, b } = startingWeights()): Promise<State> {
  const state = new State();
  state.set('w', await device.upload(w, 'float32', [targets, inputs]));
  state.set('b', await device.upload(b, 'float32', [targets]));
  return state;
}

export async function readWeights(state: State): Promise<number[]> {
  return [...(await state.get('w').readFloats()), ...(await state.get('b').readFloats())];
}

/** The same training in float64 with the gradient written out. */
export class Reference {
  readonly weights = Float64Array.of(...startingWeights().w, ...startingWeights().b);
  private readonly first = new Float64Array(8);
  private readonly second = new Float64Array(8);
  private updates = 0;

  constructor(private readonly settings: AdamWSettings & { clipNorm: number }) {}

  step({ x, y }: Batch, learningRate: number): { loss: number; gradientNorm: number } {
    const { beta1, beta2, epsilon, weightDecay, clipNorm } = this.settings;
    const rows = y.length / targets;
    const gradient = new Float64Array(8);
    let loss = 0;
    for (let row = 0; row < rows; row++) {
      for (let o = 0; o < targets; o++) {
        let error = this.weights[6 + o] - y[row * targets + o];
        for (let i = 0; i < inputs; i++) error += this.weights[o * inputs + i] * x[row * inputs + i];
        loss += error ** 2 / y.length;
        for (let i = 0; i < inputs; i++) gradient[o * inputs + i] += (2 * error * x[row * inputs + i]) / y.length;
        gradient[6 + o] += (2 * error) / y.length;
      }
    }
    const gradientNorm = Math.hypot(...gradient);
    this.updates++;
    for (const [i, raw] of gradient.entries()) {
      const g = raw * Math.min(1, clipNorm / gradientNorm);
      this.first[i] = beta1 * this.first[i] + (1 - beta1) * g;
      this.second[i] = beta2 * this.second[i] + (1 - beta2) * g ** 2;
      const m = this.first[i] / (1 - beta1 ** this.updates);
      const v = this.second[i] / (1 - beta2 ** this.updates);
      if (i < 6) this.weights[i] -= learningRate * weightDecay * this.weights[i];
      this.weights[i] -= (learningRate * m) / (Math.sqrt(v) + epsilon);
    }
    return { loss, gradientNorm };
  }
}
