/**
 * Which labels are shown. Every code has one in `actions.json`, but a label such as `word part ation` says less than what the
 * action writes: where there is nothing better, that is shown instead.
 */
import type { ActionProfile } from '../protocol/actions.ts';
import { isRude } from './rude.ts';
import { nameWords } from './token-names.ts';

/** What a label says of the token that it quotes: `word the`, `capital Map`. */
const quoting = new Set(['word', 'capital', 'property']);
/** Words that a number belongs to. */
const counted = new Set(['digit', 'indent', 'tab', 'spaces']);
/** Names of a code that has none. */
const nameless = new Set(['unused', 'code', 'action']);

type Labelled = Pick<ActionProfile, 'code' | 'label' | 'examples'>;

/** The label of a code as a person reads it; null where it is rude, or names pieces of words. */
export function shownLabel({ code, label, examples }: Labelled): string | null {
  if (isRude(label)) return null;
  // The number that made it another than the rest stands beside it anyway.
  const text = label.endsWith(` ${code}`) && !ownsNumber(label) ? label.slice(0, -` ${code}`.length) : label;
  const sides = text.split(' / ').map((side) => side.split(' '));
  if (sides.some((words) => nameless.has(words[0]) || words.includes('part'))) return null;
  const ends = sides.map((words) => words[words.length - 1].toLowerCase());
  if (new Set(ends).size < sides.length) return null;
  const [words] = sides;
  // Two names say what a code does only where they are names of kinds; of two words that it writes they say nothing.
  const readable = sides.length > 1 ? sides.flat().every((word) => nameWords.has(word)) : areReadable(words, examples);
  return readable ? text : null;
}

function ownsNumber(label: string): boolean {
  return counted.has(label.split(' ').at(-2) ?? '');
}

function areReadable(words: readonly string[], examples: Labelled['examples']): boolean {
  return words.every((word, at) => isReadable(word, words[at - 1], examples));
}

/** @param before the word before it */
function isReadable(word: string, before: string | undefined, examples: Labelled['examples']): boolean {
  if (/^\d+$/.test(word)) return before !== undefined && counted.has(before);
  // `capital name` is a kind; the rest of a label that begins so is what it quotes.
  if (before !== undefined && quoting.has(before) && word !== 'name') return standsAlone(word, examples);
  if (nameWords.has(word)) return true;
  // Somebody else's name for it: words, not letters.
  return /^[\p{L}'’-]{3,}$/u.test(word) || /^(?:an?|as|at|by|do|if|in|is|it|no|of|on|or|to|up)$/i.test(word);
}

/** Whether the token is a word wherever it was seen, and not a piece of one. */
function standsAlone(word: string, examples: Labelled['examples']): boolean {
  const seen = examples.filter(({ token }) => token.replace(/^[^\p{L}\p{N}]+/u, '') === word);
  return (
    word.length > 1 &&
    seen.length > 0 &&
    seen.every(
      ({ before, token, after }) =>
        !/^[\p{L}\p{N}_]/u.test(after) && (!token.startsWith(word) || !/[\p{L}\p{N}_]$/u.test(before)),
    )
  );
}
