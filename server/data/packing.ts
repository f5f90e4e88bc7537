/** From documents and rows of token ids to the rectangular batches a model takes. */
import { dataErrors } from './errors.ts';

/**
 * Joins documents, each with EOS behind it, and cuts them into sequences without regard to where a document ends; nothing
 * masks one document from the next (as CoLA's pre-training data). What is left at the end and does not fill
 * a sequence is dropped; the last batch may have fewer sequences.
 *
 * @param docs token ids of each document
 * @param length tokens in a sequence, T
 * @param batch sequences in a batch, B
 * @returns ids `[B,T]`, row after row
 */
export async function* packSequences(
  docs: Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>,
  { length, batch, eosId }: { readonly length: number; readonly batch: number; readonly eosId: number },
): AsyncGenerator<Int32Array> {
  const block = length * batch;
  let ids = new Int32Array(block);
  let filled = 0;
  for await (const doc of docs) {
    for (let i = 0; i <= doc.length; i++) {
      ids[filled++] = i < doc.length ? doc[i] : eosId;
      if (filled < block) continue;
      yield ids;
      ids = new Int32Array(block);
      filled = 0;
    }
  }
  const whole = filled - (filled % length);
  if (whole > 0) yield ids.slice(0, whole);
}

export interface TokenRow {
  readonly prompt: ArrayLike<number>;
  readonly response: ArrayLike<number>;
  /** 1 where a token of the response is learned, and 0 where it was said by others; all are, if not given. */
  readonly mask?: ArrayLike<number>;
}

export interface PaddedRows {
  /** Token ids `[B,T]`: prompt, response, padding. */
  readonly ids: Int32Array;
  /** 1 where a token stands that is learned, else 0; `[B,T]`. */
  readonly responseMask: Float32Array;
  /** Tokens of prompt and response in each row; `[B]`. */
  readonly lengths: Int32Array;
  /** B and T. */
  readonly shape: readonly [number, number];
  /** Rows whose response was cut off. */
  readonly truncated: number;
}

/**
 * One row a sequence, padded on the right to the longest one, rounded up to a multiple (so that few shapes occur).
 *
 * @param maxLength the largest T; longer responses are cut off. A multiple of `multiple`, or the rounding stops there
 * Throws `data.promptTooLong` for a prompt that leaves no room for a token of its response.
 */
export function padRows(
  rows: readonly TokenRow[],
  {
    padId,
    multiple = 8,
    maxLength = Number.POSITIVE_INFINITY,
  }: { readonly padId: number; readonly multiple?: number; readonly maxLength?: number },
): PaddedRows {
  let longest = 1;
  rows.forEach(({ prompt, response }, i) => {
    if (prompt.length + Math.min(1, response.length) > maxLength)
      throw dataErrors.promptTooLong(`row ${i + 1}`, prompt.length, maxLength);
    longest = Math.max(longest, prompt.length + response.length);
  });
  const length = Math.min(Math.ceil(longest / multiple) * multiple, maxLength);
  const ids = new Int32Array(rows.length * length).fill(padId);
  const responseMask = new Float32Array(rows.length * length);
  const lengths = new Int32Array(rows.length);
  let truncated = 0;
  rows.forEach(({ prompt, response, mask }, row) => {
    const kept = Math.min(response.length, length - prompt.length);
    if (kept < response.length) truncated++;
    const start = row * length;
    for (let i = 0; i < prompt.length; i++) ids[start + i] = prompt[i];
    for (let i = 0; i < kept; i++) {
      ids[start + prompt.length + i] = response[i];
      responseMask[start + prompt.length + i] = mask === undefined ? 1 : mask[i];
    }
    lengths[row] = prompt.length + kept;
  });
  return { ids, responseMask, lengths, shape: [rows.length, length], truncated };
}
