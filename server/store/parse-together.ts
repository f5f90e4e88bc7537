/** Lines of JSON read many at a time, which takes the parser half the time that line by line does. */
import { randomBytes } from 'node:crypto';

/** A text that no file holds, for none was written by who knew it; its mark is no JSON outside of a text. */
const fence = `!${randomBytes(6).toString('hex')}`;
const between = `,"${fence}",`;
/** Characters of a line on average, below which fences would take longer than they save. */
const worthwhile = 40;

/**
 * What each line holds; undefined where that is not JSON.
 *
 * The lines are read as one list with a fence between any two. Where that succeeds and every second part is a fence, each other part
 * is one whole value, and so what its line alone would have been: lines that are JSON only together (`{"a":1}, {"b":2}`, or a
 * list that ends lines later) bring parts too many or take fences in. Otherwise each line is read for itself, once it is asked for.
 */
export function parseTogether(lines: readonly string[]): (index: number) => unknown {
  const text = `[${lines.join(between)}]`;
  const parts = text.length > (worthwhile + between.length) * lines.length ? jsonOf(text) : undefined;
  if (!Array.isArray(parts) || !fenced(parts, lines.length)) return (index) => jsonOf(lines[index]);
  return (index) => parts[2 * index];
}

function fenced(parts: readonly unknown[], count: number): boolean {
  if (parts.length !== 2 * count - 1) return false;
  for (let i = 1; i < parts.length; i += 2) if (parts[i] !== fence) return false;
  return true;
}

/** What a text holds; undefined where that is not JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
