/**
 * What the figures of a run come to, in plain words. A change counts only where it is beyond the noise; what cannot be told
 * yet is not told.
 */
import { collapsedEntropy } from '../../server/protocol/figures/collapse.ts';
import type { MetricRow } from '../../server/protocol/figures/down-sampling.ts';
import { healthyCodes, isHealthy } from '../../server/protocol/figures/healthy-codes.ts';
import { newcombe } from '../../server/protocol/figures/shares.ts';
import { changeBetween } from '../../server/protocol/figures/solved-change.ts';
import { beyondNoise, type Change, lossName, trendOf } from '../../server/protocol/figures/trend.ts';
import type { CodeUsage } from '../../server/protocol/history.ts';

export interface Finding {
  readonly text: string;
  readonly weight: 'good' | 'plain' | 'bad';
}

export interface FindingsInput {
  /** Rows of steps and of measurements of the stage that is looked at. */
  readonly steps: readonly MetricRow[];
  readonly evaluations: readonly MetricRow[];
  /** Uses of codes in that stage. */
  readonly usage: readonly CodeUsage[];
}

/** The numbers of a name in the order of the rows. */
export function seriesOf(rows: readonly MetricRow[], name: string): number[] {
  return rows.flatMap(({ values }) => {
    const value = values[name];
    return typeof value === 'number' ? [value] : [];
  });
}

/** A number with three digits that count. */
export function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  if (size < 0.001) return value.toExponential(1).replace('e-', 'e−');
  return String(Number(value.toPrecision(3)));
}

const percent = (share: number) => `${Math.round(100 * share)} %`;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
const recent = (values: readonly number[]) => mean(values.slice(-5));

/** One or more findings, the most important first. */
export function findings(input: FindingsInput): Finding[] {
  if (input.steps.length === 0 && input.evaluations.length === 0) return [];
  const rewarded = input.steps.some(({ values }) => 'reward' in values);
  const found = rewarded ? reinforced(input) : supervised(input);
  return [...broken(input.steps), ...found, ...codes(input.usage), ...saying(input.evaluations)];
}

function reinforced({ steps, evaluations }: FindingsInput): Finding[] {
  const groups = seriesOf(steps, 'mixed_groups').slice(-5);
  const finished = seriesOf(steps, 'finished');
  const unscored = steps.slice(-5).reduce((sum, { values }) => sum + (values.unscored ?? 0), 0);
  const list = [
    rewardTrend(seriesOf(steps, 'reward')),
    heldOut(evaluations),
    drift(evaluations, steps),
    entropyOf(seriesOf(steps, 'entropy')),
    groups.length > 0 && mean(groups) < 0.2
      ? bad(
          mean(groups) === 0
            ? 'In the last rounds every sample of a prompt got the same reward, so nothing is learned.'
            : `Only in ${percent(mean(groups))} of the groups do rewards differ; the others teach nothing.`,
        )
      : undefined,
    finished.length > 0 && recent(finished) < 0.7
      ? bad(`${percent(1 - recent(finished))} of the answers are cut off at the longest length.`)
      : undefined,
    unscored > 0 ? bad(`${unscored} of the last samples have no score and were left out.`) : undefined,
  ];
  return list.filter((each) => each !== undefined);
}

const plain = (text: string): Finding => ({ text, weight: 'plain' });
const good = (text: string): Finding => ({ text, weight: 'good' });
const bad = (text: string): Finding => ({ text, weight: 'bad' });

function rewardTrend(values: readonly number[]): Finding | undefined {
  if (values.length === 0) return undefined;
  const { change, first, last, noise } = trendOf(values);
  const one = values.length === 1;
  const steps = `${values.length} step${one ? '' : 's'}`;
  switch (change) {
    case 'rises':
      return good(`Reward rises, ${short(first)} → ${short(last)}.`);
    case 'falls':
      return bad(`Reward falls, ${short(first)} → ${short(last)}.`);
    case 'none':
      return plain(`Reward shows no clear change in ${steps} (${short(last)} ± ${short(beyondNoise * noise)}).`);
    case 'unknown':
      return plain(`Reward is ${short(recent(values))}; ${steps} ${one ? 'is' : 'are'} too few to see a trend.`);
  }
}

/** A change of the solved share counts only where its interval leaves out zero. */
function heldOut(evaluations: readonly MetricRow[]): Finding | undefined {
  const values = seriesOf(evaluations, 'greedy_solved');
  const first = values[0];
  const last = values.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const [problems] = seriesOf(evaluations, 'held_out_problems').slice(-1);
  const of = problems === undefined ? '' : ` of ${problems} held-back problem${problems === 1 ? '' : 's'}`;
  if (values.length === 1) return plain(`${percent(last)}${of} solved at the start.`);
  const change = `Solved${of}: ${percent(first)} → ${percent(last)}`;
  if (problems === undefined) return plain(`${change}; of how many problems is not known.`);
  const solved = evaluations.map((row) => row.values).filter((figures) => typeof figures.greedy_solved === 'number');
  const { greedy_gained: gained, greedy_lost: lost } = solved[solved.length - 1];
  switch (changeBetween('greedy_solved', solved[0], solved[solved.length - 1])) {
    case 'rises':
      return good(`${change}.`);
    case 'falls':
      return bad(`${change}.`);
    case 'none': {
      if (typeof gained === 'number' && typeof lost === 'number')
        return plain(`${change}, no clear change (${gained} more, ${lost} no longer).`);
      const { low, high } = newcombe(first, problems, last, problems);
      return plain(`${change}, no clear change (95 % interval ${points(low)} to ${points(high)} points).`);
    }
    case 'unknown':
      return plain(`${change}, too few to tell.`);
  }
}

