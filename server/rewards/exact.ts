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

/** What may stand around a choice or a yes: an introduction, marks of Markdown and TeX, brackets, a full stop. */
const introduction =
  /^(?:so |thus,? |therefore,? )?(?:the )?(?:(?:correct|right|best|final) )?(?:answer|option|choice)(?: is)?[\s:*_]+/i;
const around = /^(?:\\boxed\{|\\text\{|[\s*_([{"'`$])+|[\s*_)\]}"'`$.,:]+$/g;
const isChoice = (text: string): boolean => /^[A-Z]$/.test(text);
const isVerdict = (text: string): boolean => /^(?:yes|no|true|false)$/i.test(text);
/** Longer answers are more than a choice. */
const longestChoice = 1000;

/** Whether a completion says a letter of offered choices, or yes or no, in whatever way it is written. */
function saysChoice(completion: string, wanted: string, prompt: string): boolean {
  if (completion.length > longestChoice || !(isChoice(wanted) || isVerdict(wanted))) return false;
  const said = completion
    .trim()
    .replace(/^[*_]+/, '')
    .replace(introduction, '');
  const bare = said.replace(around, '');
  if (bare === wanted) return true;
  if (isVerdict(wanted)) return false;
  // The letter with the choice behind it, as it was offered.
  const [, letter, text] = /^\(?([A-Z])[).:]+\s*(\S[\s\S]*)$/.exec(bare) ?? [];
  const offered = (line: string) => line.replace(/^\(?([A-Z])[).:]+\s*/, '$1 ').replace(around, '');
  return letter === wanted && prompt.split('\n').some((line) => offered(line) === `${letter} ${text}`);
}

/**
 * 1 when the completion is the text of the column (or one of its texts), else 0. Of a single capital letter, yes or no it does not matter
 * what is around it: `(B)`, `B.`, `**B**`, `The answer is B.`, and the letter with the choice that the prompt has behind it.
 */
export function exactReward(options: z.infer<typeof exactOptions>): Reward {
  const canonical = (text: string): string => {
    let out = text.normalize('NFC');
    if (options.collapseSpaces) out = out.replace(/\s+/g, ' ');
    if (options.trim) out = out.trim();
    return options.ignoreCase ? out.toLowerCase() : out;
  };
  return pureReward('exact', ({ completion, prompt, row }) => {
    const wanted = textsColumn(row, options.column);
    if ('noScore' in wanted) return wanted;
    const given = canonical(completion);
    const isRight = (text: string) =>
      canonical(text) === given || (options.trim && saysChoice(completion, text.trim(), prompt));
    return simpleScore('exact', wanted.texts.some(isRight) ? 1 : 0);
  });
}
