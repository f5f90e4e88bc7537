/** From what a person did to a number, by a table that can be changed; and which actions earn it. */
import type { RewardTable } from '../spec/feedback-rewards.ts';
import { type Moment, type Outcome, textOf } from './history.ts';
import type { LoggedAlternative } from './lines.ts';

export interface Judgement {
  readonly reward: number;
  /** Tokens `from..to` of the alternative whose actions earn it. */
  readonly from: number;
  readonly to: number;
  /** Whether it was merely not taken. That several were not says nothing about which of them was wanted least. */
  readonly refused: boolean;
}

/** Tokens that lie wholly within so many characters; at least one where there are any. */
function tokensWithin({ pieces }: LoggedAlternative, characters: number): number {
  if (characters <= 0) return 0;
  let end = 0;
  let count = 0;
  while (count < pieces.length && end + pieces[count].length <= characters) end += pieces[count++].length;
  return Math.max(1, count);
}

/**
 * What alternative `index` of a moment is worth; undefined where the person did not judge it.
 *
 * @param blame actions that answer for a rejection: those that follow on what was taken
 */
export function judge(moment: Moment, index: number, table: RewardTable, blame: number): Judgement | undefined {
  const alternative = moment.line.alternatives[index];
  const outcome = moment.outcomes[index];
  const count = alternative.tokens.length;
  const all = (value: number): Judgement => ({ reward: value, from: 0, to: count, refused: false });
  if (count === 0) return undefined;
  if (outcome.correction !== undefined) return all(outcome.correction);
  if (outcome.score !== undefined) return all(table.score * (2 * outcome.score - 1));
  if (outcome.mark !== undefined) return all(table[outcome.mark]);
  if (outcome.picked) return all(lasting(table.picked, outcome, table));
  if (outcome.accepted > 0) {
    const share = Math.min(1, outcome.accepted / Math.max(1, textOf(alternative).length));
    const value = lasting(outcome.typed ? table.typed : table.accepted, outcome, table);
    return { reward: share * value, from: 0, to: tokensWithin(alternative, outcome.accepted), refused: false };
  }
  const value = refusal(outcome, table);
  return value === undefined ? undefined : { reward: value, from: 0, to: Math.min(count, blame), refused: true };
}

const lasting = (value: number, { survived = 1 }: Outcome, table: RewardTable) =>
  survived * value + (1 - survived) * table.removed;

function refusal({ rejected, passed }: Outcome, table: RewardTable): number | undefined {
  switch (rejected) {
    case 'escape':
      return table.escape;
    case 'typed':
      return table.other;
    case 'moved':
      return passed ? table.passed : table.moved;
    case undefined:
      return passed ? table.passed : undefined;
  }
}

/**
 * How far a person wanted an alternative, 0 to 1, whatever rewards are set to; undefined where nobody knows. What versions are
 * compared by.
 */
export function acceptance({ line, outcomes }: Moment, index: number): number | undefined {
  const { correction, score, mark, picked, accepted, survived = 1, rejected, passed } = outcomes[index];
  if (correction !== undefined) return correction > 0 ? 1 : 0;
  if (score !== undefined) return Math.min(1, Math.max(0, score));
  if (mark !== undefined) return mark === 'banned' ? 0 : 1;
  if (picked) return survived;
  if (accepted > 0) return survived * Math.min(1, accepted / Math.max(1, textOf(line.alternatives[index]).length));
  return rejected === undefined && !passed ? undefined : 0;
}
