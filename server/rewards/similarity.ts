import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { pureReward, type Reward, simpleScore, textsColumn } from './reward.ts';

/** Options of {@link similarityReward}. */
export const similarityOptions = z.strictObject({
  /** Column with the text to come close to, or a list of texts: the closest counts. */
  column: z.string().min(1).default('answer'),
  trim: z.boolean().default(true),
  ignoreCase: z.boolean().default(false),
  /** Texts longer than this many characters are cut before they are compared. */
  maxCharacters: z.number().int().min(1).max(50_000).default(8000),
});

/** 1 - (Levenshtein distance) / (length of the longer text), in 0..1; two empty texts are equal. */
export function editSimilarity(a: string, b: string): number {
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 1 : 1 - distance(a, b) / longer;
}

/** How much of the text in the column the completion has, as {@link editSimilarity}. */
export function similarityReward(options: z.infer<typeof similarityOptions>): Reward {
  const canonical = (text: string): string => {
    const out = (options.trim ? text.trim() : text).slice(0, options.maxCharacters).normalize('NFC');
    return options.ignoreCase ? out.toLowerCase() : out;
  };
  return pureReward('similarity', ({ completion, row }) => {
    const wanted = textsColumn(row, options.column);
    if ('noScore' in wanted) return wanted;
    const given = canonical(completion);
    return simpleScore('similarity', Math.max(...wanted.texts.map((text) => editSimilarity(given, canonical(text)))));
  });
}
