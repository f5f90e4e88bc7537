/** What runs have found, in plain words. */
import { changeBetween, changeWords, passOf, type SolvedFigure } from '../protocol/figures/solved-change.ts';
import type { ExtraFigure } from './page.ts';
import { endsOf, type MetricLine, numberIn, type RunRecord } from './run-record.ts';

/** One sentence a thing that a reader would want to know first. */
export function findings(runs: readonly RunRecord[], extra: readonly ExtraFigure[]): string[] {
  const all = runs.flatMap((run) => {
    const ends = endsOf(run, 'greedy_solved');
    return ends === undefined ? [] : solved(run, ...ends);
  });
  for (const { name, values } of extra) {
    const said = runs.flatMap(({ label }, i) => {
      const value = values[i];
      return value === undefined ? [] : [`${label} ${value[0].toFixed(3)} before, ${value[1].toFixed(3)} after`];
    });
    if (said.length > 0) all.push(`${name.charAt(0).toUpperCase()}${name.slice(1)}: ${said.join('; ')}.`);
  }
  return all;
}

function solved({ label, spec }: RunRecord, first: MetricLine, last: MetricLine): string[] {
  const problems = numberIn(last, 'held_out_problems') ?? evaluated(spec);
  const pass = passOf(last);
  const named: readonly (readonly [SolvedFigure, string])[] = [
    ['greedy_solved', 'greedy accuracy'],
    ['sampled_solved', 'sampled accuracy'],
    ...(pass === undefined || pass.samples === 1 ? [] : [[pass.name, `pass@${pass.samples}`] as const]),
  ];
  const parts = named.flatMap(([name, words]) => {
    const [a, b] = [numberIn(first, name), numberIn(last, name)];
    return a === undefined || b === undefined
      ? []
      : [
          `${words} from ${a.toFixed(3)} to ${b.toFixed(3)} (${changeWords[changeBetween(name, first, { ...last, held_out_problems: problems })]})`,
        ];
  });
  return parts.length === 0
    ? []
    : [
        `${label}${problems === undefined ? '' : `, ${problems} problem${problems === 1 ? '' : 's'}`}: ${parts.join(', ')}.`,
      ];
}

/** How many held-out problems the last stage that measures was to measure. */
const evaluated = (spec: RunRecord['spec']): number | undefined =>
  spec.stages.flatMap(({ settings }) => ('evaluate_rows' in settings ? settings.evaluate_rows : [])).at(-1);
