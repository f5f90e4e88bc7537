/** Names of runs: that of the spec, then the same with a number behind it. */
import { basename } from 'node:path';
import { listRuns, runNames } from './run.ts';

/** `countdown` for `countdown.cola.yaml`. */
export function nameOf(specFile: string): string {
  return basename(specFile).replace(/(\.cola)?\.ya?ml$/, '');
}

/** Numbers of the runs of a spec, among all ids; the first has none and counts as 1. */
function numbersOf(ids: readonly string[], name: string): number[] {
  return ids.flatMap((id) => {
    if (id === name) return [1];
    return id.startsWith(`${name}-`) && /^\d+$/.test(id.slice(name.length + 1))
      ? [Number(id.slice(name.length + 1))]
      : [];
  });
}

const numbered = (name: string, number: number) => (number === 1 ? name : `${name}-${number}`);

/** The name that the next run of a spec gets: that of no run, not even of one that cannot be read. @param root folder whose `.cola/runs` holds the runs */
export function nextRun(root: string, specFile: string): string {
  const name = nameOf(specFile);
  return numbered(name, Math.max(0, ...numbersOf(runNames(root), name)) + 1);
}

/** The latest run of a spec; undefined where there is none. */
export function latestRun(root: string, specFile: string): string | undefined {
  const name = nameOf(specFile);
  const ids = listRuns(root).map(({ id }) => id);
  const numbers = numbersOf(ids, name);
  return numbers.length === 0 ? undefined : numbered(name, Math.max(...numbers));
}
