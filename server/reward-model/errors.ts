import { catalogue } from '../errors.ts';

/** What can be wrong with a reward model as a whole. */
export const rewardModelErrors = catalogue('rewardModel', {
  noTokenizer: (folder: string) => [
    `The reward model in ${folder} has no tokenizer, so it cannot read answers.`,
    'Put tokenizer.json and tokenizer_config.json beside its weights.',
  ],
  noMoments: (folder: string) => [
    `The reward model in ${folder} does not say the mean and the deviation of its scores, which "normalise" needs.`,
    'Write both, such as { model: { path: FOLDER, normalise: standard, mean: 0, std: 1 } }, or leave "normalise" out.',
  ],
  damaged: (folder: string, damage: readonly string[]) => [
    `The reward model in ${folder} is not what was saved there: ${damage.join(', ')}.`,
    'Put the files back, or delete manifest.json there to use the model as it is now.',
  ],
});
