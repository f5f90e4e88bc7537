/** Finding `\boxed{...}` in a completion: the last one, or several that make one answer together. */

const opener = /\\(?:boxed|fbox)(?![A-Za-z])/g;

/**
 * For each `{` the index of its `}`. A backslash takes the next character out of the count, so `\{` and `\}` are text.
 * One pass: linear however many braces stay open.
 */
function closings(text: string): Map<number, number> {
  const closing = new Map<number, number>();
  const open: number[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '{') open.push(i);
    else if (char === '}') {
      const start = open.pop();
      if (start !== undefined) closing.set(start, i);
    }
  }
  return closing;
}

/**
 * The content of the last outermost `\boxed{...}` or `\fbox{...}` with balanced braces, or of a bare `\boxed 5`
 * (up to white space or `$`). A box that was never closed, as in a completion cut off, does not count.
 *
 * @returns undefined when there is none
 */
export function lastBoxed(text: string): string | undefined {
  return boxes(text).at(-1)?.content;
}

/** What may stand between the boxes of one answer: commas, "and", "or", spaces, the marks of formulas. */
const joins = /^(?:[\s$,;&]|\\[,;:! ()[\]]|\\q?quad|\\(?:text|mathrm|mbox)\{\s*,?\s*(?:and|or)?\s*\}|\b(?:and|or)\b)*$/;
const farthest = 60;
const mostJoined = 64;

/** `\boxed{2}, \boxed{3} and \boxed{5}` at the end as `2, 3, 5`; undefined where the last box stands alone. */
export function joinedBoxes(text: string): string | undefined {
  const all = boxes(text).slice(-mostJoined);
  let first = all.length - 1;
  while (first > 0) {
    const gap = all[first].start - all[first - 1].end;
    if (gap > farthest || !joins.test(text.slice(all[first - 1].end, all[first].start))) break;
    first--;
  }
  const contents = [...new Set(all.slice(Math.max(0, first)).map(({ content }) => content.trim()))];
  return contents.length < 2 || contents.includes('') ? undefined : contents.join(', ');
}

interface Box {
  readonly content: string;
  readonly start: number;
  readonly end: number;
}

function boxes(text: string): Box[] {
  const closing = closings(text);
  const found: Box[] = [];
  let after = 0;
  for (const match of text.matchAll(opener)) {
    const start = match.index;
    if (start < after) continue;
    // An odd number of backslashes before means that this one is itself escaped: `\\boxed` is a line break and a word.
    let slashes = 0;
    while (text[start - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 1) continue;
    let i = start + match[0].length;
    while (text[i] === ' ' || text[i] === '\n' || text[i] === '\t') i += 1;
    if (text[i] === '{') {
      const end = closing.get(i);
      if (end === undefined) continue;
      after = end + 1;
      found.push({ content: text.slice(i + 1, end), start, end: after });
    } else {
      let end = i;
      while (end < text.length && !/[\s$]/.test(text.charAt(end))) end += 1;
      const bare = text.slice(i, end).replace(/[.,;:!?]+$/, '');
      if (bare === '') continue;
      after = end;
      found.push({ content: bare, start, end });
    }
  }
  return found;
}
