import { catalogue } from '../errors.ts';

export const modelErrors = catalogue('model', {
  contextFull: (tokens: number) => [
    `The text and its continuation are longer than the ${tokens} tokens there is room for.`,
    'Shorten the prompt, or ask for fewer new tokens.',
  ],
  tooLong: (tokens: number, limit: number) => [
    `The prompt has ${tokens} tokens; the model's context ends at ${limit}.`,
    'Shorten the prompt, or ask for fewer new tokens.',
  ],
  idOutOfRange: (id: number, size: number) => [
    `The token id ${id} is outside the model's vocabulary of ${size}.`,
    'The tokenizer probably belongs to another model: check that both come from the same folder.',
  ],
  emptyPrompt: () => [
    'The prompt has no tokens.',
    'Give at least one character, or a model whose tokenizer adds a start token.',
  ],
  windowTooLong: (length: number, limit: number) => [
    `Windows of ${length} tokens cannot be scored: the model takes 2 to ${limit}.`,
    'Choose a shorter window, or leave the length out to use the whole context.',
  ],
  nothingToScore: () => [
    'There is no token to predict: every text has one token at most.',
    'Give longer texts, or rows with a response.',
  ],
  noTokenizer: (folder: string) => [
    `The model in ${folder} has no tokenizer, so it cannot read text.`,
    'Put tokenizer.json and tokenizer_config.json beside the weights.',
  ],
  otherTokenizer: (folder: string, file: string) => [
    `The model in ${folder} has its tokenizer in ${file}; only tokenizer.json is read.`,
    'Put the tokenizer.json of the model beside the weights, or make it with Python: AutoTokenizer.from_pretrained(folder).save_pretrained(folder).',
  ],
});
