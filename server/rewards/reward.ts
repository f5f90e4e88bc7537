/** The contract of every reward, and what several of them share. */
import { columnAt } from '../schemas/columns.ts';

/** One finished sample as a reward sees it. */
export interface RewardInput {
  prompt: string;
  completion: string;
  /** The conversation before the answer, where the prompt was one. */
  messages?: readonly { readonly role: string; readonly content: string }[];
  /** The data row's columns. */
  row: Readonly<Record<string, unknown>>;
  /** True when the model ended the sample itself (end-of-sequence token), false when the length limit cut it. */
  finished: boolean;
  /** Length of the completion in tokens. */
  tokens: number;
}

/** A judged sample. `value` is what training uses and is always finite; `parts` explain it to a person. */
export interface RewardScore {
  value: number;
  parts: Readonly<Record<string, number>>;
}

/** A score, or the reason why there is none: the sample is then left out, counted and shown. */
export type RewardResult = RewardScore | { noScore: string };

/** A reward in use. One that runs helper processes holds them until `close`. */
export interface Reward {
  /** The name it has in the specification. */
  name: string;
  /**
   * Judges one sample. Calls may overlap.
   *
   * @param signal stops waiting; the promise then rejects with the signal's reason
   */
  score(input: RewardInput, signal?: AbortSignal): Promise<RewardResult>;
  /** Ends helper processes. Calling it twice is harmless. */
  close(): Promise<void>;
}

/** A reward that is a plain function of its input. */
export function pureReward(name: string, judge: (input: RewardInput) => RewardResult): Reward {
  return {
    name,
    async score(input, signal) {
      signal?.throwIfAborted();
      return judge(input);
    },
    async close() {},
  };
}

/** A score with one part that equals the value. */
export function simpleScore(part: string, value: number): RewardScore {
  return { value, parts: { [part]: value } };
}

/** The text of a column. Numbers and booleans are printed; anything else is a reason for no score. */
export function textColumn(row: RewardInput['row'], column: string): { text: string } | { noScore: string } {
  const value = columnAt(row, column);
  if (typeof value === 'string') return { text: value };
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return { text: `${value}` };
  if (value === undefined || value === null) return { noScore: `the row has no column "${column}"` };
  return { noScore: `the column "${column}" holds ${Array.isArray(value) ? 'a list' : 'an object'}, not text` };
}

/** The texts of a column that holds one text or a list of them. */
export function textsColumn(row: RewardInput['row'], column: string): { texts: string[] } | { noScore: string } {
  const value = columnAt(row, column);
  if (!Array.isArray(value)) {
    const one = textColumn(row, column);
    return 'text' in one ? { texts: [one.text] } : one;
  }
  const texts: string[] = [];
  for (const item of value) {
    const one = textColumn({ item }, 'item');
    if (!('text' in one)) return { noScore: `the column "${column}" holds a list with something other than texts` };
    texts.push(one.text);
  }
  return texts.length > 0 ? { texts } : { noScore: `the column "${column}" holds an empty list` };
}
