import { z } from 'zod';
import { pureReward, type Reward, simpleScore, textsColumn } from './reward.ts';

/** Options of {@link exactReward}. */
export const exactOptions = z.strictObject({
  /** Column with the right text, or with a list of right texts. */
  column: z.string().min(1).default('answer'),
  /** Ignore white space at both ends. */
  trim: z.boolean().default(true),
  ignoreCase: z.boolean().default(false),
  /** Treat every run of white space as one space. */
  collapseSpaces: z.boolean().default(false),
});

/** 1 when the completion is the text of the column (or one of its texts), else 0. */
export function exactReward(options: z.infer<typeof exactOptions>): Reward {
  const canonical = (text: string): string => {
    let out = text.normalize('NFC');
    if (options.collapseSpaces) out = out.replace(/\s+/g, ' ');
    if (options.trim) out = out.trim();
    return options.ignoreCase ? out.toLowerCase() : out;
  };
  return pureReward('exact', ({ completion, row }) => {
    const wanted = textsColumn(row, options.column);
    if ('noScore' in wanted) return wanted;
    const given = canonical(completion);
    return simpleScore('exact', wanted.texts.some((text) => canonical(text) === given) ? 1 : 0);
  });
}
