/** Errors of tokenizers and chat templates. */
import { catalogue } from '../../errors.ts';

export const tokenizerErrors = catalogue('tokenizer', {
  missingFile: (file: string, cause: unknown) => [
    `The tokenizer file ${file} cannot be read.`,
    'Choose a complete Hugging Face model folder, with tokenizer.json in it.',
    cause,
  ],
  broken: (file: string, where: string, problem: string, cause?: unknown) => [
    `${file} is not a valid tokenizer file${where === '' ? '' : ` (at ${where})`}: ${problem}.`,
    'Download the model folder again, or save the tokenizer again with its own tool.',
    cause,
  ],
  unsupported: (file: string, where: string, kind: string) => [
    `${file} uses ${kind} at ${where}, which CoLA Studio does not read.`,
    'Choose a model of one of the families in docs/models.md, with a BPE tokenizer.',
  ],
  unknownId: (id: number, size: number) => [
    `${id} is not a token id of this tokenizer, whose ids are 0 to ${size - 1}.`,
    'Check that the tokens were made with the tokenizer of this model.',
  ],
  unencodable: (character: string) => [
    `The tokenizer has no token for ${JSON.stringify(character)}, and no token that stands for unknown text.`,
    'Remove the character from the text, or choose a model with a byte-level tokenizer.',
  ],
  refused: (length: number, seconds: number) => [
    `The expressions of the tokenizer did not come to an end within ${seconds} s for a text of ${length} characters.`,
    'Do not use this model folder, unless you trust its source; then split the text into smaller pieces.',
  ],
  grows: (length: number, most: number) => [
    `The tokenizer makes more than ${most} characters of a text of ${length}.`,
    'Do not use this model folder, unless you trust its source.',
  ],
  tooLong: (length: number, cause: unknown) => [
    `A text of ${length} characters is too long to be split into tokens.`,
    'Split the text into smaller pieces.',
    cause,
  ],
});

export const chatErrors = catalogue('chat', {
  noTemplate: (folder: string) => [
    `The model in ${folder} has no chat template.`,
    'Use rows with a prompt and a response, or add a chat_template.jinja to the model folder.',
  ],
  unknownTemplate: (name: string, known: readonly string[]) => [
    `The model has no chat template named ${JSON.stringify(name)}; it has ${known.join(', ')}.`,
    'Use one of these names.',
  ],
  unreadable: (file: string, problem: string, cause?: unknown) => [
    `The chat template in ${file} cannot be used: ${problem}.`,
    'Correct the template, or take the one published with the model.',
    cause,
  ],
  refused: (reason: string, cause: unknown) => [
    `The chat template does not accept these messages: ${reason}.`,
    'Change the messages (usually the roles or their order), or the template.',
    cause,
  ],
  noResponse: () => [
    'A conversation has no message of the assistant to learn from.',
    'Add an assistant message, or leave the conversation out.',
  ],
  responseNotLast: () => [
    'The chat template does not put the last assistant message behind the prompt, so its tokens cannot be told apart.',
    'Use a template whose generation prompt is the start of an assistant message.',
  ],
});
