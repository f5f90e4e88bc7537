/** How low and how high a reward can be, as far as its settings say. */
import { modelSettings } from './model.ts';
import { type ParsedReward, parseRewardSpec, type RewardSpec } from './spec.ts';

export interface RewardRange {
  readonly lowest: number;
  readonly highest: number;
}

/** @returns undefined where it is not known: what a module answers is its own affair. @throws reward.* */
export function rewardRange(spec: RewardSpec): RewardRange | undefined {
  return rangeOf(parseRewardSpec(spec));
}

/** From which reward on an answer counts as solved, where nobody says: the highest there is, or 1. @throws reward.* */
export function solvedFrom(spec: RewardSpec): number {
  return rewardRange(spec)?.highest ?? 1;
}

// Added in the order in which the rewards add: a sum of fractions depends on it.
function rangeOf(parsed: ParsedReward): RewardRange | undefined {
  switch (parsed.name) {
    case 'exact':
    case 'numeric':
    case 'maths':
    case 'similarity':
    case 'length':
      return { lowest: 0, highest: 1 };
    case 'repetition':
      return { lowest: -1, highest: 0 };
    case 'countdown': {
      const { form, format, correct } = parsed.options;
      // A compact answer is right only in the right form.
      return form === 'compact' ? among([0, format, format + correct]) : among([0, format, correct, format + correct]);
    }
    case 'code': {
      const { parse, types, test } = parsed.options;
      return {
        lowest: Math.min(0, parse) + Math.min(0, types) + Math.min(0, test),
        highest: Math.max(0, parse) + Math.max(0, types) + Math.max(0, test),
      };
    }
    case 'module':
      return undefined;
    case 'model':
      return modelSettings(parsed.options).normalise === 'sigmoid' ? { lowest: 0, highest: 1 } : undefined;
    case 'sum': {
      let [lowest, highest] = [0, 0];
      for (const { reward, weight } of parsed.terms) {
        const range = rangeOf(reward);
        if (range === undefined) return undefined;
        const ends = among([weight * range.lowest, weight * range.highest]);
        lowest += ends.lowest;
        highest += ends.highest;
      }
      return { lowest, highest };
    }
  }
}

const among = (values: readonly number[]): RewardRange => ({
  lowest: Math.min(...values),
  highest: Math.max(...values),
});
