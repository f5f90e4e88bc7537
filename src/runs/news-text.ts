/** What is said of a run that ended, and what can be done about it. Knows nothing of the editor. */
import type { ListedRun } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';

/** Where in a file something is wrong, lines from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
}

/** So many marks of a line, and so many beginnings of a path before each, are looked at. */
const most = { marks: 20, beginnings: 200 };

/**
 * The first place that a message names: `data.jsonl, line 12` or `small.cola.yaml:3:5`. A path may hold blanks, colons,
 * commas and quotes, so where it begins and ends is asked of the disk: the longest text before the mark that is a file.
 *
 * @param isFile whether a path, absolute or of the run's folder, is a file
 */
export function placeIn(message: string, isFile: (path: string) => boolean): FilePlace | undefined {
  for (const mark of [...message.matchAll(/["'”’]?(?:, line |:)(\d+)/g)].slice(0, most.marks)) {
    // A quote before the mark closes one around the path, or belongs to it.
    const ends = new Set([message.slice(0, mark.index), message.slice(0, mark.index + mark[0].search(/[,:]/))]);
    for (const before of ends) {
      const file = beginnings(before).find(isFile);
      if (file !== undefined) return { file, line: Number(mark[1]) };
    }
  }
  return undefined;
}

/** The text, and what is left of it from each place where a path may begin, the longest first. */
function beginnings(text: string): string[] {
  const starts = [...text.matchAll(/[\s"'“‘(]+/g)].map((gap) => gap.index + gap[0].length);
  return [0, ...starts]
    .slice(-most.beginnings)
    .map((start) => text.slice(start))
    .filter((rest) => rest !== '');
}

export const resume = t('Resume');
export const editSpec = t('Edit Spec');
export const openLine = t('Open Line');
export const showLog = t('Show Log');

/** What can be done about a run that failed: it goes on only where a checkpoint is. */
export function failureOffers(place: FilePlace | undefined, checkpoint: number | null): string[] {
  const mend = place === undefined ? editSpec : openLine;
  return [...(checkpoint === null ? [] : [resume]), mend, showLog];
}

/** What can be done about what was refused at once: its own remedy, the line that it names, or the spec that asked for it. */
export function refusalOffers(remedy: string | undefined, place: FilePlace | undefined, hasSpec: boolean): string[] {
  const first = [...(remedy === undefined ? [] : [remedy]), ...(place === undefined ? [] : [openLine])];
  return [...(first.length === 0 && hasSpec ? [editSpec] : first), showLog];
}

/** A run that failed, in a sentence: what happened, where it stands, what to do. */
export function failureText(run: string, message: string, remedy: string, checkpoint: number | null): string {
  const saved = checkpoint === null ? '' : t(' It is saved at step {checkpoint}.', { checkpoint });
  return t('{run} stopped: {message}{saved} {remedy}', { run, message, saved, remedy }).trim();
}

/** Runs that were under way when the window was closed, in a sentence. */
export function interruptedText(runs: readonly Pick<ListedRun, 'run' | 'checkpoint'>[]): string {
  const [first, ...others] = runs;
  if (others.length > 0) {
    const names = runs.map(
      ({ run, checkpoint }) =>
        `${run} (${checkpoint === null ? t('nothing saved') : t('step {checkpoint}', { checkpoint })})`,
    );
    return t('{0} runs were stopped when the window was closed: {1}.', runs.length, names.join(', '));
  }
  const saved =
    first.checkpoint === null
      ? t('It had not saved anything yet.')
      : t('It is saved at step {checkpoint} and can go on from there.', { checkpoint: first.checkpoint });
  return t('{run} was stopped when the window was closed. {saved}', { run: first.run, saved });
}
