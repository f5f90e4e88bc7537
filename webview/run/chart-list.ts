/** The charts of a run, as data: which lines they have, in which units, and what they say in a sentence. */
import type { MetricRow } from '../../server/protocol/figures/down-sampling.ts';
import { lossName, trendOf } from '../../server/protocol/figures/trend.ts';
import { short } from './findings.ts';

/** Colours of the theme, in the order lines take them; each goes with a dash of its own. */
export const lineColours = ['blue', 'orange', 'green', 'purple', 'red', 'yellow'] as const;
export type LineColour = (typeof lineColours)[number];

export interface Line {
  readonly label: string;
  readonly colour: LineColour;
  /** Steps, ascending. */
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  /** Half the height of a band around it, where there is one. */
  readonly spread?: readonly (number | null)[];
  /** Measured now and then: drawn with points. */
  readonly points: boolean;
  readonly dash?: readonly number[];
}

export interface ChartModel {
  readonly id: string;
  readonly title: string;
  /** Behind every number; `%` numbers are shares. */
  readonly unit: string;
  readonly lines: readonly Line[];
  /** Lines stand on each other. */
  readonly stacked: boolean;
  /** Whether the axis begins at 0. */
  readonly fromZero: boolean;
  /** The largest possible value, where the axis is to show it. */
  readonly most?: number;
}

interface LinePlan {
  readonly name: string;
  readonly label: string;
  readonly held?: true;
  readonly spread?: string;
}

interface ChartPlan {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly LinePlan[];
  readonly stacked?: true;
  readonly fromZero?: true;
  readonly most?: number | 'codes';
  /** Rows of which stages count. */
  readonly only?: 'rewarded' | 'supervised';
}

const plans: readonly ChartPlan[] = [
  {
    id: 'reward',
    title: 'Reward',
    unit: '',
    only: 'rewarded',
    lines: [
      { name: 'reward', label: 'training, ± spread of samples', spread: 'reward_spread' },
      { name: 'greedy_reward', label: 'held back, greedy', held: true },
      { name: 'sampled_reward', label: 'held back, sampled', held: true },
    ],
  },
  {
    id: 'accuracy',
    title: 'Held-back problems solved',
    unit: '%',
    fromZero: true,
    lines: [
      { name: 'greedy_solved', label: 'greedy', held: true },
      { name: 'sampled_solved', label: 'sampled', held: true },
    ],
  },
  {
    id: 'kl',
    title: 'KL from the start',
    unit: 'nats',
    fromZero: true,
    lines: [
      { name: 'kl', label: 'an answer, sampled' },
      { name: 'kl_action', label: 'an action, measured', held: true },
      { name: 'kl_token', label: 'a token, measured', held: true },
    ],
  },
  {
    id: 'entropy',
    title: 'Entropy of the policy',
    unit: 'nats',
    fromZero: true,
    lines: [{ name: 'entropy', label: 'training' }],
  },
  {
    id: 'length',
    title: 'Length of answers',
    unit: 'tokens',
    fromZero: true,
    lines: [
      { name: 'answer_tokens', label: 'training' },
      { name: 'held_out_answer_tokens', label: 'held back', held: true },
    ],
  },
  {
    id: 'loss',
    title: 'Loss',
    unit: 'nats',
    only: 'supervised',
    lines: [
      { name: 'loss', label: 'training' },
      { name: 'held_out_loss', label: 'held back', held: true },
      { name: 'base_loss', label: 'base without actions', held: true },
      { name: 'held_out_random_loss', label: 'held back, under a random code', held: true },
    ],
  },
  {
    id: 'policy',
    title: 'Actions the policy names right',
    unit: '%',
    fromZero: true,
    lines: [
      { name: 'accuracy', label: 'training' },
      { name: 'held_out_accuracy', label: 'held back', held: true },
    ],
  },
  {
    id: 'marginal',
    title: 'KL from the base, drawn actions',
    unit: 'nats',
    fromZero: true,
    lines: [
      { name: 'marginal_kl', label: 'training' },
      { name: 'held_out_marginal_kl', label: 'held back', held: true },
    ],
  },
  {
    id: 'alive',
    title: 'Codes alive',
    unit: 'codes',
    fromZero: true,
    most: 'codes',
    lines: [
      { name: 'held_out_alive', label: 'held back, most likely action', held: true },
      { name: 'alive', label: 'training batch' },
    ],
  },
  {
    id: 'bits',
    title: 'What an action says',
    unit: 'bits',
    fromZero: true,
    lines: [{ name: 'held_out_bits', label: 'held back', held: true }],
  },
  {
    id: 'recovered',
    title: 'Forced codes that are named again',
    unit: '%',
    fromZero: true,
    lines: [{ name: 'held_out_recovered', label: 'held back', held: true }],
  },
  {
    id: 'time',
    title: 'Time of a step',
    unit: 's',
    stacked: true,
    fromZero: true,
    only: 'rewarded',
    lines: [
      { name: 'seconds_rollout', label: 'rollout' },
      { name: 'seconds_reward', label: 'reward' },
      { name: 'seconds_update', label: 'update' },
    ],
  },
  {
    id: 'workers',
    title: 'Time of the workers',
    unit: 's',
    stacked: true,
    fromZero: true,
    lines: [
      { name: 'seconds_worker_rollout', label: 'rollout' },
      { name: 'seconds_worker_gradient', label: 'gradient' },
      { name: 'seconds_transfer', label: 'transfer' },
      { name: 'seconds_waiting', label: 'waiting' },
    ],
  },
  {
    id: 'pace',
    title: 'Time of a step without rollouts',
    unit: 's',
    fromZero: true,
    only: 'supervised',
    lines: [{ name: 'seconds', label: 'step' }],
  },
  {
    id: 'gradient',
    title: 'Gradient norm',
    unit: '',
    fromZero: true,
    lines: [{ name: 'gradient_norm', label: 'before clipping' }],
  },
];

