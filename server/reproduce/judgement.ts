/** What the evidence of several seeds says of a claim. */
import { reproduceErrors } from './errors.ts';
import type { Evidence, Results } from './evidence.ts';
import type { Check, Claim, Experiment } from './experiment.ts';
import { type Interval, judge, meanOverSeeds, together, type Verdict } from './statistics.ts';

export interface JudgedCheck extends Interval {
  readonly name: string;
  readonly check: Check;
  readonly verdict: Verdict;
}

export interface JudgedClaim {
  readonly name: string;
  readonly experiment: string;
  readonly claim: Claim;
  readonly verdict: Verdict;
  /** Seeds that there is evidence of. */
  readonly seeds: readonly number[];
  /** Empty where nothing was run. */
  readonly checks: readonly JudgedCheck[];
}

/**
 * The value of a check in one seed: of every problem, where its figures are those of problems, otherwise one. A problem without
 * a score (-1) in one of them is left out: pairs only are compared.
 *
 * @throws reproduce.noFigure
 */
export function valuesOf({ of, less = [], over = [] }: Check, { figures }: Evidence, file: string): number[] {
  const get = (name: string) => {
    const value = figures[name];
    if (value === undefined) throw reproduceErrors.noFigure(file, name, Object.keys(figures));
    return value;
  };
  const terms = [
    ...of.map((name) => ({ sign: 1, value: get(name) })),
    ...less.map((name) => ({ sign: -1, value: get(name) })),
  ];
  const lists = terms.flatMap(({ value }) => (typeof value === 'number' ? [] : [value]));
  const scale = over.length === 0 ? 1 : over.reduce((sum, name) => sum + single(get(name)), 0);
  const whole = () => [terms.reduce((sum, { sign, value }) => sum + sign * single(value), 0) / scale];
  if (lists.length === 0 || lists.some(({ length }) => length !== lists[0].length)) return whole();
  const paired = lists[0].flatMap((_, i) =>
    lists.some((list) => list[i] < 0)
      ? []
      : [
          terms.reduce((sum, { sign, value }) => sum + sign * (typeof value === 'number' ? value : value[i]), 0) /
            scale,
        ],
  );
  return paired.length === 0 ? whole() : paired;
}

function single(value: number | readonly number[]): number {
  if (typeof value === 'number') return value;
  const scored = value.filter((x) => x >= 0);
  return scored.reduce((a, b) => a + b, 0) / Math.max(1, scored.length);
}

/** @throws reproduce.noFigure where a check names what the arms do not find */
export function judgeClaims(experiment: Experiment, { seeds }: Results): JudgedClaim[] {
  const known = Object.keys(seeds)
    .map(Number)
    .sort((a, b) => a - b);
  return Object.entries(experiment.claims).map(([name, claim]) => {
    if (known.length === 0)
      return { name, experiment: experiment.name, claim, verdict: 'not run', seeds: [], checks: [] };
    const checks = Object.entries(claim.checks).map(([named, check]) => {
      const found = meanOverSeeds(known.map((seed) => valuesOf(check, seeds[seed], experiment.file)));
      const { above, below } = check;
      const bounds = { ...(above === undefined ? {} : { above }), ...(below === undefined ? {} : { below }) };
      return { name: named, check, ...found, verdict: judge(found, bounds) };
    });
    const verdict = together(checks.map((each) => each.verdict));
    return { name, experiment: experiment.name, claim, verdict, seeds: known, checks };
  });
}
