/** What "Why This Suggestion" says. Knows nothing of the editor. */
import type { PolicyScore } from '../../server/protocol/index.ts';
import type { PolicyState } from './tuning.ts';

export const percent = (x: number): string => `${(100 * x).toFixed(0)} %`;

/** `once`, `3 times`. */
export const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/** What the person did with an action before. */
export function historyWords(
  history: { readonly shown: number; readonly accepted: number; readonly rejected: number } | undefined,
): string {
  if (history === undefined || history.shown === 0) return 'With you it has no history yet.';
  return `With you: shown ${times(history.shown)}, accepted ${times(history.accepted)}, rejected ${times(history.rejected)}.`;
}

/** The version in use. */
export function versionWords({ version, acceptance }: PolicyState): string {
  const accepted = acceptance === null ? '' : `, acceptance ${percent(acceptance)} on what was held back`;
  return `Policy ${version}${accepted}.`;
}

/** The version that is most for a suggestion, and by how much; empty where there is only one. */
export function preferenceWords(scores: readonly PolicyScore[], current: string): string {
  if (scores.length < 2) return '';
  const best = scores.reduce((a, b) => (b.probability > a.probability ? b : a));
  const ofUse = scores.find(({ version }) => version === current);
  const own = `gives its actions ${share(best.probability)} each on average`;
  if (best.version === current)
    return `Of ${scores.length} versions it is also the one that prefers this suggestion: it ${own}.`;
  const against = ofUse === undefined ? '' : `, the one in use ${share(ofUse.probability)}`;
  return `Of ${scores.length} versions ${best.version} prefers this suggestion: it ${own}${against}.`;
}

/** Versions differ by little: one digit more. */
const share = (x: number) => `${(100 * x).toFixed(1)} %`;
