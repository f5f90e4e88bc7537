import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { type Reward, simpleScore, textsColumn } from './reward.ts';

/** Options of {@link similarityReward}. */
export const similarityOptions = z.strictObject({
  /** Column with the text to come close to, or a list of texts: the closest counts. */
  column: z.string().min(1).default('answer'),
  trim: z.boolean().default(true),
  ignoreCase: z.boolean().default(false),
  /** Texts longer than this many characters are cut before they are compared. */
  maxCharacters: z.number().int().min(1).max(50_000).default(8000),
});

/** Pairs of characters that one sample may cost; the distance looks at length times length of them, some 10^10 a second. */
const maxPairs = 3e9;

/** 1 - (Levenshtein distance) / (length of the longer text), in 0..1; two empty texts are equal. */
export function editSimilarity(a: string, b: string): number {
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 1 : 1 - distance(a, b) / longer;
}

/**
 * How much of the text in the column the completion has, as {@link editSimilarity}. Of several texts those that cannot be the
 * closest, for their length, are not compared; a sample whose texts would take too long has no score.
 */
export function similarityReward(options: z.infer<typeof similarityOptions>): Reward {
  const canonical = (text: string): string => {
    const out = (options.trim ? text.trim() : text).slice(0, options.maxCharacters).normalize('NFC');
    return options.ignoreCase ? out.toLowerCase() : out;
  };
  return {
    name: 'similarity',
    async score({ completion, row }, signal) {
      signal?.throwIfAborted();
      const column = textsColumn(row, options.column);
      if ('noScore' in column) return column;
      const given = canonical(completion);
      // The most promising first.
      const wanted = column.texts
        .map((text) => canonical(text))
        .map((text) => ({
          text,
          most: 1 - Math.abs(text.length - given.length) / Math.max(1, text.length, given.length),
        }))
        .sort((a, b) => b.most - a.most);
      let best = 0;
      let pairs = 0;
      for (const { text, most } of wanted) {
        if (most <= best) break;
        pairs += text.length * given.length;
        if (pairs > maxPairs) return { noScore: 'the texts of the row are too long or too many to be compared' };
        best = Math.max(best, editSimilarity(given, text));
        // Long comparisons let others have their turn.
        await new Promise((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
      }
      return simpleScore('similarity', best);
    },
    async close() {},
  };
}
