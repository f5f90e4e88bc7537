/** Cutting the result out of a solution, the same way for a model's answer and for the right one. */
import { joinedBoxes, lastBoxed } from './boxed.ts';

/** Longer lines are no sentence with a result. */
const maxSentence = 2000;
const hashes = /####[ \t]*(.+)/g;
const sentence = /^(?:.*[^\p{L}])?answer[ \t]*(?:\*\*)?[ \t]*(?:is|:|=)[ \t]*:?[ \t]*(?:\*\*(?=[ \t]))?[ \t]*(.+)/gimu;

/** The last match that is not empty. */
function lastOf(pattern: RegExp, text: string): string | undefined {
  let last: string | undefined;
  for (const [, found = ''] of text.matchAll(pattern)) if (found.trim() !== '') last = found.trim();
  return last;
}

/** The sentence's result without what follows its formula or its full stop. */
function withoutRest(found: string): string {
  const formula = /^(\$[^$]+\$|\\\(.+?\\\)|\*\*.+?\*\*)[.,;]?(?:\s|$)/.exec(found)?.[1];
  if (formula !== undefined) return formula;
  // The end of bold that began before "answer".
  const plain = /^[^*]*\*\*$/.test(found) ? found.slice(0, -2) : found;
  return plain.replace(/[.!](?:\s+\p{L}.*)?$/u, '').trim();
}

/**
 * The result of a solution: its last box (several that are joined make one answer), else what follows its last `####` (GSM8K), else what its last "the answer is" or
 * "Answer:" says; undefined when it has none of them.
 */
export function resultOf(text: string): string | undefined {
  // Of a right answer in two boxes one is half of it.
  const boxed = joinedBoxes(text) ?? lastBoxed(text);
  if (boxed !== undefined) return boxed;
  const marked = lastOf(hashes, text);
  if (marked !== undefined) return marked;
  const lines = text.split('\n').filter((line) => line.length <= maxSentence);
  const said = lastOf(sentence, lines.join('\n'));
  return said === undefined ? undefined : withoutRest(said);
}