/** A difference of shares in points of percent, with its sign. */
const points = (difference: number) => {
  const rounded = Math.round(100 * difference);
  return rounded < 0 ? `−${-rounded}` : `+${rounded}`;
};

/** In nats an action, how far a policy has moved: judged by eye in many runs, not by a theory. */
const lowDrift = 0.1;
const highDrift = 1;

function drift(evaluations: readonly MetricRow[], steps: readonly MetricRow[]): Finding | undefined {
  const measured = seriesOf(evaluations, 'kl_action').at(-1) ?? seriesOf(evaluations, 'kl_token').at(-1);
  const lengths = seriesOf(steps, 'answer_tokens');
  const sampled = recent(seriesOf(steps, 'kl')) / Math.max(1, recent(lengths));
  const value = measured ?? (steps.length > 0 ? sampled : undefined);
  if (value === undefined || !Number.isFinite(value)) return undefined;
  const figure = `(${short(Math.max(0, value))} nats an action)`;
  if (value >= highDrift) return bad(`KL is high ${figure}: the policy has moved far from where it began.`);
  return plain(value < lowDrift ? `KL is low ${figure}.` : `KL is moderate ${figure}.`);
}

function entropyOf(values: readonly number[]): Finding | undefined {
  const fallen = collapsedEntropy(values);
  if (fallen === undefined) return undefined;
  return bad(
    `Entropy fell from ${short(fallen.first)} to ${short(fallen.now)} nats: the policy hardly varies any more.`,
  );
}

function supervised({ steps, evaluations }: FindingsInput): Finding[] {
  const found: Finding[] = [];
  const losses = seriesOf(steps, 'loss');
  if (losses.length > 0 && lossName(losses) === 'loss') {
    const { change, first, last } = trendOf(losses);
    const words = {
      rises: bad(`Loss rises, ${short(first)} → ${short(last)} nats.`),
      falls: good(`Loss falls, ${short(first)} → ${short(last)} nats.`),
      none: plain(`Loss shows no clear change (${short(last)} nats).`),
      unknown: plain(
        `Loss is ${short(recent(losses))} nats; ${losses.length === 1 ? '1 step is' : `${losses.length} steps are`} too few to see a trend.`,
      ),
    } satisfies Record<Change, Finding>;
    found.push(words[change]);
  }
  const held = evaluations.flatMap(({ step, values: { held_out_loss: loss } }) =>
    typeof loss === 'number' ? [{ step, loss }] : [],
  );
  const last = held.at(-1);
  if (last !== undefined && held.length > 1) {
    const best = held.reduce((a, b) => (b.loss < a.loss ? b : a));
    const worse = last.loss > best.loss * 1.02 && last.step > best.step;
    found.push(
      worse
        ? bad(
            `On held-back text it was best at step ${best.step} (${short(best.loss)} nats) and is worse now (${short(last.loss)}).`,
          )
        : plain(`Held-back loss is ${short(last.loss)} nats, ${short(held[0].loss)} at the start.`),
    );
  }
  const accuracy = seriesOf(evaluations, 'held_out_accuracy').at(-1);
  if (accuracy !== undefined) found.push(plain(`The policy names ${percent(accuracy)} of the actions.`));
  return found;
}

function broken(steps: readonly MetricRow[]): Finding[] {
  const lost = steps.filter(({ values }) => values.loss === null || values.gradient_norm === null).length;
  return lost === 0 ? [] : [bad(`In ${lost} step${lost === 1 ? '' : 's'} the loss was not a number.`)];
}

/** Codes by their greedy use on held-back data: sampled actions would make dead codes look alive. */
function codes(usage: readonly CodeUsage[]): Finding[] {
  const measured = usage.filter(({ evaluation }) => evaluation);
  const [first] = measured;
  const last = measured.at(-1);
  if (first === undefined || last === undefined) return [];
  const { length } = last.counts;
  const unused = last.counts.filter((n) => n === 0).length;
  const lost = last.counts.filter((n, code) => n === 0 && (first.counts[code] ?? 0) > 0).length;
  const share =
    Math.max(...last.counts) /
    Math.max(
      1,
      last.counts.reduce((a, b) => a + b, 0),
    );
  const gone = lost > 0 && measured.length > 1 ? `, ${lost === unused ? 'all' : lost} of them since the start` : '';
  const found = [
    unused === 0
      ? plain(`All ${length} codes are used on held-back data.`)
      : plain(`${unused} of ${length} codes unused on held-back data${gone}.`),
  ];
  if (share > 0.5)
    found.push(bad(`Code ${last.counts.indexOf(Math.max(...last.counts))} makes ${percent(share)} of the choices.`));
  return found;
}

/** Whether the codes say anything: that they are in use does not show it. */
function saying(evaluations: readonly MetricRow[]): Finding[] {
  const recovered = seriesOf(evaluations, 'held_out_recovered').at(-1);
  const bits = seriesOf(evaluations, 'held_out_bits').at(-1);
  if (recovered === undefined) return [];
  const named = `${percent(recovered)} of forced codes are named again by the inverse dynamics`;
  if (bits === undefined) return [plain(`${named}.`)];
  const said = `An action says ${short(bits)} bits, and ${named}`;
  return [
    isHealthy({ bits, recovered })
      ? good(`${said}: the codebook is healthy.`)
      : bad(
          `${said}: the codes say too little (${healthyCodes.bits} bits and ${percent(healthyCodes.recovered)} are wanted).`,
        ),
  ];
}
