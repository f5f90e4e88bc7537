/** What a search starts from: token ids, and the text that a reward is told. */
import { resolve } from 'node:path';
import { loadChatTemplate } from '../model/chat/chat.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { modelErrors } from '../model/model-errors.ts';
import { noTokenizer } from '../model/tokenizer/no-tokenizer.ts';
import { cliErrors } from './errors.ts';
import { readPromptFile } from './prompt-file.ts';
import { type SearchCommandOptions, wrongUse } from './search-options.ts';

export interface SearchPrompt {
  readonly ids: readonly number[];
  readonly text: string;
}

/** Text of tokens: of a model without a tokenizer their ids, with commas. */
export function textOf({ tokenizer }: LanguageModel, skipSpecialTokens: boolean) {
  return (tokens: readonly number[]) =>
    tokenizer === undefined ? tokens.join() : tokenizer.decode(tokens, { skipSpecialTokens, continuation: true });
}

/**
 * @param before prompt of the search that is continued; a prompt beside it has to be the same
 * @throws cli.usage, cli.noIds, cli.promptFile, files.tooLarge, model.noTokenizer, model.idOutOfRange, chat.*, tokenizer.*
 */
export async function promptOf(
  options: SearchCommandOptions,
  model: LanguageModel,
  before: readonly number[] | undefined,
  cwd: string,
  signal: AbortSignal,
): Promise<SearchPrompt> {
  const given = [options.prompt, options.promptFile, options.ids].filter((value) => value !== undefined).length;
  const optional = before !== undefined;
  if (given > 1 || (given === 0 && !optional)) {
    throw wrongUse(`There should be ${optional ? 'at most' : 'exactly'} one of --prompt, --prompt-file and --ids`);
  }
  if (options.chat === true && (given === 0 || options.ids !== undefined)) {
    throw wrongUse('--chat goes with --prompt or --prompt-file');
  }
  const read =
    given === 0 && before !== undefined
      ? { ids: before, text: undefined }
      : await readPrompt(options, model, cwd, signal);
  if (before !== undefined && read.ids.join() !== before.join()) {
    throw wrongUse(`The prompt is not the one of ${options.continue}; it may be left out`);
  }
  const { vocabSize } = model.config;
  const strange = read.ids.find((id) => id >= vocabSize);
  if (strange !== undefined) throw modelErrors.idOutOfRange(strange, vocabSize);
  return { ids: read.ids, text: read.text ?? textOf(model, true)(read.ids) };
}

async function readPrompt(
  { prompt, promptFile, ids, chat }: SearchCommandOptions,
  { tokenizer, folder }: LanguageModel,
  cwd: string,
  signal: AbortSignal,
): Promise<{ ids: readonly number[]; text: string | undefined }> {
  if (ids !== undefined) {
    if (!/^\s*\d{1,9}(\s*,\s*\d{1,9})*\s*$/.test(ids)) throw cliErrors.noIds(ids);
    return { ids: ids.split(',').map(Number), text: undefined };
  }
  if (tokenizer === undefined) throw noTokenizer(folder);
  const text = promptFile === undefined ? (prompt ?? '') : await readPromptFile(resolve(cwd, promptFile), signal);
  if (chat !== true) return { ids: [...tokenizer.encode(text)], text };
  const { ids: whole } = loadChatTemplate(folder).encodePrompt([{ role: 'user', content: text }], tokenizer);
  return { ids: [...whole], text };
}
