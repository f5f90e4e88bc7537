/** In which runs prompts are read. */

/** Lengths a program is compiled for: a chunk of a prompt is padded to the next of them. */
export const chunkSizes = [1, 8, 32, 128] as const;
/** Of many rows padding costs more than a program does: short prompts have further lengths. */
const lengthsOfMany = [1, 8, 16, 24, 32] as const;
/** Rows from which that is so. */
const manyRows = 8;

/** A run of a program, which reads so many tokens, padded to a length that it is compiled for. */
export interface Chunk {
  readonly tokens: number;
  readonly length: number;
}

/** Tokens of all rows that are read in one run, unless the rows are more: what is computed of them is in memory at once. */
const mostAtOnce = 8192;

/**
 * The runs in which so many tokens of each row are read. Between two lengths several short runs compute less than a long one, unless
 * that would be all but full. What is left of a longer text is padded to 32: a program of fewer rows would lay out weights of its own,
 * and of a base in fewer bits round what it multiplies. Of very many rows fewer tokens are read at once.
 */
export function chunksOf(tokens: number, rows = 1): Chunk[] {
  const [, few, ...longer] = chunkSizes;
  const [some, most] = longer.map((length) => (rows * length <= mostAtOnce ? length : few));
  const short = rows < manyRows ? chunkSizes : lengthsOfMany;
  const chunks: Chunk[] = [];
  for (let left = tokens; left > 0; ) {
    const long = most > some && left > most - some;
    const whole = left > some || tokens > some;
    const length = long ? most : whole ? some : (short.find((n) => n >= left) ?? some);
    const read = Math.min(left, length);
    chunks.push({ tokens: read, length });
    left -= read;
  }
  return chunks;
}
