/** What `cola start` says at its end: what was tuned, what got better beyond chance and what did not, what to open next. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { changeBetween, passOf, type SolvedFigure } from '../protocol/figures/solved-change.ts';
import { type MetricLine, numberIn, type RunRecord } from '../report/run-record.ts';
import type { StartSettings } from '../start/specs.ts';

/** What is solved, in words. */
function solvedFigures(line: MetricLine): (readonly [SolvedFigure, string])[] {
  const pass = passOf(line);
  const one = pass === undefined ? [] : [[pass.name, `solved by one of ${pass.samples} samples`] as const];
  return [['greedy_solved', 'solved at the first try'], ['sampled_solved', 'solved by a sample'], ...one];
}

const headings = {
  rises: 'Better, beyond chance',
  falls: 'Worse, beyond chance',
  none: 'No clear change',
  unknown: 'Too few problems to tell',
} as const;

/** @returns sentences on what changed, under their headings */
export function changesOf(runs: readonly RunRecord[]): { readonly heading: string; readonly lines: string[] }[] {
  const found = runs.flatMap(({ label, measurements }) => {
    const [first, last] = [measurements[0], measurements.at(-1)];
    if (first === undefined || last === undefined || first === last) return [];
    return solvedFigures(last).flatMap(([name, what]) => {
      const [before, after] = [numberIn(first, name), numberIn(last, name)];
      if (before === undefined || after === undefined) return [];
      const shares = `${(100 * before).toFixed(1)} % → ${(100 * after).toFixed(1)} %`;
      return [{ change: changeBetween(name, first, last), line: `${label}: ${what} ${shares}` }];
    });
  });
  return (['rises', 'falls', 'none', 'unknown'] as const).flatMap((change) => {
    const lines = found.filter((each) => each.change === change).map(({ line }) => line);
    return lines.length === 0 ? [] : [{ heading: headings[change], lines }];
  });
}

/** The part above the table. */
export function tunedText({ model, steps, batch, group, problems }: StartSettings): string {
  const rounds = `${steps} rounds of ${batch} problems with ${group} samples each`;
  return `Tuned: ${model} on countdown, which is to reach a number with three others; ${rounds}.\nMeasured on ${problems} problems that it has not learned from.`;
}

/** What to do next, with commands that work as they stand. */
export function nextSteps(runs: readonly RunRecord[], report: string, shown: (path: string) => string): string[] {
  const [actions] = runs;
  const ask = 'Numbers: 03 09 12 Target: 24 Answer:';
  const rows = [
    [shown(report), 'curves, samples with their actions, the codes: in a browser, without network'],
    ['npm run code', 'a VS Code with CoLA Studio in it'],
    [`npm run -s cola -- generate --model ${actions.id} --chat "${ask}"`, 'asks the tuned model'],
    [shown(join(actions.path, 'model')), 'the tuned model, a Hugging Face folder'],
  ];
  const lines = rows.map(([what, why]) => `  ${what}\n      ${why}`);
  for (const { label, path, measurements } of runs) {
    if (!existsSync(join(path, 'best', 'config.json'))) continue;
    const last = measurements.at(-1)?.step ?? 0;
    lines.push(`  ${shown(join(path, 'best'))}\n      ${label}: as it was before step ${last}, where it scored higher`);
  }
  return lines;
}
