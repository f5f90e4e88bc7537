import { nearest } from '../../schemas/issues.ts';

/** Data that is made up, by its name in a run spec. */
export const taskNames = ['countdown', 'arithmetic'] as const;

/** Letters from which on a beginning says which task is meant. */
const telling = 4;

/** The task that a misspelt name, or the beginning of one, probably means. */
export function taskMeant(word: string): string | undefined {
  const begun = word.length >= telling ? taskNames.find((name) => name.startsWith(word.toLowerCase())) : undefined;
  return begun ?? nearest(word, taskNames);
}
