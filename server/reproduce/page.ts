/** What is known of the claims, as one page of Markdown: a table of verdicts, and behind it every value with its interval. */
import type { Results } from './evidence.ts';
import type { Check, Experiment } from './experiment.ts';
import type { JudgedCheck, JudgedClaim } from './judgement.ts';

export interface JudgedExperiment {
  readonly experiment: Experiment;
  readonly results: Results;
  readonly claims: readonly JudgedClaim[];
}

/** Places of a curve that are shown. */
const shownSteps = 9;

const units: Readonly<
  Record<Check['unit'], { readonly factor: number; readonly digits: number; readonly word: string }>
> = {
  points: { factor: 100, digits: 1, word: ' points' },
  percent: { factor: 100, digits: 1, word: ' %' },
  nats: { factor: 1, digits: 3, word: ' nats' },
  bits: { factor: 1, digits: 2, word: ' bits' },
  times: { factor: 1, digits: 2, word: ' times' },
  codes: { factor: 1, digits: 1, word: ' codes' },
  plain: { factor: 1, digits: 3, word: '' },
};

function number(value: number, unit: Check['unit'], signed = false): string {
  const { factor, digits } = units[unit];
  const text = (factor * value).toFixed(digits);
  return signed && !text.startsWith('-') ? `+${text}` : text;
}

/** Differences have a sign. */
const isDifference = ({ less, over }: Check) => less !== undefined && over === undefined;

/** The value with its interval, as `+1.2 points (-0.3 to 2.7)`. */
export function valueText({ check, mean, low, high }: JudgedCheck): string {
  const { unit } = check;
  const signed = isDifference(check);
  const value = `${number(mean, unit, signed)}${units[unit].word}`;
  if (!Number.isFinite(low)) return `${value} (one seed)`;
  return `${value} (${number(low, unit, signed)} to ${number(high, unit, signed)})`;
}

function boundText({ above, below, unit }: Check): string {
  if (above !== undefined && below !== undefined) return `${number(above, unit)} to ${number(below, unit)}`;
  return above !== undefined ? `above ${number(above, unit)}` : `below ${number(below ?? 0, unit)}`;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;

/** `{claim.check}` and `{claim}` filled in: the value of a check, and the verdict of a claim with its seeds. */
export function filled(text: string, claims: readonly JudgedClaim[]): string {
  return text.replaceAll(/\{([a-z0-9-]+)(?:\.([a-z0-9-]+))?\}/g, (whole, named: string, wanted?: string) => {
    const claim = claims.find(({ name }) => name === named);
    if (claim === undefined) return whole;
    if (claim.seeds.length === 0) return 'not run';
    if (wanted === undefined) return `${claim.verdict}, ${seedsText(claim)}`;
    const check = claim.checks.find(({ name }) => name === wanted);
    return check === undefined ? whole : valueText(check);
  });
}

const seedsText = ({ seeds }: JudgedClaim) => `${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds'}`;

export function claimsPage(all: readonly JudgedExperiment[], answer?: string): string {
  const claims = all.flatMap((each) => each.claims);
  return [
    '# What of the paper holds here',
    'Written by `cola reproduce` from `claims/*.json`, which hold what every seed found; what is claimed and how it is judged stands in `claims/*.yaml` of the sources.',
    ...(answer === undefined ? [] : [filled(answer, claims).trim()]),
    '## Claims',
    [
      '| claim | verdict | seeds | what was found |',
      '|---|---|---:|---|',
      ...claims.map(({ claim, verdict, seeds, checks }) =>
        row([
          claim.says,
          verdict,
          String(seeds.length),
          checks.map((check) => `${check.check.says}: ${valueText(check)}`).join('; '),
        ]),
      ),
    ].join('\n'),
    'A value is the mean over seeds, with a 95 % interval by Student’s t over the seeds; where a value is one of every problem, the spread of the problems is a lower bound of its error. A claim *holds* where the intervals of all its checks lie within their bounds, *does not hold* where one lies outside, and otherwise the seeds *cannot tell*; one seed alone never can.',
    ...all.map(section),
    '',
  ].join('\n\n');
}

function section({ experiment, results, claims }: JudgedExperiment): string {
  const seeds = Object.entries(results.seeds);
  const devices = [...new Set(seeds.map(([, { device }]) => device))].filter((name) => name !== '').join(', ');
  const days = [...new Set(seeds.map(([, { date }]) => date))].sort().join(', ');
  const run =
    seeds.length === 0
      ? `Not run. A seed takes about ${experiment.minutes} minutes on two cores.`
      : `Seeds ${seeds.map(([seed]) => seed).join(', ')}; ${days}${devices === '' ? '' : `; device ${devices}`}.`;
  return [`## ${experiment.name}`, `${experiment.about} ${run}`, ...claims.map(claimText), ...curvesText(results)].join(
    '\n\n',
  );
}

function claimText({ name, claim, verdict, checks }: JudgedClaim): string {
  const lines = [`### ${name}: ${verdict}`, `${claim.says} Paper: ${claim.paper}`];
  if (checks.length === 0) return lines.join('\n\n');
  const table = [
    '| | found | bound | each seed | |',
    '|---|---:|---:|---:|---|',
    ...checks.map((each) =>
      row([
        each.check.says,
        valueText(each),
        boundText(each.check),
        each.seeds.map((value) => number(value, each.check.unit, isDifference(each.check))).join(', '),
        each.verdict,
      ]),
    ),
  ];
  return [...lines, table.join('\n')].join('\n\n');
}

/** Means over the seeds, at a few steps from first to last. */
function curvesText({ seeds }: Results): string[] {
  const all = Object.values(seeds);
  const figures = new Map<string, string[]>();
  for (const name of new Set(all.flatMap(({ curves }) => Object.keys(curves)))) {
    const figure = name.slice(name.indexOf('.') + 1);
    figures.set(figure, [...(figures.get(figure) ?? []), name]);
  }
  return [...figures].map(([figure, names]) => {
    const steps = [
      ...new Set(all.flatMap(({ curves }) => names.flatMap((name) => (curves[name] ?? []).map(([x]) => x)))),
    ];
    steps.sort((a, b) => a - b);
    const shown = steps.filter((_, i) => {
      const every = Math.max(1, (steps.length - 1) / (shownSteps - 1));
      return i === steps.length - 1 || Math.floor(i / every) !== Math.floor((i - 1) / every);
    });
    const mean = (name: string, step: number) => {
      const values = all.flatMap(({ curves }) => (curves[name] ?? []).flatMap(([x, y]) => (x === step ? [y] : [])));
      return values.length === 0 ? '' : (values.reduce((a, b) => a + b, 0) / values.length).toPrecision(3);
    };
    return [
      `\`${figure}\` by step, mean over the seeds:\n`,
      `| arm | ${shown.join(' | ')} |`,
      `|---|${shown.map(() => '---:|').join('')}`,
      ...names.map((name) => row([name.slice(0, name.indexOf('.')), ...shown.map((step) => mean(name, step))])),
    ].join('\n');
  });
}
