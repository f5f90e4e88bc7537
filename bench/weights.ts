/** Memory of a large model in one process: what programs that decode and train add to its weights, laid out or shared. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Device } from '../server/device/device.ts';
import type { State } from '../server/device/program.ts';
import { gradient } from '../server/graph/gradient.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../server/model/base.ts';
import { causalContext } from '../server/model/block.ts';
import { baseStep, baseStepper, type LanguageModel, uploadWeights } from '../server/model/language-model.ts';
import { Stepper } from '../server/model/step.ts';
import { type Bench, type Measure, median, peakMegabytes } from './measure.ts';
import { randomModel } from './shapes.ts';

/**
 * Whether programs of single steps lay out the weights for themselves, all of them or as many as in the product on a machine of 8 GB,
 * or read the one copy in host memory.
 */
export const layouts = ['laid-out', 'bounded', 'shared'] as const;
const rooms = { 'laid-out': Number.POSITIVE_INFINITY, bounded: 1e9, shared: 0 } as const;
type Layout = (typeof layouts)[number];

const promptTokens = 20;
const steps = 12;

/** Rows and room of the caches: each pair is a program of its own. */
const decodings = [
  [1, 60],
  [1, 120],
  [4, 60],
  [2, 60],
  [1, 60],
] as const;

function residentMegabytes(): number {
  globalThis.gc?.();
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return found === null ? process.memoryUsage().rss / 1e6 : Number(found[1]) / 1e3;
}

/** @returns processor time of a step, in ms */
async function decode(stepper: Stepper, batch: number, tokens: number): Promise<number> {
  const cache = await stepper.cache(batch, tokens);
  const release = (out: Awaited<ReturnType<Stepper['advance']>>) => {
    for (const buffer of Object.values(out)) buffer.release();
  };
  const prompt = Array.from({ length: batch }, (_, b) =>
    Array.from({ length: promptTokens }, (_, i) => 7 * b + 13 * i),
  );
  release(await stepper.advance(cache, prompt));
  const spent: number[] = [];
  for (let i = 0; i < steps; i++) {
    const before = process.cpuUsage();
    release(
      await stepper.advance(
        cache,
        prompt.map((row) => [row[i]]),
      ),
    );
    const { user, system } = process.cpuUsage(before);
    spent.push((user + system) / 1e3);
  }
  cache.dispose();
  return median(spent);
}

/** A training step of the first block. */
async function train(device: Device, { config, tensors }: LanguageModel, state: State): Promise<void> {
  const learned = tensors.filter(({ name }) => name.startsWith('model.layers.0.'));
  const program = await device.program((graph) => {
    const ids = graph.input('ids', 'int32', [2, 32]);
    const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, 2, 32));
    const loss = nextTokenLoss(languageHead(graph, config, h), ids);
    const parameters = learned.map(({ name, shape }) => graph.parameter(name, shape));
    const gradients = gradient(loss, parameters).map((value, i) => [`gradient ${learned[i].name}`, value] as const);
    return { loss, ...Object.fromEntries(gradients) };
  });
  const out = await program.run({ ids: Int32Array.from({ length: 64 }, (_, i) => i) }, { states: [state] });
  for (const buffer of Object.values(out)) buffer.release();
}

/** In a process of its own. */
export async function printWeights(layout: Layout): Promise<void> {
  const device = await Device.open('cpu', { threads: 1, layoutRoom: rooms[layout] });
  const model = randomModel('135M');
  const measures: Measure[] = [{ name: 'the model', value: residentMegabytes(), unit: 'MB' }];
  const state = await uploadWeights(device, model.weights, model.tensors);
  const stepper =
    layout === 'shared'
      ? new Stepper(device, model.config, baseStep(model.config), [state])
      : baseStepper(device, model);
  for (const [batch, tokens] of decodings) {
    const { user, system } = process.cpuUsage();
    const milliseconds = await decode(stepper, batch, tokens);
    const all = process.cpuUsage();
    const name = `decoding ${batch} x ${tokens}`;
    measures.push({ name: `and ${name}`, value: residentMegabytes(), unit: 'MB' });
    measures.push({ name: `a step of ${name}`, value: milliseconds, unit: 'ms of processor' });
    measures.push({
      name: '  its programs and all steps',
      value: (all.user + all.system - user - system) / 1e3,
      unit: 'ms of processor',
    });
  }
  await train(device, model, state);
  measures.push({ name: 'and a training step of a block', value: residentMegabytes(), unit: 'MB' });
  measures.push({ name: 'at most', value: peakMegabytes(), unit: 'MB' });
  console.log(JSON.stringify(measures));
}

export const weightsBench: Bench = {
  name: 'weights',
  about: 'memory of a process with a model of 538 MB and programs that decode and train, one after the other',
  async run(): Promise<Measure[]> {
    const found = layouts.map((layout) => {
      const args = ['--expose-gc', fileURLToPath(import.meta.url), '--weights', layout];
      return JSON.parse(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout) as Measure[];
    });
    const [all, bounded, shared] = found;
    return bounded.map((measure, i) => ({
      ...measure,
      against: `${all[i].value.toFixed(0)} without a bound, ${shared[i].value.toFixed(0)} with one copy for all`,
      ratio: measure.value / all[i].value,
    }));
  },
};
