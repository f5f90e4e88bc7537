import { catalogue } from '../errors.ts';

export const evaluateErrors = catalogue('evaluate', {
  noReward: (prompts: string) => [
    `Nothing says how answers to ${prompts} are judged.`,
    'Name a reward with --reward, such as --reward numeric. The tasks countdown and arithmetic have their own.',
  ],
  badReward: (text: string, detail: string) => [
    `${JSON.stringify(text)} is no reward: ${detail}.`,
    'Write a name, such as countdown, or what a run spec would say, such as "{exact: {column: answer}}".',
  ],
  badTask: (text: string, detail: string) => [
    `${JSON.stringify(text)} is no task: ${detail}.`,
    'Write countdown, countdown:compact, countdown:paper or arithmetic, or the path of a .jsonl file.',
  ],
  nothingMeasured: (models: readonly string[], reasons: string) => [
    `Nothing was measured of ${models.join(', ')} (${reasons}).`,
    'Give it something to measure on: --prompts countdown:compact (or a file of rows with --reward), --data with a text, --environment household, or a run, which brings its own.',
  ],
  otherSizes: (name: string) => [
    `The two models have different sizes: "${name}" is not in both, or has another shape.`,
    'Compare a model with the one it was tuned from.',
  ],
  otherText: () => [
    'The two models read text with different tokenizers, so their figures on it cannot be compared.',
    'Compare models that share a tokenizer.',
  ],
  noActions: (folder: string) => [
    `${folder} has no complete set of latent actions: inverse dynamics, world model and policy.`,
    'Run the stages control and clone first.',
  ],
  noText: (model: string) => [
    `There is no text to look at the latent actions of ${model} with.`,
    'Give one that the model has not learned: --text FILE.',
  ],
  tooLittleText: (data: string, tokens: number, need: number) => [
    `${data} has ${tokens} tokens, and at least ${need} are needed to measure on.`,
    'Take a longer text.',
  ],
  nothingHeldOut: (run: string) => [
    `No stage of the run ${run} has prompts or text that it held out, so there is nothing to complete.`,
    'Open its dashboard, or measure its model on a file with "CoLA: Evaluate…".',
  ],
  noModel: (run: string) => [
    `The run ${run} has no finished model yet.`,
    `Continue it with: cola train --resume ${run}`,
  ],
});
