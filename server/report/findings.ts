/** What runs have found, in plain words. */
import type { ExtraFigure } from './page.ts';
import { type MetricLine, numberIn, type RunRecord } from './run-record.ts';

/** One sentence a thing that a reader would want to know first. */
export function findings(runs: readonly RunRecord[], extra: readonly ExtraFigure[]): string[] {
  const all = runs.flatMap((run) => {
    const [first, last] = [run.measurements[0], run.measurements.at(-1)];
    return first === undefined || last === undefined || first === last ? [] : solved(run, first, last);
  });
  const noise = chance(runs);
  if (noise !== undefined && all.length > 0) all.push(noise);
  for (const { name, values } of extra) {
    const said = runs.flatMap(({ label }, i) => {
      const value = values[i];
      return value === undefined ? [] : [`${label} ${value[0].toFixed(3)} before, ${value[1].toFixed(3)} after`];
    });
    if (said.length > 0) all.push(`${name.charAt(0).toUpperCase()}${name.slice(1)}: ${said.join('; ')}.`);
  }
  return all;
}

function solved({ label }: RunRecord, first: MetricLine, last: MetricLine): string[] {
  const parts = (
    [
      ['greedy_solved', 'greedy accuracy'],
      ['sampled_solved', 'sampled accuracy'],
      ['pass_at_8', 'pass@8'],
    ] as const
  ).flatMap(([name, words]) => {
    const [a, b] = [numberIn(first, name), numberIn(last, name)];
    return a === undefined || b === undefined
      ? []
      : [`${words} ${moved(a, b)} from ${a.toFixed(3)} to ${b.toFixed(3)}`];
  });
  return parts.length === 0 ? [] : [`${label}: ${parts.join(', ')}.`];
}

const moved = (a: number, b: number) => (b > a ? 'rose' : b < a ? 'fell' : 'stayed');

/** How large a difference of greedy accuracy may be without any meaning: two standard errors of a difference. */
function chance(runs: readonly RunRecord[]): string | undefined {
  for (const { spec, measurements } of runs) {
    const n = spec.stages.flatMap(({ settings }) => ('evaluate_rows' in settings ? settings.evaluate_rows : [])).at(-1);
    const p = measurements[0] === undefined ? undefined : numberIn(measurements[0], 'greedy_solved');
    if (p === undefined || n === undefined) continue;
    const error = Math.sqrt(Math.max(p * (1 - p), 0.01) / n);
    return `With ${n} problems and one seed, differences of greedy accuracy below ${(2 * Math.SQRT2 * error).toFixed(2)} may be chance.`;
  }
  return undefined;
}
