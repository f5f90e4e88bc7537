/** A run in a line of words. Knows nothing of the editor. */
import type { ListedRun } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { figure, progressText, stateWord } from '../status-text.ts';
import { type RunProgress, underWay } from './run-progress.ts';

/** `stopped · reinforce, step 120 · best reward 0.42` */
export function describeRun(run: ListedRun, progress: RunProgress | undefined): string {
  const { state, stage, best, elsewhere } = run;
  if (progress !== undefined && underWay(state)) return progressText(progress);
  const word = elsewhere ? t('in use by another window or command line') : stateWord(state);
  const many = stage !== null && stage.count > 1 ? t(' ({0} of {1})', stage.index + 1, stage.count) : '';
  const at = stage === null || state === 'done' ? [] : [t('{0}{1}, step {2}', stage.name, many, stage.step)];
  const score = best === null ? [] : [t('best {0} {1}', best.name, figure(best.value))];
  return [word, ...at, ...score, ...tagsOf(run.note)].join(' · ');
}

/** Tags in a note, each once: `#keep`. */
export function tagsOf(note: string): string[] {
  return [...new Set(note.match(/(?<![\p{L}\p{N}])#[\p{L}\p{N}][\p{L}\p{N}_-]*/gu) ?? [])];
}
