/** Rows as prompts, and answers as judged answers. */

import { type Message, plainTurns } from '../../data/conversation.ts';
import { hasControlTokens, placeOf, type Row } from '../../data/rows.ts';
import type { ChatTemplate } from '../../model/chat/chat.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { Tokenizer } from '../../model/tokenizer/tokenizer.ts';
import type { Reward } from '../../rewards/reward.ts';
import { trainErrors } from '../errors.ts';
import type { Episode, Judged, Prompt } from './episode.ts';

/** Tokens a prompt may have. @throws train.tooLong where the answer alone fills the context */
export function promptRoom(config: ModelConfig, maxNew: number): number {
  const room = config.maxPositionEmbeddings - maxNew;
  if (room < 1) throw trainErrors.tooLong(maxNew + 1, config.maxPositionEmbeddings);
  return room;
}

/**
 * Turns rows into prompts. They go through the chat template if there is one and `chat` is not false.
 *
 * @returns what makes a prompt of a row; it throws train.setting for rows without a prompt, train.promptTooLong for prompts
 *   that leave no room for an answer, chat.* for those that the template refuses
 * @throws train.setting where a template is wanted and there is none
 */
export function promptMaker(
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
  chat: boolean | undefined,
  longest: number,
): (row: Row) => Prompt {
  const useChat = chat ?? template !== undefined;
  if (useChat && template === undefined)
    throw trainErrors.setting('reinforce', 'chat', 'the model has no chat template');
  return (row) => {
    const { text, ids } = promptOf(row, tokenizer, useChat ? template : undefined);
    if (ids.length > longest) throw trainErrors.promptTooLong(placeOf(row), text.slice(0, 60), ids.length, longest);
    const prompt = row.kind === 'prompt' ? row.prompt : text;
    const said = row.kind === 'chat' ? { messages: beforeAnswer(row.messages) } : {};
    return { text: prompt, ids, row: { ...knownOf(row), ...row.columns }, ...said };
  };
}

/** What a reward may compare with, beside the columns. */
export function knownOf(row: Row): Readonly<Record<string, unknown>> {
  if (row.kind === 'prompt') return { response: row.response, answer: row.answer };
  if (row.kind === 'text') return {};
  const last = row.messages.at(-1);
  return {
    ...(last?.role === 'assistant' ? { response: last.content } : {}),
    ...(row.answer === undefined ? {} : { answer: row.answer }),
  };
}

/** A conversation without the answer that is to be given. */
export const beforeAnswer = (messages: readonly Message[]): readonly Message[] =>
  messages.at(-1)?.role === 'assistant' ? messages.slice(0, -1) : messages;

function promptOf(
  row: Row,
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
): { text: string; ids: Int32Array } {
  if (row.kind === 'text')
    throw trainErrors.setting('reinforce', 'prompts', 'the rows are plain text and have no prompt');
  if (row.kind === 'chat') {
    if (template === undefined) {
      const text = plainTurns(row.messages).prompt;
      return { text, ids: tokenizer.encode(text, { controlTokens: hasControlTokens(row) }) };
    }
    return template.encodePrompt(beforeAnswer(row.messages), tokenizer);
  }
  // The generators end a bare prompt with what the answer follows on; in a conversation the turn's mark does that.
  return template === undefined
    ? { text: row.prompt, ids: tokenizer.encode(row.prompt, { controlTokens: hasControlTokens(row) }) }
    : template.encodePrompt([{ role: 'user', content: row.prompt.trim() }], tokenizer);
}

/** Scores answers, several at a time. */
export async function judge(
  answers: readonly Episode[],
  tokenizer: Tokenizer,
  reward: Reward,
  signal: AbortSignal,
): Promise<Judged[]> {
  return Promise.all(
    answers.map(async (answer) => {
      const completion = tokenizer.decode([...answer.tokens], { skipSpecialTokens: true });
      const { prompt, finished, tokens } = answer;
      const { text, row, messages } = prompt;
      const said = messages === undefined ? {} : { messages };
      const input = { prompt: text, completion, row, finished, tokens: tokens.length, ...said };
      return { ...answer, completion, result: await reward.score(input, signal) };
    }),
  );
}
