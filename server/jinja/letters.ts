/** Upper and lower case as Python's `str` has them, where JavaScript has no such method. */

/** Letters of two signs have a form of their own at the beginning of a word. */
const DIGRAPH = /^[Ǆ-ǌǱ-ǳ]/u;
const digraph = (letter: string): string => {
  const code = letter.charCodeAt(0);
  return String.fromCharCode(code > 0x1cc ? 0x1f2 : 0x1c5 + 3 * Math.floor((code - 0x1c4) / 3));
};

/** Georgian letters have capitals, which words do not begin with. */
const GEORGIAN = /^[ა-ჺჽ-ჿ]/u;

/** A letter as a word begins with it: `ß` as `Ss`. */
function titled(letter: string): string {
  if (DIGRAPH.test(letter)) return digraph(letter);
  if (GEORGIAN.test(letter)) return letter;
  if (letter === 'ŉ') return letter.toUpperCase();
  const [first = '', ...rest] = letter.toUpperCase();
  return first + rest.join('').toLowerCase();
}

export function capitalized(text: string): string {
  const [first = ''] = text;
  return titled(first) + text.slice(first.length).toLowerCase();
}

/** Words of Python's `title()`: runs of letters that have case, whatever stands between. */
export const titleCase = (text: string): string => text.replace(/\p{Cased}+/gu, capitalized);

export function isTitle(text: string): boolean {
  const words = text.match(/\p{Cased}+/gu) ?? [];
  return words.length > 0 && words.every((word) => /^[\p{Lu}\p{Lt}\p{Uppercase}]\p{Lowercase}*$/u.test(word));
}

export const isUpper = (text: string): boolean => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);
export const isLower = (text: string): boolean => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);

const CASES = /(?<=\p{Cased}\p{Case_Ignorable}*)Σ(?!\p{Case_Ignorable}*\p{Cased})|(\p{Uppercase})|\p{Lowercase}/gu;

/** A sigma that ends a word has a small form of its own. */
export const swapped = (text: string): string =>
  text.replace(CASES, (letter, upper?: string) =>
    upper !== undefined ? letter.toLowerCase() : letter === 'Σ' ? 'ς' : letter.toUpperCase(),
  );

/** For comparisons: all forms of a letter become one. Cherokee folds to its capitals; `ı` is a letter of its own. */
export const folded = (text: string): string =>
  text
    .replace(/[^\0-\x7f]/gu, (letter) => {
      if (letter === 'ı') return letter;
      if (/[\u13a0-\u13fd\uab70-\uabbf]/.test(letter)) return letter.toUpperCase();
      return (letter === 'ẞ' ? 'ss' : letter.toUpperCase().toLowerCase()).replaceAll('ς', 'σ');
    })
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
