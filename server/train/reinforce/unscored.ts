/** Samples without a score: how many, why, and when so few have one that a run should not go on. */
import type { RewardResult } from '../../rewards/reward.ts';
import { trainErrors } from '../errors.ts';

/** Rounds in a row without any score that end a run which had scores before. */
const silentRounds = 3;

/** The reason given most often; undefined without any. */
export function mainReason(reasons: readonly string[]): { reason: string; count: number } | undefined {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  let most: { reason: string; count: number } | undefined;
  for (const [reason, count] of counts) if (count > (most?.count ?? 0)) most = { reason, count };
  return most;
}

export const reasonsOf = (results: readonly RewardResult[]): string[] =>
  results.flatMap((result) => ('noScore' in result ? [result.noScore] : []));

/** Looks at each round's samples as they have been judged. */
export class ScoreWatch {
  private seen = false;
  private said = false;
  private silent = 0;

  constructor(private readonly say: (text: string) => void) {}

  /** Notes that the reward can give scores: some held-out answer has one. */
  scored(): void {
    this.seen = true;
  }

  /**
   * Says once that some samples have no score, and why.
   *
   * @param total judged samples of the round
   * @param reasons why there is no score, one entry a sample without one
   * @throws train.nothingScored when no sample has a score: of the first round, if none had one before, or of several rounds in a row
   */
  look(total: number, reasons: readonly string[]): void {
    const main = mainReason(reasons);
    if (main === undefined) {
      this.seen = true;
      this.silent = 0;
      return;
    }
    const none = reasons.length === total;
    this.silent = none ? this.silent + 1 : 0;
    if (none && (!this.seen || this.silent >= silentRounds)) throw trainErrors.nothingScored(total, main.reason);
    this.seen ||= !none;
    if (this.said) return;
    this.said = true;
    const share = `${reasons.length} of ${total} samples of a round have no score and are left out`;
    this.say(`${share}. The most frequent reason (${main.count} of ${reasons.length}): ${main.reason}.`);
  }
}
