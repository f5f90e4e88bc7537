/** Cached decoding, one token a step, of a 7 M and a 135 M shape. */
import { openDevice } from '../server/device/device.ts';
import type { DeviceName } from '../server/device/names.ts';
import { baseStepper } from '../server/model/language-model.ts';
import { type Bench, type Measure, times } from './measure.ts';
import { peerVersions, startPeer } from './peer.ts';
import { randomModel, type ShapeName, shapes } from './shapes.ts';

const prompt = 16;
const tokens = 64;

async function decodeShape(deviceName: DeviceName, name: ShapeName, batch: number): Promise<Measure[]> {
  const { device } = await openDevice(deviceName);
  const model = randomModel(name);
  const stepper = baseStepper(device, model);
  const cache = await stepper.cache(batch, prompt + tokens);
  const rows = Array.from({ length: batch }, () => new Int32Array(prompt).fill(5));
  const read = async (next: readonly ArrayLike<number>[]) => {
    if (cache.lengths[0] + next[0].length > prompt + tokens - 1) cache.lengths.fill(prompt);
    const { logits } = await stepper.advance(cache, next);
    // The next token is chosen on the host.
    await logits.readFloats();
    logits.release();
  };
  await read(rows);
  const one = rows.map(() => [5]);
  const repeat = name === '7M' ? 16 : 4;
  const peer = await startPeer('decode', device.name, {
    shape: shapes[name],
    batch,
    prompt,
    tokens,
    repeat,
    warm: 4,
  });
  await times(1, 4, () => read(one));
  const own: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < 8; i++) {
    own.push(...(await times(repeat, 0, () => read(one))));
    if (peer !== undefined) theirs.push((await peer.round()).seconds * 1000);
  }
  peer?.stop();
  const ms = Math.min(...own);
  const measure = { name: `decode ${name}, batch ${batch}`, value: (batch / ms) * 1000, unit: 'tokens/s' };
  const best = Math.min(...theirs);
  const against = `${peerVersions()}, ${((batch / best) * 1000).toFixed(0)} tokens/s`;
  cache.dispose();
  await stepper.dispose();
  await device.dispose();
  return [theirs.length === 0 ? measure : { ...measure, against, ratio: best / ms }];
}

export const decodeBench: Bench = {
  name: 'decode',
  about: 'cached decoding of a 7 M and a 135 M shape at batch 1 and 16',
  async run(device) {
    const measures: Measure[] = [];
    for (const name of ['7M', '135M'] as const)
      for (const batch of [1, 16]) measures.push(...(await decodeShape(device, name, batch)));
    return measures;
  },
};
