/** Names of runs: that of the spec, then the same with a number behind it. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { viewOf } from './all-runs.ts';
import { runNames } from './run.ts';

const longest = 80;
/** Names of devices, on Windows. */
const reserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * `countdown` for `countdown.cola.yaml`, `uber-uns` for `über uns.yaml`. Where more is lost because a run cannot be called
 * so, a part of a hash keeps names apart: `run-u1f0c2a` for one in Chinese.
 */
export function runNameOf(specFile: string): string {
  const given = basename(specFile).replace(/(\.cola)?\.ya?ml$/i, '');
  const latin = given.normalize('NFKD').replace(/\p{M}/gu, '').replace(/\s+/g, '-');
  const plain = latin
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|[-.]+$/g, '')
    .slice(0, longest);
  const usable = plain !== '' && !reserved.test(plain);
  if (usable && plain === latin) return plain;
  const hash = createHash('sha256').update(given).digest('hex').slice(0, 6);
  return `${usable ? plain : 'run'}-u${hash}`;
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
  const name = runNameOf(specFile);
  return numbered(name, Math.max(0, ...numbersOf(runNames(root), name)) + 1);
}

/** The latest run of a spec that can be read; undefined where there is none. */
export function latestRun(root: string, specFile: string): string | undefined {
  const name = runNameOf(specFile);
  const latestFirst = numbersOf(runNames(root), name).sort((a, b) => b - a);
  return latestFirst.map((number) => numbered(name, number)).find((id) => viewOf(root, id) !== undefined);
}
