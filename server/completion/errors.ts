/** Errors of completion. */
import { catalogue } from '../errors.ts';

export const completionErrors = catalogue('engine', {
  noTokenizer: (folder: string) => [
    `The model in ${folder} has no tokenizer, so it cannot read text.`,
    'Put tokenizer.json and tokenizer_config.json beside its weights.',
  ],
  noInverse: (folder: string) => [
    `The model in ${folder} has no inverse dynamics, so it cannot say which action a token came from.`,
    'Ask the policy instead, or take the model of a run that had the stage "control".',
  ],
  tooNarrow: (tokens: number, context: number) => [
    `A completion of ${tokens} tokens does not fit into the model's context of ${context}.`,
    'Ask for a shorter completion.',
  ],
  longConversation: (tokens: number, context: number) => [
    `The conversation has ${tokens} tokens, and the model reads ${context - 1} at most.`,
    'Begin a new conversation, or ask for less at once.',
  ],
});
