/** A run in a line of words. Knows nothing of the editor. */
import type { ListedRun } from '../server/protocol/index.ts';
import { type RunProgress, underWay } from './run-progress.ts';
import { figure, progressText, stateWord } from './status-text.ts';

/** `stopped · reinforce, step 120 · best reward 0.42` */
export function describeRun(run: ListedRun, progress: RunProgress | undefined): string {
  const { state, stage, best, elsewhere } = run;
  if (progress !== undefined && underWay(state)) return progressText(progress);
  const word = elsewhere ? 'in use by another window or command line' : stateWord(state);
  const many = stage !== null && stage.count > 1 ? ` (${stage.index + 1} of ${stage.count})` : '';
  const at = stage === null || state === 'done' ? [] : [`${stage.name}${many}, step ${stage.step}`];
  return [word, ...at, ...(best === null || stage === null ? [] : [bestText(stage.name, best)])].join(' · ');
}

/** Held-out scores are rewards where there are some, and otherwise losses with their sign turned. */
export function bestText(stage: string, score: number): string {
  const rewarded = stage === 'reinforce' || stage === 'expert' || (stage === 'tokens' && score >= 0);
  return rewarded ? `best reward ${figure(score)}` : `best loss ${figure(-score)}`;
}
