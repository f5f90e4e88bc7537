import { codeReward } from './code/code.ts';
import { countdownReward } from './countdown.ts';
import { exactReward } from './exact.ts';
import { lengthReward } from './length.ts';
import { mathsReward } from './maths/maths.ts';
import { type ModelReward, modelSettings } from './model.ts';
import { numericReward } from './numeric.ts';
import { moduleReward } from './process/module.ts';
import { repetitionReward } from './repetition.ts';
import type { Reward } from './reward.ts';
import { similarityReward } from './similarity.ts';
import { type ParsedReward, parseRewardSpec, type RewardSpec } from './spec.ts';
import { sumReward, type Term } from './sum.ts';

/**
 * Makes a reward ready for use; close it when the run ends.
 *
 * A `module` runs the user's code: call this only in a workspace the user trusts.
 *
 * @param folder where relative paths of modules and models start, the folder of the recipe
 * @param model makes the reward of a model; those that have models pass it
 * @throws {@link rewardErrors} when the specification is wrong or a module cannot be loaded
 */
export async function createReward(
  spec: RewardSpec,
  folder: string = process.cwd(),
  model: ModelReward = noModels,
): Promise<Reward> {
  return build(parseRewardSpec(spec), folder, model);
}

const noModels: ModelReward = () => {
  throw new Error('rewards are made without models here');
};

async function build(parsed: ParsedReward, folder: string, model: ModelReward): Promise<Reward> {
  switch (parsed.name) {
    case 'exact':
      return exactReward(parsed.options);
    case 'numeric':
      return numericReward(parsed.options);
    case 'maths':
      return mathsReward(parsed.options);
    case 'countdown':
      return countdownReward(parsed.options);
    case 'code':
      return codeReward(parsed.options);
    case 'similarity':
      return similarityReward(parsed.options);
    case 'length':
      return lengthReward(parsed.options);
    case 'repetition':
      return repetitionReward(parsed.options);
    case 'module':
      return moduleReward(parsed.options, folder);
    case 'model':
      return model(modelSettings(parsed.options), folder);
    case 'sum': {
      const terms: Term[] = [];
      try {
        for (const { reward, weight } of parsed.terms)
          terms.push({ reward: await build(reward, folder, model), weight });
      } catch (error) {
        await Promise.all(terms.map(({ reward }) => reward.close()));
        throw error;
      }
      return sumReward(terms);
    }
  }
}
