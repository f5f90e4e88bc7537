/** Moments of a feedback log as what the policy learns from: rows of tokens, the decisions in them, and what each is worth. */
import { splitOf } from '../../data/generators/split.ts';
import type { Moment } from '../../feedback/history.ts';
import { acceptance, type Judgement, judge } from '../../feedback/rewards.ts';
import type { RewardTable } from '../../spec/feedback-rewards.ts';
import { groupOutcomes } from '../reinforce/advantages.ts';
import { type SharedRow, sharedRow } from '../shared-prefix.ts';

/** A place in a row where an action was chosen, or where the policy is only held near the reference. */
export interface Decision {
  /** Index in the row of the state that chose. */
  readonly position: number;
  /** The action; 0 at an anchor. */
  readonly action: number;
  /** log pi of the action when it was shown. */
  readonly logp: number;
  readonly advantage: number;
  /** Share of the moment's loss: its decisions sum to 1. 0 at an anchor. */
  readonly weight: number;
  /** Index of the alternative; -1 at an anchor. */
  readonly alternative: number;
}

/** A decision of nobody: where the policy is only looked at. */
export const anchorAt = (position: number): Decision => ({
  position,
  action: 0,
  logp: 0,
  advantage: 0,
  weight: 0,
  alternative: -1,
});

export interface Lesson {
  readonly id: string;
  readonly row: SharedRow;
  readonly decisions: readonly Decision[];
  /** Number of tokens before the alternatives. */
  readonly start: number;
  /** Policy that made the alternatives. */
  readonly version: string;
  /** Visit shares of a search at the end of the start, `[action, share]`. */
  readonly visits: readonly (readonly [number, number])[];
  /** How far each judged alternative was wanted, 0 to 1, by index; undefined where nobody knows. */
  readonly wanted: readonly (number | undefined)[];
}

export interface LessonSettings {
  readonly rewards: RewardTable;
  readonly blame: number;
  readonly anchors: number;
  /** Share of the moments that nothing is learned from. */
  readonly held_back: number;
}

export interface Lessons {
  readonly train: readonly Lesson[];
  readonly heldBack: readonly Lesson[];
  /** Mean reward of what was judged. */
  readonly reward: number;
  /** Alternatives that were judged. */
  readonly judged: number;
}

type Judged = { readonly moment: Moment; readonly judgements: readonly (Judgement | undefined)[] };

/**
 * Alternatives of one moment are compared with each other, as GRPO compares the samples of a prompt. Where there is nothing to
 * compare, since one stands alone, all are worth the same, or all were merely refused, the moment is compared with other such
 * moments: their mean is the baseline in place of the greedy sample that ReMax would take, their spread the unit.
 */
export function lessonsOf(moments: readonly Moment[], settings: LessonSettings): Lessons {
  const judged: Judged[] = moments
    .map((moment) => ({
      moment,
      judgements: moment.line.alternatives.map((_, i) => judge(moment, i, settings.rewards, settings.blame)),
    }))
    .filter(({ moment, judgements }) => judgements.some((j) => j !== undefined) || moment.line.visits !== undefined);
  const rewards = judged.flatMap(({ judgements }) => judgements.flatMap((j) => j?.reward ?? []));
  // Whoever tunes from a path of a tree means that path.
  const isHeld = ({ moment: { line } }: Judged) =>
    line.source !== 'search' && splitOf(line.id, settings.held_back) === 'test';
  const training = judged.filter((each) => !isHeld(each));
  const usual = usualOf(training.map(judgementsOf).filter((all) => all.length > 0 && areAlike(all)));
  const toLesson = (each: Judged) => lessonOf(each, usual, settings.anchors);
  return {
    train: training.map(toLesson),
    heldBack: judged.filter(isHeld).map(toLesson),
    reward: mean(rewards),
    judged: rewards.length,
  };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

const judgementsOf = ({ judgements }: Judged): Judgement[] => judgements.flatMap((j) => j ?? []);

/** Whether nothing tells one alternative from another. */
const areAlike = (all: readonly Judgement[]) =>
  all.every(({ refused }) => refused) || all.every(({ reward }) => reward === all[0].reward);

/** What moments are worth in which all alternatives are alike. */
interface Usual {
  readonly mean: number;
  readonly spread: number;
}

function usualOf(moments: readonly (readonly Judgement[])[]): Usual {
  const rewards = moments.map((all) => mean(all.map(({ reward }) => reward)));
  const middle = mean(rewards);
  return { mean: middle, spread: Math.sqrt(mean(rewards.map((r) => (r - middle) ** 2))) };
}

/** Outcome of each judged alternative of a moment. */
function outcomesOf(judged: readonly Judgement[], usual: Usual): ArrayLike<number> {
  const values = judged.map(({ reward }) => reward);
  if (!areAlike(judged)) {
    return groupOutcomes(
      values,
      values.map(() => 0),
    );
  }
  const outcome = (mean(values) - usual.mean) / (usual.spread + 1e-8);
  return values.map(() => outcome);
}

function lessonOf({ moment, judgements }: Judged, usual: Usual, anchors: number): Lesson {
  const { line } = moment;
  const known = judgements.flatMap((j, i) => (j === undefined ? [] : [i]));
  const outcomes = outcomesOf(judgementsOf({ moment, judgements }), usual);
  const start = line.prompt.length;
  // The state behind the last token that is judged chose nothing that is.
  const tokens = known.map((i) => line.alternatives[i].tokens.slice(0, Math.max(0, (judgements[i]?.to ?? 0) - 1)));
  const decisions: Decision[] = [];
  let at = start;
  for (const [k, i] of known.entries()) {
    const { from = 0, to = 0 } = judgements[i] ?? {};
    const { actions, logp } = line.alternatives[i];
    for (let j = from; j < to; j++) {
      decisions.push({
        // The state that chose token j has read the token before it; before the first it is the end of the start.
        position: j === 0 ? start - 1 : at + j - 1,
        action: actions[j],
        logp: logp[j],
        advantage: outcomes[k],
        weight: 1 / ((to - from) * known.length),
        alternative: i,
      });
    }
    at += tokens[k].length;
  }
  decisions.push(...spread(start - 1, anchors).map(anchorAt));
  // Where a search looked on from, and nothing was judged.
  if (known.length === 0) decisions.push(anchorAt(start - 1));
  return {
    id: line.id,
    row: sharedRow(line.prompt, tokens),
    decisions,
    start,
    version: line.version,
    visits: line.visits ?? [],
    wanted: line.alternatives.map((_, i) => acceptance(moment, i)),
  };
}

/** At most `count` of 0..n-1, evenly. */
function spread(n: number, count: number): number[] {
  const taken = Math.min(n, count);
  return Array.from({ length: taken }, (_, i) => Math.floor(((i + 0.5) * n) / taken));
}
