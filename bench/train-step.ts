/** A training step, optimiser included, against the best matrix product of the same run and PyTorch in turn. */
import { type Device, openDevice } from '../server/device/device.ts';
import { crossEntropy } from '../server/graph/functions.ts';
import * as ops from '../server/graph/ops.ts';
import { hiddenStates, languageHead } from '../server/model/base.ts';
import { causalContext } from '../server/model/block.ts';
import type { ModelConfig } from '../server/model/config/config.ts';
import { uploadWeights } from '../server/model/language-model.ts';
import { matricesDecay, Optimizer } from '../server/train/optimizer/optimizer.ts';
import { type Bench, type Measure, median, times } from './measure.ts';
import { peerVersions, startPeer } from './peer.ts';
import { allParameters, productOperations, randomModel, type ShapeName, shapes, tokenIds } from './shapes.ts';

export const batch = 8;
export const length = 256;

/** A shape that is measured: sequences of `length` tokens, and pairs of a step here and one of the peer. */
interface Case {
  readonly shape: ShapeName;
  readonly batch: number;
  readonly rounds: number;
}

/** Larger models with fewer tokens, so that a step takes seconds. */
const onHost: readonly Case[] = [
  { shape: '7M', batch, rounds: 12 },
  { shape: '135M', batch: 4, rounds: 6 },
  { shape: '360M', batch: 2, rounds: 6 },
];
const onAccelerator: readonly Case[] = [
  { shape: '7M', batch, rounds: 12 },
  { shape: '7M', batch: 64, rounds: 12 },
  { shape: '135M', batch, rounds: 12 },
];

/** Rows of tokens by width, feed-forward and vocabulary of the 7 M shape. */
const productsOfModel = [
  [batch * length, 256, 768],
  [batch * length, 768, 256],
  [batch * length, 256, 4096],
  [batch * length, 768, 768],
] as const;

/** Large enough that an accelerator does not wait for the next run. */
const largeProducts = [
  [2048, 2048, 2048],
  [4096, 4096, 4096],
] as const;

/** Best GFLOP/s of products: on the host at the shapes of the model, on an accelerator whose results stay there at large ones. */
export async function productCeiling(device: Device): Promise<() => Promise<number>> {
  const programs = await Promise.all(
    (device.onHost ? productsOfModel : largeProducts).map(async ([m, k, n]) => {
      const graph = device.graph();
      const y = ops.gemm(graph.input('x', 'float32', [m, k]), graph.input('w', 'float32', [k, n]));
      const feed = (rows: number, columns: number) =>
        device.upload(new Float32Array(rows * columns).fill(0.1), 'float32', [rows, columns]);
      const feeds = { x: await feed(m, k), w: await feed(k, n) };
      if (!device.onHost) {
        // What comes to the host is waited for, so it is one number.
        const program = await device.compile({ sum: ops.sum(y) });
        return { flops: 2 * m * k * n, run: async () => (await program.run(feeds)).sum.release() };
      }
      const program = await device.compile({ y });
      const into = { y: new Float32Array(m * n) };
      return { flops: 2 * m * k * n, run: async () => void (await program.run(feeds, { into })) };
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

export async function trainStep(
  device: Device,
  shape: ShapeName = '7M',
  batch = 8,
): Promise<{ step: () => Promise<unknown>; config: ModelConfig; close: () => Promise<void> }> {
  const model = randomModel(shape);
  const graph = device.graph();
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
  return {
    step: () => optimizer.step([feeds], 1e-4),
    config: model.config,
    close: async () => {
      await optimizer.dispose();
      weights.dispose();
    },
  };
}

async function measure(device: Device, { shape, batch, rounds }: Case): Promise<Measure[]> {
  const ceiling = await productCeiling(device);
  const { step, config, close } = await trainStep(device, shape, batch);
  const peer = await startPeer('train', device.name, { shape: shapes[shape], batch, length });
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
  await close();
  const tokens = batch * length;
  // Whatever else the machine does only ever slows a round: the fastest of each is the fair one.
  const [ownMs, top] = [Math.min(...own), Math.max(...best)];
  const speed = (ms: number) => (tokens / ms) * 1000;
  const name = `train step ${shape}, ${batch} x ${length}`;
  const rate = (name: string, operations: number): Measure => ({
    name,
    value: operations / ownMs / 1e6,
    unit: 'GFLOP/s',
    against: `best product, ${top.toFixed(0)} GFLOP/s`,
    ratio: operations / ownMs / 1e6 / top,
  });
  const measures: Measure[] = [
    { name, value: speed(ownMs), unit: 'tokens/s' },
    rate(`${name}, 6 operations a parameter and token`, 6 * allParameters(config) * tokens),
    rate(`${name}, products alone`, productOperations(config, batch, length)),
    { name: `${name}, median of rounds`, value: speed(median(own)), unit: 'tokens/s' },
  ];
  if (theirs.length > 0) {
    const peerName = `${peerVersions()} eager`;
    const fastest = Math.min(...theirs);
    const against = `${peerName}, ${speed(fastest).toFixed(0)} tokens/s`;
    measures.push({ name, value: speed(ownMs), unit: 'tokens/s', against, ratio: fastest / ownMs });
    const ratios = theirs.map((ms, i) => ms / own[i]);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    measures.push({
      name: `${name}, median of ${rounds} pairs`,
      value: speed(median(own)),
      unit: 'tokens/s',
      against: `${peerName}, ${speed(median(theirs)).toFixed(0)} tokens/s; pairs ${spread}`,
      ratio: median(ratios),
    });
  }
  return measures;
}

export const trainStepBench: Bench = {
  name: 'train-step',
  about: 'training step, AdamW included, of models of several sizes beside PyTorch in turn',
  async run(name): Promise<Measure[]> {
    const { device } = await openDevice(name);
    const measures: Measure[] = [];
    for (const each of device.onHost ? onHost : onAccelerator) measures.push(...(await measure(device, each)));
    await device.dispose();
    return measures;
  },
};
