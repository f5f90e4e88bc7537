/** Errors of feedback and of policy versions. */
import { catalogue } from '../errors.ts';

export const feedbackErrors = catalogue('feedback', {
  off: () => [
    'Feedback is off: nothing is recorded, so there is nothing to do here.',
    'Turn on the setting "cola.feedback.enabled".',
  ],
  empty: (path: string) => [
    `The feedback log ${path} holds nothing to learn from for this model.`,
    'Accept or reject some completions first, or check that the log is of the same model.',
  ],
  nothingYet: (path: string) => [
    `Nothing has been recorded in ${path}.`,
    'Switch on cola.feedback.enabled in the editor, or name the folder that has the log with --root.',
  ],
  tooLittle: (texts: number) => [
    `Most texts are learned from and the others are tried; of these ${texts}, one of the two parts has no place to complete.`,
    'Name a folder of many source files, or a .jsonl file with many texts.',
  ],
  full: (path: string, megabytes: number) => [
    `The feedback log ${path} has reached ${megabytes} MB, so nothing more is recorded.`,
    'Keep a copy with "CoLA: Export Feedback…" if you want one, then run "CoLA: Clear Feedback…".',
  ],
  noMoment: (id: string) => [
    `The feedback log has no entry ${JSON.stringify(id)}.`,
    'It was deleted meanwhile, perhaps by another window. Open the list again.',
  ],
  alternative: (id: string, index: number, count: number) => [
    `The entry ${id} has no alternative ${index}; it has ${count}.`,
    'Open the list again.',
  ],
  noCompletion: (id: string) => [
    `The completion ${JSON.stringify(id)} is not known any more.`,
    'Nothing was recorded for it; the next one will be.',
  ],
  noVersion: (id: string, folder: string) => [
    `There is no policy version ${JSON.stringify(id)} in ${folder}.`,
    'Choose one of the list; versions that are deleted cannot be brought back.',
  ],
  version: (path: string, detail: string) => [
    `The policy version ${path} cannot be used: ${detail}.`,
    'Choose another version. The one in use stays.',
  ],
  otherModel: (id: string) => [
    `The policy version ${id} was made for another model.`,
    'Load the model it was made for, or choose another version.',
  ],
  pinned: (id: string) => [
    `The policy is pinned at version ${id}, so it is not tuned.`,
    'Unpin it in "CoLA: Policy Versions…" first.',
  ],
});
