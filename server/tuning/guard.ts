/** Whether a new policy may replace the old one: judged by what nothing was learned from. */
import type { ShadowScore } from '../train/feedback/learner.ts';

/** Judged alternatives that have to be held back for acceptance to say anything. */
export const fewest = 10;
/** So much worse is no difference. */
const tolerance = { acceptance: 0.002, textLoss: 0.02 };
/** So much worse than the model's own policy, over all versions together, and it has drifted away. */
const driftTolerance = 0.06;

export interface Verdict {
  /** `unjudged`: nothing speaks against it and nothing for it; it is there for whoever chooses it, and not in use by itself. */
  readonly verdict: 'kept' | 'unjudged' | 'refused';
  /** A sentence. */
  readonly why: string;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/**
 * Two things are asked, and neither looks at the rewards that the policy learned from. Does it prefer what was wanted, by
 * the bare facts of what was taken and what was not? And does it still expect the person's own text, the text before
 * each moment, which no event has a say in? The second finds a log whose events are wrong altogether; it is asked beside
 * the model's own policy too, or many versions could go astray by a little each.
 *
 * @param before the policy in use
 * @param own the model's own policy
 */
export function guard(before: ShadowScore, after: ShadowScore, own: ShadowScore): Verdict {
  if (before.textLoss !== null && after.textLoss !== null) {
    const worse = after.textLoss - before.textLoss;
    if (!(worse <= tolerance.textLoss)) {
      return {
        verdict: 'refused',
        why: `Your own text became harder to predict, by ${worse.toFixed(3)} nats a token.`,
      };
    }
  }
  if (own.textLoss !== null && after.textLoss !== null && !(after.textLoss - own.textLoss <= driftTolerance)) {
    const worse = (after.textLoss - own.textLoss).toFixed(3);
    return {
      verdict: 'refused',
      why: `Over all versions your own text became harder to predict, by ${worse} nats a token. Go back to an earlier version.`,
    };
  }
  if (before.acceptance === null || after.acceptance === null || before.judged < fewest)
    return {
      verdict: 'unjudged',
      why: `Too little was held back to judge by (${before.judged} of ${fewest}): more feedback will tell, or you put it in use.`,
    };
  const change = `from ${percent(before.acceptance)} to ${percent(after.acceptance)}`;
  return after.acceptance < before.acceptance - tolerance.acceptance
    ? { verdict: 'refused', why: `On what was held back, acceptance would fall ${change}.` }
    : { verdict: 'kept', why: `On what was held back, acceptance goes ${change}.` };
}
