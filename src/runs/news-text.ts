/** What is said of a run that ended, and what can be done about it. Knows nothing of the editor. */
import type { ListedRun } from '../../server/protocol/index.ts';

/** Where in a file something is wrong, lines from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
}

/** The first place that a message names: `data.jsonl, line 12` or `small.cola.yaml:3:5`. */
export function placeIn(message: string): FilePlace | undefined {
  const named = /(?:^|[\s"'(])((?:[A-Za-z]:)?[^\s"'():,][^"'():,\n]*\.[A-Za-z0-9]+)(?:, line |:)(\d+)/.exec(message);
  if (named === null) return undefined;
  // Words in front of a path that has no blank in it.
  const file = /^(?:[A-Za-z]:|\/|\.)/.test(named[1]) ? named[1] : (named[1].split(' ').at(-1) ?? named[1]);
  return { file, line: Number(named[2]) };
}

export const resume = 'Resume';
export const editSpec = 'Edit Spec';
export const openLine = 'Open Line';
export const showLog = 'Show Log';

/** What can be done about a run that failed: it goes on only where a checkpoint is. */
export function failureOffers(message: string, checkpoint: number | null): string[] {
  const first = checkpoint !== null ? resume : placeIn(message) !== undefined ? openLine : editSpec;
  return [first, ...(checkpoint !== null ? [placeIn(message) === undefined ? editSpec : openLine] : []), showLog];
}

/** A run that failed, in a sentence: what happened, where it stands, what to do. */
export function failureText(run: string, message: string, remedy: string, checkpoint: number | null): string {
  const saved = checkpoint === null ? '' : ` It is saved at step ${checkpoint}.`;
  return `${run} stopped: ${message}${saved} ${remedy}`.trim();
}

/** Runs that were under way when the window was closed, in a sentence. */
export function interruptedText(runs: readonly Pick<ListedRun, 'run' | 'checkpoint'>[]): string {
  const [first, ...others] = runs;
  if (others.length > 0) {
    const names = runs.map(
      ({ run, checkpoint }) => `${run} (${checkpoint === null ? 'nothing saved' : `step ${checkpoint}`})`,
    );
    return `${runs.length} runs were stopped when the window was closed: ${names.join(', ')}.`;
  }
  const saved =
    first.checkpoint === null
      ? 'It had not saved anything yet.'
      : `It is saved at step ${first.checkpoint} and can go on from there.`;
  return `${first.run} was stopped when the window was closed. ${saved}`;
}
