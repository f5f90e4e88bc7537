/** The log as what it tells: every moment with what became of each of its alternatives. */
import type { FeedbackLine, MomentLine } from './lines.ts';

/** What a person did with one alternative, all events of it together. */
export interface Outcome {
  shown: boolean;
  /** Another one was asked for while it was on the screen. */
  passed: boolean;
  picked: boolean;
  /** Characters that were taken, from the start. */
  accepted: number;
  /** Whether the person wrote all of them letter by letter. */
  typed: boolean;
  rejected: 'escape' | 'typed' | 'moved' | undefined;
  /** Share of what was taken that is still there after a while. */
  survived: number | undefined;
  score: number | undefined;
  mark: 'forced' | 'banned' | 'chosen' | undefined;
  /** The person's own word on its reward. */
  correction: number | undefined;
}

export interface Moment {
  readonly line: MomentLine;
  /** One an alternative. */
  readonly outcomes: readonly Outcome[];
}

const nothing = (): Outcome => ({
  shown: false,
  passed: false,
  picked: false,
  accepted: 0,
  typed: false,
  rejected: undefined,
  survived: undefined,
  score: undefined,
  mark: undefined,
  correction: undefined,
});

/** Text of an alternative. */
export const textOf = ({ pieces }: MomentLine['alternatives'][number]): string => pieces.join('');

/** @param lines in the order of the log; events of moments that are not there are passed over */
export function historyOf(lines: readonly FeedbackLine[]): Moment[] {
  const moments = new Map<string, Moment>();
  for (const line of lines) {
    if (line.kind === 'moment') {
      if (!moments.has(line.id) && isWhole(line))
        moments.set(line.id, { line, outcomes: line.alternatives.map(nothing) });
      continue;
    }
    const outcome = moments.get(line.moment)?.outcomes[line.alternative];
    if (outcome === undefined) continue;
    if (line.kind === 'correction') outcome.correction = line.reward ?? undefined;
    else note(outcome, line);
  }
  return [...moments.values()];
}

/** Whether all its lists have an entry a token. */
function isWhole({ alternatives }: MomentLine): boolean {
  return alternatives.every(({ tokens, actions, logp, pieces }) =>
    [actions, logp, pieces].every(({ length }) => length === tokens.length),
  );
}

function note(outcome: Outcome, event: Extract<FeedbackLine, { kind: 'event' }>): void {
  switch (event.what) {
    case 'shown':
      outcome.shown = true;
      return;
    case 'passed':
      outcome.passed = true;
      return;
    case 'picked':
      outcome.picked = true;
      return;
    case 'accepted':
      outcome.typed = event.part === 'typed' && (outcome.accepted === 0 || outcome.typed);
      outcome.accepted = Math.max(outcome.accepted, event.characters);
      return;
    case 'rejected':
      outcome.rejected = event.reason;
      // What was written letter by letter before the ghost text went is no sign of approval, but it was no mistake either.
      if (event.characters > outcome.accepted) {
        outcome.typed = outcome.accepted === 0 || outcome.typed;
        outcome.accepted = event.characters;
      }
      return;
    case 'survived':
      outcome.survived = event.share;
      return;
    case 'scored':
      outcome.score = event.score;
      return;
    case 'forced':
    case 'banned':
    case 'chosen':
      outcome.mark = event.what;
      return;
  }
}
