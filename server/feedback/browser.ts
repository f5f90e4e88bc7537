/** The log for people: what was recorded, in words, and how to correct and delete it. */
import type { FeedbackItem } from '../protocol/feedback.ts';
import { feedbackSettings } from '../spec/settings/feedback.ts';
import { feedbackErrors } from './errors.ts';
import { historyOf, type Moment, type Outcome, textOf } from './history.ts';
import { FeedbackLog, feedbackFile } from './log.ts';
import { acceptance, judge } from './rewards.ts';

const { rewards, blame } = feedbackSettings.parse({});

const reasons = { escape: 'put away', typed: 'something else was written', moved: 'the cursor went away' } as const;

/** What became of an alternative, in words. */
function describe(outcome: Outcome, length: number): string {
  const { accepted, typed, picked, rejected, passed, survived, score, mark, shown } = outcome;
  const words: string[] = [];
  if (picked) words.push('picked');
  else if (accepted > 0) {
    const share = accepted >= length ? '' : `, ${accepted} of ${length} characters`;
    words.push(`${typed ? 'written by hand' : 'accepted'}${share}`);
  } else if (rejected !== undefined) words.push(reasons[rejected]);
  else if (passed) words.push('passed over');
  else if (shown) words.push('shown');
  if (survived !== undefined && survived < 1) words.push(`${Math.round(100 * survived)} % still there`);
  if (score !== undefined) words.push(`scored ${score}`);
  if (mark !== undefined) words.push(mark);
  return words.join(', ');
}

function itemOf(moment: Moment): FeedbackItem {
  const { id, at, source, version, before, alternatives } = moment.line;
  return {
    id,
    at,
    source,
    version,
    before,
    alternatives: alternatives.map((alternative, i) => {
      const text = textOf(alternative);
      return {
        text,
        actions: alternative.actions,
        outcome: describe(moment.outcomes[i], text.length),
        reward: judge(moment, i, rewards, blame)?.reward ?? null,
        corrected: moment.outcomes[i].correction !== undefined,
      };
    }),
  };
}

export class FeedbackBrowser {
  private readonly log: FeedbackLog;

  constructor(root: string) {
    this.log = new FeedbackLog(feedbackFile(root));
  }

  private get moments(): Moment[] {
    return historyOf(this.log.read().map(({ line }) => line));
  }

  /** Newest first. */
  list(filter: string, from: number, limit: number) {
    const wanted = filter.toLowerCase();
    const items = this.moments
      .reverse()
      .map(itemOf)
      .filter(({ before, alternatives }) =>
        [before, ...alternatives.map(({ text }) => text)].some((text) => text.toLowerCase().includes(wanted)),
      );
    return { path: this.log.path, bytes: this.log.size, count: items.length, items: items.slice(from, from + limit) };
  }

  /** @throws feedback.noMoment, feedback.alternative, store.cannotWrite */
  correct(id: string, alternative: number, reward: number | null): void {
    const moment = this.moments.find(({ line }) => line.id === id);
    if (moment === undefined) throw feedbackErrors.noMoment(id);
    const count = moment.outcomes.length;
    if (alternative >= count) throw feedbackErrors.alternative(id, alternative, count);
    this.log.append([{ kind: 'correction', at: Date.now(), moment: id, alternative, reward }]);
  }

  /** @param moments all, if not given. @returns how many moments went */
  erase(moments: readonly string[] | undefined): number {
    if (moments === undefined) {
      const { length } = this.moments;
      this.log.clear();
      return length;
    }
    const doomed = new Set(moments);
    const { length } = this.moments.filter(({ line }) => doomed.has(line.id));
    this.log.erase((line) => doomed.has(line.kind === 'moment' ? line.id : line.moment));
    return length;
  }

  /** How often alternatives that began with an action were looked at, taken and refused. */
  action(action: number): { shown: number; accepted: number; rejected: number } {
    const counts = { shown: 0, accepted: 0, rejected: 0 };
    for (const moment of this.moments) {
      for (const [i, { actions }] of moment.line.alternatives.entries()) {
        if (actions[0] !== action) continue;
        const wanted = acceptance(moment, i);
        if (moment.outcomes[i].shown || wanted !== undefined) counts.shown++;
        if (wanted !== undefined && wanted > 0) counts.accepted++;
        if (wanted === 0) counts.rejected++;
      }
    }
    return counts;
  }
}
