/** Rollouts: sampled answers with everything that learning from them needs, the same for actions and for tokens. */
import type { Row } from '../data/rows.ts';
import type { ChatTemplate } from '../model/chat.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { Reward, RewardResult } from '../rewards/reward.ts';
import { trainErrors } from './errors.ts';

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
 * Turns rows into prompts. Rows of prompts go through the chat template if there is one and `chat` is not false.
 *
 * @throws train.setting for rows without a prompt, or prompts that leave no room for an answer
 */
export function promptsOf(
  rows: readonly Row[],
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
  chat: boolean | undefined,
  longest: number,
): Prompt[] {
  const useChat = chat ?? template !== undefined;
  if (useChat && template === undefined)
    throw trainErrors.setting('reinforce', 'chat', 'the model has no chat template');
  return rows.map((row) => {
    const text = promptText(row, useChat ? template : undefined);
    const ids = tokenizer.encode(text, { addSpecialTokens: !useChat });
    if (ids.length > longest) throw trainErrors.promptTooLong(text.slice(0, 60), ids.length, longest);
    const answer = row.kind === 'prompt' ? { response: row.response, answer: row.answer } : {};
    const prompt = row.kind === 'prompt' ? row.prompt : text;
    return { text: prompt, ids, row: { ...answer, ...row.columns } };
  });
}

function promptText(row: Row, template: ChatTemplate | undefined): string {
  if (row.kind === 'text')
    throw trainErrors.setting('reinforce', 'prompts', 'the rows are plain text and have no prompt');
  if (row.kind === 'chat') {
    if (template === undefined) throw trainErrors.setting('reinforce', 'chat', 'the rows are conversations');
    const last = row.messages[row.messages.length - 1];
    const asked = last?.role === 'assistant' ? row.messages.slice(0, -1) : row.messages;
    return template.render([...asked], { addGenerationPrompt: true });
  }
  // The generators end a bare prompt with what the answer follows on; in a conversation the turn's mark does that.
  return template === undefined
    ? row.prompt
    : template.render([{ role: 'user', content: row.prompt.trim() }], { addGenerationPrompt: true });
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
