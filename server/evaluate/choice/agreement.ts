/** How far a text that a model offers is what the author wrote. */

/** A word, or a run of other signs, with the blanks before it. */
const word = /^\s*(?:[\p{L}\p{N}_$]+|[^\p{L}\p{N}_$\s]+)/u;

/** Characters of an alternative that the author wrote too, in whole words. */
export function agreement(alternative: string, rest: string): number {
  let agreed = 0;
  while (agreed < alternative.length) {
    const next = word.exec(rest.slice(agreed))?.[0];
    const own = word.exec(alternative.slice(agreed))?.[0];
    if (next === undefined || own !== next) break;
    agreed += own.length;
  }
  return agreed;
}

/** The first word of a text, or its first run of signs; empty where there is none. */
export const firstWord = (text: string): string => word.exec(text)?.[0].trim() ?? '';
