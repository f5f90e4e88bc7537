/**
 * A process that computes into memory of its own several times: writes to stdout the page faults of each run, and how many pages the
 * process holds before and after its program has ended. A process by itself, as the heap of one that tests is in no known state.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as later } from 'node:timers/promises';
import { openDevice } from '../../server/device/device.ts';
import * as ops from '../../server/graph/ops.ts';

/** Copies of a run: four times what glibc leaves at the end of its heap at most. */
export const [outputs, floats] = [32, 2 ** 21];
const runs = 10;
const held = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]);

if (process.argv[1] === import.meta.filename) {
  const { device } = await openDevice('cpu', { threads: 1 });
  const graph = device.graph();
  const x = graph.input('x', 'float32', [floats]);
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const program = await device.compile(Object.fromEntries(names.map((name, i) => [name, ops.add(x, i)])));
  const into = Object.fromEntries(names.map((name) => [name, new Float32Array(floats)]));
  const input = new Float32Array(floats).fill(2);
  const faults: number[] = [];
  for (let i = 0; i < runs; i++) {
    const before = process.resourceUsage().minorPageFault;
    await program.run({ x: input }, { into });
    faults.push(process.resourceUsage().minorPageFault - before);
  }
  const last = names.map((name) => into[name][floats - 1]);
  const before = held();
  await program.dispose();
  await later(100);
  process.stdout.write(JSON.stringify({ faults, last, before, after: held() }));
  await device.dispose();
}
