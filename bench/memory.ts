/** Peak memory of training against the formula: weights, gradients, moments, and the activations that live at once. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../server/device/device.ts';
import { pretrainMemory } from '../server/model/memory.ts';
import { type Bench, type Measure, peakMegabytes } from './measure.ts';
import { randomModel } from './shapes.ts';
import { batch, length, trainStep } from './train-step.ts';

/** In a process of its own: what training adds to a process that has opened the device. */
export async function printPeak(): Promise<void> {
  const { device } = await openDevice('cpu');
  globalThis.gc?.();
  const before = peakMegabytes();
  const { step } = await trainStep(device);
  for (let i = 0; i < 5; i++) await step();
  console.log(peakMegabytes() - before);
}

export const memoryBench: Bench = {
  name: 'memory',
  about: 'peak memory of training the 7 M shape against the formula',
  async run(): Promise<Measure[]> {
    const child = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), '--peak'], {
      encoding: 'utf8',
    });
    const measured = Number(child.stdout);
    const { weights, gradients, moments, activations } = pretrainMemory(randomModel('7M').config, batch, length);
    const formula = (weights + gradients + moments + activations) / 1e6;
    const against = `weights, gradients, moments, activations: ${formula.toFixed(0)} MB`;
    return [{ name: 'peak memory of training', value: measured, unit: 'MB', against, ratio: measured / formula }];
  },
};
