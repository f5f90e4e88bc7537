/** Where a completion ends: with the line, with the block the cursor is in, or where it only says the same again. */

export interface Cut {
  /** Characters of the text that stay. */
  readonly length: number;
  readonly finish: 'line' | 'block';
}

const widthOf = (line: string) => /^[ \t]*/.exec(line)?.[0].replaceAll('\t', '    ').length ?? 0;

/** The line the cursor is on, as far as it is written. */
function lastLine(prefix: string): string {
  return prefix.slice(prefix.lastIndexOf('\n') + 1);
}

/**
 * The end of the line: before the first line break behind something visible. A completion that starts
 * with line breaks, behind an opening brace say, goes on to the first line with something on it.
 */
export function endOfLine(text: string): Cut | undefined {
  const visible = text.search(/\S/);
  const at = visible < 0 ? -1 : text.indexOf('\n', visible);
  if (at < 0) return undefined;
  const length = text[at - 1] === '\r' ? at - 1 : at;
  return { length, finish: 'line' };
}

/**
 * The end of the block. With I the indentation of the cursor's line: before a line that is indented less than I; before
 * one at I that follows a blank line or deeper lines, unless it closes a bracket: then behind that one. Only lines that are
 * complete, or long enough to see their indentation, decide.
 */
export function endOfBlock(prefix: string, text: string): Cut | undefined {
  const indent = widthOf(lastLine(prefix));
  let deeper = false;
  let blank = false;
  let start = text.indexOf('\n') + 1;
  while (start > 0) {
    const next = text.indexOf('\n', start);
    const line = next < 0 ? text.slice(start) : text.slice(start, next);
    const visible = line.trim() !== '';
    if (!visible && next < 0) return undefined;
    const width = widthOf(line);
    const before: Cut = { length: text.slice(0, start).trimEnd().length, finish: 'block' };
    if (!visible) blank = true;
    else if (width < indent) return before;
    else if (width > indent) deeper = true;
    else if (/^\s*[)\]}]/.test(line)) return next < 0 ? undefined : { length: next, finish: 'block' };
    else if (deeper || blank) return before;
    if (next < 0) return undefined;
    start = next + 1;
  }
  return undefined;
}

/** Tokens of a cycle, at most; and how often it has to be said to be one, tokens in all at least. */
const cycle = { longest: 16, times: 3, tokens: 6 } as const;

/**
 * Small models fall into saying the same again and again. If the tokens end with one cycle three times, the number of
 * them that stay: up to the end of the first. One sign may repeat, as in rulers and indentation.
 *
 * @param pieces the text of each token
 */
export function endOfSense(ids: readonly number[], pieces: readonly string[]): number | undefined {
  for (let period = 1; period <= cycle.longest; period++) {
    const span = cycle.times * period;
    if (span > ids.length) return undefined;
    if (span < cycle.tokens) continue;
    const from = ids.length - span;
    const cycles = ids.slice(from, ids.length - period).every((id, i) => id === ids[from + i + period]);
    const kept = from + period;
    if (cycles && !/^([^\p{L}\p{N}])\1*$/su.test(pieces.slice(from, kept).join(''))) return kept;
  }
  return undefined;
}
