/** Episodes: what a policy did, with everything that learning from it needs, the same for actions and for tokens. */
import type { Message } from '../../data/conversation.ts';
import type { RewardResult } from '../../rewards/reward.ts';

/** A prompt as the reward and the model need it. */
export interface Prompt {
  readonly text: string;
  readonly ids: Int32Array;
  readonly row: Readonly<Record<string, unknown>>;
  /** What was said before the answer, where the row was a conversation. */
  readonly messages?: readonly Message[];
}

/** What the policy says until it is another's turn. */
export interface Turn {
  /** Choices that have been made by its end, those of earlier turns included. */
  readonly end: number;
  /** What it earned by itself; what the whole earned is the result of a {@link Judged}. */
  readonly reward: number;
}

/** One sampled course of things. An answer to a prompt has a single turn. */
export interface Episode {
  readonly prompt: Prompt;
  /** Episodes of one group share their prompt. */
  readonly group: number;
  /** Seed of the stream that its choices were drawn from: that, the policy and the prompt are all that it depends on. */
  readonly seed: number;
  /** Tokens behind the prompt, S of them, up to the last that the policy wrote. */
  readonly tokens: readonly number[];
  /** Of each choice the place in `tokens` of what it led to; the tokens between are not the policy's. */
  readonly written: readonly number[];
  /** What was chosen at each step, A in all: latent actions, or the tokens themselves. */
  readonly choices: readonly number[];
  /** log pi of each choice when it was made. */
  readonly logp: readonly number[];
  /** Value of each state then; empty without a value head. */
  readonly values: readonly number[];
  /** h of prompt and tokens up to the last state that chose, `[p - 1 + S, d]`; empty where the base learns. */
  readonly hidden: Float32Array;
  /** Codes that top-k left out at each step, if any were: A sets of N flags. */
  readonly banned: readonly Uint8Array[];
  /** Whether it came to its end, and was not cut off. */
  readonly finished: boolean;
  readonly turns: readonly Turn[];
}

/** A turn as text. */
export interface Exchange {
  readonly said: string;
  /** What was said to it; null where there was no answer. */
  readonly observation: string | null;
}

/** Why nothing follows in a conversation: it came to its end, there were enough turns or tokens, or there was no answer. */
export type Ending = 'done' | 'turns' | 'tokens' | 'failed';

/** What was said in an episode of several turns. */
export interface Talk {
  /** One for each turn of the episode. */
  readonly exchanges: readonly Exchange[];
  readonly ended: Ending;
}

export interface Judged extends Episode {
  /** What the policy wrote, as text; of several turns with what was said to each. */
  readonly completion: string;
  /** Where somebody answered turn by turn. */
  readonly talk?: Talk | undefined;
  readonly result: RewardResult;
}

export const scoreOf = (result: RewardResult): number | undefined => ('noScore' in result ? undefined : result.value);
