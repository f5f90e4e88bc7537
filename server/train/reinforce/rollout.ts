/** Rollouts: sampled answers with everything that learning from them needs, the same for actions and for tokens. */

import { plainTurns } from '../../data/conversation.ts';
import { hasControlTokens, placeOf, type Row } from '../../data/rows.ts';
import type { ChatTemplate } from '../../model/chat.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { Reward, RewardResult } from '../../rewards/reward.ts';
import { trainErrors } from '../errors.ts';

/** A prompt as the reward and the model need it. */
export interface Prompt {
  readonly text: string;
  readonly ids: Int32Array;
  readonly row: Readonly<Record<string, unknown>>;
}

/** One sampled answer. */
export interface Trajectory {
  readonly prompt: Prompt;
  /** Trajectories of one group share their prompt. */
  readonly group: number;
  /** Produced tokens, the end token included. */
  readonly tokens: readonly number[];
  /** What was chosen at each step: latent actions, or the tokens themselves. */
  readonly choices: readonly number[];
  /** log pi of each choice at rollout time. */
  readonly logp: readonly number[];
  /** Value of each state at rollout time; empty without a value head. */
  readonly values: readonly number[];
  /** h of prompt and answer up to the last state that chose, `[p - 1 + A, d]`; empty where the base learns. */
  readonly hidden: Float32Array;
  /** Codes that top-k left out at each step, if any were: A sets of N flags. */
  readonly banned: readonly Uint8Array[];
  /** Whether the model ended the answer itself. */
  readonly finished: boolean;
}

export interface Judged extends Trajectory {
  readonly completion: string;
  readonly result: RewardResult;
}

/** How answers are sampled. */
export interface RolloutSettings {
  readonly maxNew: number;
  /** 0 takes the most likely. */
  readonly temperature: number;
  readonly topK: number;
}

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
    return { text: prompt, ids, row: { ...knownOf(row), ...row.columns } };
  };
}

/** What a reward may compare with, beside the columns. */
function knownOf(row: Row): Readonly<Record<string, unknown>> {
  if (row.kind === 'prompt') return { response: row.response, answer: row.answer };
  if (row.kind === 'text') return {};
  const last = row.messages.at(-1);
  return {
    ...(last?.role === 'assistant' ? { response: last.content } : {}),
    ...(row.answer === undefined ? {} : { answer: row.answer }),
  };
}

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
    const last = row.messages[row.messages.length - 1];
    return template.encodePrompt(last?.role === 'assistant' ? row.messages.slice(0, -1) : row.messages, tokenizer);
  }
  // The generators end a bare prompt with what the answer follows on; in a conversation the turn's mark does that.
  return template === undefined
    ? { text: row.prompt, ids: tokenizer.encode(row.prompt, { controlTokens: hasControlTokens(row) }) }
    : template.encodePrompt([{ role: 'user', content: row.prompt.trim() }], tokenizer);
}

/** Scores trajectories, several at a time. */
export async function judge(
  trajectories: readonly Trajectory[],
  tokenizer: Tokenizer,
  reward: Reward,
  signal: AbortSignal,
): Promise<Judged[]> {
  return Promise.all(
    trajectories.map(async (trajectory) => {
      const completion = tokenizer.decode([...trajectory.tokens], { skipSpecialTokens: true });
      const { prompt, finished, tokens } = trajectory;
      const input = { prompt: prompt.text, completion, row: prompt.row, finished, tokens: tokens.length };
      return { ...trajectory, completion, result: await reward.score(input, signal) };
    }),
  );
}

export const scoreOf = (result: RewardResult): number | undefined => ('noScore' in result ? undefined : result.value);
