/** What a run costs besides computing, and whether memory grows over many of them. */
import { readFileSync } from 'node:fs';
import { openDevice } from '../server/device/device.ts';
import * as ops from '../server/graph/ops.ts';
import { type Bench, type Measure, median, times } from './measure.ts';

/** Resident memory of this process in MB. */
export function residentMegabytes(): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return found === null ? process.memoryUsage().rss / 1e6 : Number(found[1]) / 1e3;
}

export const overheadBench: Bench = {
  name: 'overhead',
  about: 'time of a run that computes next to nothing, and growth of memory over 2000 runs',
  async run(name): Promise<Measure[]> {
    const { device } = await openDevice(name);
    const program = await device.program((graph) => {
      const x = graph.input('x', 'float32', [64, 64]);
      return { y: ops.add(ops.mul(x, x), 1) };
    });
    const feed = { x: new Float32Array(64 * 64) };
    const once = async () => {
      (await program.run(feed)).y.release();
    };
    const each = median(await times(2000, 200, once));
    globalThis.gc?.();
    const before = residentMegabytes();
    for (let i = 0; i < 2000; i++) await once();
    globalThis.gc?.();
    const grown = residentMegabytes() - before;
    await device.dispose();
    return [
      { name: 'run of a small graph', value: each * 1000, unit: 'microseconds' },
      { name: 'memory grown over 2000 runs', value: grown, unit: 'MB' },
    ];
  },
};
