/** A training step of the 7 M shape, optimiser included, against the best matrix product of the same run and PyTorch in turn. */
import { availableParallelism } from 'node:os';
import { type Device, openDevice } from '../server/device/device.ts';
import { crossEntropy } from '../server/graph/functions.ts';
import * as ops from '../server/graph/ops.ts';
import { Graph } from '../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../server/model/base.ts';
import { causalContext } from '../server/model/block.ts';
import { uploadWeights } from '../server/model/language-model.ts';
import { matricesDecay, Optimizer } from '../server/train/optimizer.ts';
import { type Bench, type Measure, median, times } from './measure.ts';
import { Peer, peerVersions } from './peer.ts';
import { productParameters, randomModel, shapes, tokenIds } from './shapes.ts';

export const batch = 8;
export const length = 256;
const rounds = 7;

/** Best GFLOP/s of products at the shapes of the model: rows of tokens by width, feed-forward and vocabulary. */
export async function productCeiling(device: Device): Promise<() => Promise<number>> {
  const sizes = [
    [batch * length, 256, 768],
    [batch * length, 768, 256],
    [batch * length, 256, 4096],
    [batch * length, 768, 768],
  ] as const;
  const programs = await Promise.all(
    sizes.map(async ([m, k, n]) => {
      const graph = new Graph();
      const y = ops.gemm(graph.input('x', 'float32', [m, k]), graph.input('w', 'float32', [k, n]));
      const program = await device.compile({ y });
      const feeds = { x: new Float32Array(m * k).fill(0.1), w: new Float32Array(k * n).fill(0.1) };
      const into = { y: new Float32Array(m * n) };
      return { flops: 2 * m * k * n, run: () => program.run(feeds, { into }) };
    }),
  );
  return async () => {
    let best = 0;
    for (const { flops, run } of programs) {
      const ms = Math.min(...(await times(5, 1, run)));
      best = Math.max(best, flops / ms / 1e6);
    }
    return best;
  };
}

export async function trainStep(device: Device): Promise<{ step: () => Promise<unknown>; flops: number }> {
  const model = randomModel('7M');
  const graph = new Graph();
  const ids = graph.input('ids', 'int32', [batch, length]);
  const targets = graph.input('targets', 'int32', [batch, length]);
  const { h } = hiddenStates(graph, model.config, ids, causalContext(graph, model.config, batch, length));
  const loss = ops.mean(crossEntropy(languageHead(graph, model.config, h), targets));
  const weights = await uploadWeights(device, model.weights, model.tensors);
  const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1, decays: matricesDecay };
  const names = model.tensors.map(({ name }) => name);
  const optimizer = await Optimizer.create(device, { loss }, names, weights, [], settings);
  const tokens = tokenIds(model.config, batch * length + 1);
  const feeds = { ids: tokens.slice(0, -1), targets: tokens.slice(1) };
  return { step: () => optimizer.step([feeds], 1e-4), flops: 6 * productParameters(model.config) * batch * length };
}

export const trainStepBench: Bench = {
  name: 'train-step',
  about: 'training step of the 7 M shape, 8 x 256 tokens, AdamW included',
  async run(): Promise<Measure[]> {
    const { device } = await openDevice('cpu');
    const ceiling = await productCeiling(device);
    const { step, flops } = await trainStep(device);
    const options = { threads: availableParallelism(), shape: shapes['7M'], batch, length };
    const peer = await Peer.start('train', options);
    await times(1, 2, step);
    const own: number[] = [];
    const best: number[] = [];
    const theirs: number[] = [];
    for (let i = 0; i < rounds; i++) {
      best.push(await ceiling());
      own.push(...(await times(1, 0, step)));
      if (peer !== undefined) theirs.push((await peer.round()).seconds * 1000);
    }
    peer?.stop();
    const tokens = batch * length;
    // Whatever else the machine does only ever slows a round: the fastest of each is the fair one.
    const [ownMs, top] = [Math.min(...own), Math.max(...best)];
    const measures: Measure[] = [
      { name: 'train step', value: (tokens / ownMs) * 1000, unit: 'tokens/s' },
      {
        name: 'train step',
        value: flops / ownMs / 1e6,
        unit: 'GFLOP/s',
        against: `best product, ${top.toFixed(0)} GFLOP/s`,
        ratio: flops / ownMs / 1e6 / top,
      },
      { name: 'train step, median of rounds', value: (tokens / median(own)) * 1000, unit: 'tokens/s' },
    ];
    if (theirs.length > 0) {
      const against = `${peerVersions()} eager, ${((tokens / Math.min(...theirs)) * 1000).toFixed(0)} tokens/s`;
      measures.push({
        name: 'train step',
        value: (tokens / ownMs) * 1000,
        unit: 'tokens/s',
        against,
        ratio: Math.min(...theirs) / ownMs,
      });
    }
    await device.dispose();
    return measures;
  },
};
