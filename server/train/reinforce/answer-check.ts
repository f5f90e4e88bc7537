/** Whether prompts have what their reward compares answers with. */
import { dataErrors } from '../../data/errors.ts';
import { placeOf, type Row } from '../../data/rows.ts';
import { textsColumn } from '../../rewards/reward.ts';
import { type ParsedReward, parseRewardSpec, type RewardSpec } from '../../rewards/spec.ts';
import type { DataSpec } from '../../spec/settings/parts.ts';
import { dataName, skipsBadRows } from '../data.ts';
import type { StageContext } from '../stage.ts';
import type { Prompt } from './episode.ts';

/** Columns without which a reward has nothing to say. */
function columnsOf(reward: ParsedReward): string[] {
  switch (reward.name) {
    case 'exact':
    case 'numeric':
    case 'maths':
    case 'similarity':
      return [reward.options.column];
    case 'sum':
      return reward.terms.flatMap((term) => columnsOf(term.reward));
    default:
      return [];
  }
}

/** Lets prompts pass that can be scored; of others it counts how many there are, or leaves them out where the data says so. */
export class AnswerCheck {
  private readonly columns: readonly string[];
  private readonly strict: boolean;
  private seen = 0;
  private readonly without = new Map<string, number>();

  /** @throws reward.* */
  constructor(
    private readonly data: DataSpec,
    reward: RewardSpec,
  ) {
    this.columns = columnsOf(parseRewardSpec(reward));
    this.strict = skipsBadRows(data);
  }

  /** @throws data.noAnswer for a prompt that cannot be scored, where bad rows are left out */
  pass<P extends Pick<Prompt, 'row'>>(prompt: P, row: Row): P {
    this.seen++;
    for (const column of this.columns) {
      if (!('noScore' in textsColumn(prompt.row, column))) continue;
      if (this.strict) throw dataErrors.noAnswer(placeOf(row) ?? dataName(this.data), column);
      this.without.set(column, (this.without.get(column) ?? 0) + 1);
    }
    return prompt;
  }

  /** Says how many prompts cannot be scored, where there are any. */
  tell({ say }: Pick<StageContext, 'say'>): void {
    for (const [column, count] of this.without) {
      const of = count === this.seen ? 'none' : `${this.seen - count}`;
      say(
        `${dataName(this.data)}: ${of} of ${this.seen} rows can be scored; the others lack the column "${column}" that the reward compares with`,
      );
    }
  }
}
