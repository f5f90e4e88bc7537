/** jinja2's `wordwrap` and `filesizeformat`, as Python's textwrap and floats have them. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { fixedDigits } from './format.ts';
import { characters, lengthOf } from './values.ts';

/** Blanks, dashes between words, and words, which may end behind a hyphen: textwrap's `wordsep_re`. */
const parts =
  /[\t\n\v\f\r ]+|(?<=[\p{L}\p{N}_!"'&.,?])-{2,}(?=[\p{L}\p{N}_])|[^\t\n\v\f\r ]+?(?:-(?:(?<=[\p{L}_]{2}-)|(?<=[\p{L}_]-[\p{L}_]-))(?=[\p{L}_]-?[\p{L}_])|(?=[\t\n\v\f\r ]|$)|(?<=[\p{L}\p{N}_!"'&.,?])(?=-{2,}[\p{L}\p{N}_]))/gu;
const plainParts = /[\t\n\v\f\r ]+|[^\t\n\v\f\r ]+/g;

export interface Wrapping {
  /** Characters of a line. */
  readonly width: number;
  readonly breakLongWords: boolean;
  readonly breakOnHyphens: boolean;
}

/** What of a word that is longer than a line still goes on this one; undefined for nothing. */
function piece(word: readonly string[], room: number, onHyphens: boolean): number {
  const hyphen = onHyphens ? word.slice(0, room).lastIndexOf('-') : -1;
  return hyphen > 0 && word.slice(0, hyphen).some((letter) => letter !== '-') ? hyphen + 1 : room;
}

/** One line of text as lines of at most `width` characters, without blanks at their ends: `textwrap.wrap`. */
export function wrapped(line: string, { width, breakLongWords, breakOnHyphens }: Wrapping): string[] {
  if (width <= 0) throw new JinjaError('a line has at least one character');
  const waiting = (line.match(breakOnHyphens ? parts : plainParts) ?? []).reverse();
  const lines: string[] = [];
  while (waiting.length > 0) {
    spendSteps();
    const current: string[] = [];
    let used = 0;
    const next = () => waiting.at(-1) ?? '';
    if (lines.length > 0 && next().trim() === '') waiting.pop();
    while (waiting.length > 0 && used + lengthOf(next()) <= width) {
      spendSteps();
      used += lengthOf(next());
      current.push(waiting.pop() ?? '');
    }
    if (waiting.length > 0 && lengthOf(next()) > width) {
      const word = characters(next());
      spendSteps(word.length);
      if (breakLongWords && width > used) {
        const end = piece(word, width - used, breakOnHyphens);
        current.push(word.slice(0, end).join(''));
        waiting[waiting.length - 1] = word.slice(end).join('');
      } else if (current.length === 0) current.push(waiting.pop() ?? '');
    }
    if (current.at(-1)?.trim() === '') current.pop();
    if (current.length > 0) lines.push(current.join(''));
  }
  spendText(line.length);
  return lines;
}

/** A number of bytes for people: `1.5 MB`, or `1.4 MiB`. */
export function fileSize(bytes: number, binary: boolean): string {
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const letters = [...(binary ? 'KMGTPEZY' : 'kMGTPEZY')];
  const at = letters.findIndex((_, i) => bytes < base ** (i + 2));
  const chosen = at < 0 ? letters.length - 1 : at;
  return `${fixedDigits((base * bytes) / base ** (chosen + 2), 1)} ${letters[chosen]}${binary ? 'iB' : 'B'}`;
}
