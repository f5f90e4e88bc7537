/** Where a completion ends: with the line, or with the block the cursor is in. */

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
