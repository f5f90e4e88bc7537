/** Tasks that somebody wrote down: what is asked, and what an answer is compared with. */
import type { RewardInput } from '../rewards/reward.ts';
import type { Task } from './environment.ts';

export interface WrittenTask {
  readonly prompt: string;
  /** Columns that a reward compares an answer with. */
  readonly row: RewardInput['row'];
  /** The conversation, where the prompt was one. */
  readonly messages?: RewardInput['messages'];
}

/** At least one of each side. */
export type WrittenTasks = Readonly<Record<Task['side'], readonly WrittenTask[]>>;

/** Where tasks are, as a spec says it. */
export interface TaskFiles {
  readonly prompts: string;
  readonly held_out?: string | undefined;
}
