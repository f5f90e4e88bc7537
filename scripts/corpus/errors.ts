/** What can go wrong while the corpus is built. */

import { catalogue } from '../../server/errors.ts';

export const corpusErrors = catalogue('corpus', {
  fetch: (spec: string, cause: unknown) => [
    `The package ${spec} could not be fetched.`,
    'Check the connection to the npm registry and run the command again; packages already fetched are kept.',
    cause,
  ],
  integrity: (spec: string) => [
    `The package ${spec} is not the one that was pinned.`,
    'Do not use it. Find out why the registry serves other content for this version.',
  ],
  licence: (spec: string, found: string, pinned: string) => [
    `The package ${spec} says licence "${found}", but the list of packages says "${pinned}".`,
    'Read the licence of that version and correct or remove its entry in scripts/corpus/packages.json.',
  ],
  sharedAuthors: (heldout: string, train: string, people: readonly string[]) => [
    `The held-out package ${heldout} shares its authors with the training package ${train} (${people.join(', ')}).`,
    'Remove one of the two from scripts/corpus/packages.json.',
  ],
  missing: (path: string) => [`There is no corpus at ${path}.`, 'Build it first with `npm run corpus`.'],
  row: (path: string, line: number) => [
    `Line ${line} of ${path} is not a row of the corpus.`,
    'Delete the file and build the corpus again with `npm run corpus`.',
  ],
});