export interface Rows {
  readonly steps: readonly MetricRow[];
  readonly evaluations: readonly MetricRow[];
}

/** Stages that learn from rewards: their loss is no loss in the usual sense. */
export function rewardedStages({ steps, evaluations }: Rows): ReadonlySet<string> {
  const rewarded = [...steps, ...evaluations].filter(({ values }) => 'reward' in values || 'greedy_reward' in values);
  return new Set(rewarded.map(({ stage }) => stage));
}

/** The charts for which there is something to draw. @param codes N, where it is known */
export function chartsOf(rows: Rows, codes: number | undefined): ChartModel[] {
  const rewarded = rewardedStages(rows);
  return plans.flatMap((plan) => {
    const wanted = ({ stage }: MetricRow) =>
      plan.only === undefined || rewarded.has(stage) === (plan.only === 'rewarded');
    const lines = plan.lines.flatMap((each, i) => {
      const line = lineOf(each, (each.held ? rows.evaluations : rows.steps).filter(wanted), lineColours[i]);
      return line.y.some((y) => y !== null) ? [line] : [];
    });
    if (lines.length === 0) return [];
    const most = plan.most === 'codes' ? codes : plan.most;
    const { id, stacked = false, fromZero = false } = plan;
    const objective = id === 'loss' && lossName(lines.flatMap(({ y }) => y)) === 'objective';
    const { title, unit } = objective ? { title: 'Objective', unit: '' } : plan;
    return [{ id, title, unit, lines, stacked, fromZero, ...(most === undefined ? {} : { most }) }];
  });
}

function lineOf({ name, label, held, spread }: LinePlan, rows: readonly MetricRow[], colour: LineColour): Line {
  const own = rows.filter(({ values }) => name in values);
  const of = (key: string) => own.map(({ values }) => values[key] ?? null);
  return {
    label,
    colour,
    x: own.map(({ step }) => step),
    y: of(name),
    points: held === true,
    ...(spread === undefined ? {} : { spread: of(spread) }),
    ...(held ? { dash: [4, 3] } : {}),
  };
}

/** One line a run for every chart that any of them has: the first of its lines that the run has. */
export function overlaid(
  runs: readonly { readonly label: string; readonly charts: readonly ChartModel[] }[],
): ChartModel[] {
  const ids = [...new Set(plans.map(({ id }) => id))];
  return ids.flatMap((id) => {
    const found = runs.map(({ label, charts }) => ({ label, chart: charts.find((chart) => chart.id === id) }));
    const model = found.find(({ chart }) => chart !== undefined)?.chart;
    if (model === undefined) return [];
    if (model.stacked) return [];
    // All show the same line: what one measured and another sampled is not comparable.
    const kind = model.lines
      .map(({ label }) => label)
      .find((name) =>
        found.every(({ chart }) => chart === undefined || chart.lines.some(({ label }) => label === name)),
      );
    const lines = found.flatMap(({ label, chart }, i) => {
      const line = chart?.lines.find((each) => each.label === (kind ?? model.lines[0].label));
      if (line === undefined) return [];
      const { x, y, points } = line;
      return [{ label, x, y, points, colour: lineColours[i % lineColours.length], dash: dashes[i % dashes.length] }];
    });
    const title = kind === undefined || model.lines.length === 1 ? model.title : `${model.title} (${kind})`;
    return [{ ...model, title, lines }];
  });
}

/** A second channel beside the colour. */
export const dashes: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2]];

/** A number of a chart with its unit. */
export function withUnit(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return 'none';
  if (unit === '%')
    return `${Math.abs(value) >= 0.1 || value === 0 ? (100 * value).toFixed(0) : Number((100 * value).toPrecision(2))} %`;
  return unit === '' ? short(value) : `${short(value)} ${unit}`;
}

/** What a chart shows, for who does not see it. */
export function chartWords({ title, unit, lines }: ChartModel): string {
  const parts = lines.map(({ label, x, y }) => {
    const numbers = y.flatMap((value, i) => (value === null ? [] : [{ value, step: x[i] }]));
    const last = numbers.at(-1);
    if (last === undefined) return `${label}: nothing yet`;
    const low = numbers.reduce((a, b) => (b.value < a.value ? b : a));
    const high = numbers.reduce((a, b) => (b.value > a.value ? b : a));
    const { change } = trendOf(numbers.map(({ value }) => value));
    const trend = change === 'rises' || change === 'falls' ? `, ${change}` : '';
    const range = `lowest ${withUnit(low.value, unit)} at step ${low.step}, highest ${withUnit(high.value, unit)} at step ${high.step}`;
    return `${label}: ${withUnit(last.value, unit)} at step ${last.step}${trend}; ${range}`;
  });
  return `${title}. ${parts.join('. ')}.`;
}

/** Exponential moving average over about `span` values; gaps stay gaps. @param span 0 or 1 for none */
export function smoothed(values: readonly (number | null)[], span: number): (number | null)[] {
  if (span <= 1) return [...values];
  const keep = 1 - 2 / (span + 1);
  let mean: number | undefined;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean === undefined ? value : keep * mean + (1 - keep) * value;
    return mean;
  });
}
