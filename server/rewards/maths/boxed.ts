/** Finding `\boxed{...}` in a completion. */

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
  const closing = closings(text);
  let last: string | undefined;
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
      last = text.slice(i + 1, end);
      after = end + 1;
    } else {
      let end = i;
      while (end < text.length && !/[\s$]/.test(text.charAt(end))) end += 1;
      const bare = text.slice(i, end).replace(/[.,;:!?]+$/, '');
      if (bare === '') continue;
      last = bare;
      after = end;
    }
  }
  return last;
}
