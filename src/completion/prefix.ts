/** What the model is given of the text before the cursor. Knows nothing of the editor. */
import { plainBreaks } from './remainder.ts';

/** Of a long text so many characters are sent at least, far more than a model reads. */
const before = 65_536;
/** It is cut in such pieces, so that what is sent begins alike for many keystrokes. */
const piece = 32_768;
/** Between cells of a notebook: they are read as parts of one file. */
const gap = '\n\n';

/** A text of which a part can be had. */
export interface Part {
  readonly length: number;
  read(start: number, end: number): string;
}

/**
 * The text up to the cursor with plain line breaks, the parts above it before it; of all that together as much as is sent.
 *
 * @param offset of the cursor in its own text
 */
export function prefixOf(above: readonly Part[], own: Part, offset: number): string {
  const start = above.reduce((sum, { length }) => sum + length + gap.length, 0);
  const from = Math.max(0, Math.floor((start + offset - before) / piece) * piece);
  let text = '';
  let at = 0;
  for (const part of above) {
    const end = at + part.length;
    if (end > from) text += part.read(Math.max(0, from - at), part.length);
    if (end + gap.length > from) text += gap.slice(Math.max(0, from - end));
    at = end + gap.length;
  }
  return plainBreaks(text + own.read(Math.max(0, from - at), offset));
}
