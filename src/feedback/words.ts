/** What "Why This Suggestion" says. Knows nothing of the editor. */
import type { PolicyScore } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import type { PolicyState } from './tuning.ts';

export const percent = (x: number): string => `${(100 * x).toFixed(0)} %`;

/** `once`, `3 times`. */
export const times = (count: number): string => (count === 1 ? t('once') : t('{count} times', { count }));

/** What the person did with an action before. */
export function historyWords(
  history: { readonly shown: number; readonly accepted: number; readonly rejected: number } | undefined,
): string {
  if (history === undefined || history.shown === 0) return t('With you it has no history yet.');
  return t(
    'With you: shown {0}, accepted {1}, rejected {2}.',
    times(history.shown),
    times(history.accepted),
    times(history.rejected),
  );
}

/** The version in use. */
export function versionWords({ version, acceptance }: PolicyState): string {
  const accepted = acceptance === null ? '' : t(', acceptance {0} on what was held back', percent(acceptance));
  return t('Policy {version}{accepted}.', { version, accepted });
}

/** The version that is most for a suggestion, and by how much; empty where there is only one. */
export function preferenceWords(scores: readonly PolicyScore[], current: string): string {
  if (scores.length < 2) return '';
  const best = scores.reduce((a, b) => (b.probability > a.probability ? b : a));
  const ofUse = scores.find(({ version }) => version === current);
  const own = t('gives its actions {0} each on average', share(best.probability));
  if (best.version === current)
    return t('Of {0} versions it is also the one that prefers this suggestion: it {1}.', scores.length, own);
  const against = ofUse === undefined ? '' : t(', the one in use {0}', share(ofUse.probability));
  return t('Of {0} versions {1} prefers this suggestion: it {2}{3}.', scores.length, best.version, own, against);
}

/** Versions differ by little: one digit more. */
const share = (x: number) => `${(100 * x).toFixed(1)} %`;
