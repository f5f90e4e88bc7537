/** What a bench returns, and how it is shown. */
import { readFileSync } from 'node:fs';
import type { DeviceName } from '../server/device/names.ts';

export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, measured in the same run. */
  readonly against?: string;
  /** This value divided by the other. */
  readonly ratio?: number;
}

export interface Bench {
  readonly name: string;
  readonly about: string;
  /** Measures on a device; what is about processes or pages has none and measures as ever. */
  run(device: DeviceName): Promise<Measure[]>;
}

const number = (x: number) => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 1 ? x.toFixed(2) : x.toPrecision(3));

/** One line a measure. */
export function table(measures: readonly Measure[]): string {
  const rows = measures.map((m) => [
    m.name,
    `${number(m.value)} ${m.unit}`,
    m.against ?? '',
    m.ratio === undefined ? '' : number(m.ratio),
  ]);
  const all = [['measure', 'value', 'against', 'ratio'], ...rows];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...all.map((row) => row[i].length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Milliseconds of each of `runs` calls, after `warm` that do not count. */
export async function times(runs: number, warm: number, call: () => Promise<unknown>): Promise<number[]> {
  for (let i = 0; i < warm; i++) await call();
  const result: number[] = [];
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    await call();
    result.push(performance.now() - started);
  }
  return result;
}

/** Most memory that this process has had, in MB. */
export function peakMegabytes(): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return found === null ? process.resourceUsage().maxRSS / 1e3 : Number(found[1]) / 1e3;
}
