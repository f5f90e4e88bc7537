/** Which held-out problems are solved, one by one, so that the same problems can be compared before and after. */
import { type Judged, scoreOf } from '../reinforce/episode.ts';
import type { Metrics } from '../stage.ts';
import type { Figures } from './figures.ts';

/** By problem: 1 or 0 for the greedy answer, the solved share of the samples; -1 where no answer has a score. */
export interface SolvedEach {
  readonly greedy: readonly number[];
  readonly sampled: readonly number[];
}

/** Of more problems than this no list is kept: intervals of shares are narrow then. */
const most = 4096;
const names = { greedy: 'greedy_solved_each', sampled: 'sampled_solved_each' } as const;

type Result = Pick<Judged, 'result'>;

/** @param groups the samples of each problem */
export function solvedEach(
  greedy: readonly Result[],
  groups: readonly (readonly Result[])[],
  solvedAt: number,
): SolvedEach {
  const share = (rows: readonly Result[]) => {
    const scores = rows.flatMap(({ result }) => scoreOf(result) ?? []);
    if (scores.length === 0) return -1;
    return Number((scores.filter((value) => value >= solvedAt).length / scores.length).toFixed(4));
  };
  return { greedy: greedy.map((row) => share([row])), sampled: groups.map(share) };
}

/** As it stands in the line of a measurement. */
export function solvedLists({ greedy, sampled }: SolvedEach): Metrics {
  return greedy.length > most ? {} : { [names.greedy]: greedy, [names.sampled]: sampled };
}

/** What a line of a measurement says of each problem. */
export function solvedIn(metrics: Readonly<Record<string, unknown>>): SolvedEach | undefined {
  const list = (name: string) => {
    const value = metrics[name];
    return Array.isArray(value) && value.every((each) => typeof each === 'number') ? (value as number[]) : undefined;
  };
  const [greedy, sampled] = [list(names.greedy), list(names.sampled)];
  return greedy === undefined || sampled === undefined ? undefined : { greedy, sampled };
}

/**
 * How the same problems turned since another measurement: `greedy_gained` and `greedy_lost`; `pass_gained` and `pass_lost` of
 * those that one sample at least solves; and `sampled_noise`, the standard error of the change of `sampled_solved`. Problems
 * without a score in either are left out. Nothing where the problems are not as many.
 */
export function turned(before: SolvedEach, after: SolvedEach): Figures {
  if (before.greedy.length !== after.greedy.length || before.sampled.length !== after.sampled.length) return {};
  const pairs = (which: keyof SolvedEach) =>
    before[which].flatMap((was, i) => {
      const is = after[which][i];
      return was < 0 || is < 0 ? [] : [{ was, is }];
    });
  const [greedy, sampled] = [pairs('greedy'), pairs('sampled')];
  const count = (all: typeof greedy, good: (from: number, to: number) => boolean) =>
    all.filter(({ was, is }) => good(was, is)).length;
  const differences = sampled.map(({ was, is }) => is - was);
  const n = differences.length;
  const mean = differences.reduce((a, b) => a + b, 0) / Math.max(1, n);
  const variance = differences.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, n - 1);
  return {
    greedy_gained: count(greedy, (was, is) => is > was),
    greedy_lost: count(greedy, (was, is) => is < was),
    pass_gained: count(sampled, (was, is) => was === 0 && is > 0),
    pass_lost: count(sampled, (was, is) => was > 0 && is === 0),
    ...(n > 1 ? { sampled_noise: Math.sqrt(variance / n) } : {}),
  };
}

/** The mean over several measurements of the same problems; greedy answers are the same in all. */
export function overSeeds(all: readonly SolvedEach[]): SolvedEach {
  const sampled = all[0].sampled.map((_, i) => {
    const known = all.flatMap((each) => (each.sampled[i] < 0 ? [] : each.sampled[i]));
    return known.length === 0 ? -1 : known.reduce((a, b) => a + b, 0) / known.length;
  });
  return { greedy: all[0].greedy, sampled };
}
