/** Tasks that somebody wrote down: what is asked, and what an answer is compared with. */
import { z } from 'zod';
import type { Task } from './environment.ts';

/** It travels to where a world is opened. */
export const writtenTask = z.object({
  prompt: z.string(),
  /** Columns that a reward compares an answer with. */
  row: z.record(z.string(), z.unknown()),
  /** The conversation, where the prompt was one. */
  messages: z
    .array(z.object({ role: z.string(), content: z.string() }))
    .readonly()
    .optional(),
});
export type WrittenTask = z.infer<typeof writtenTask>;

/** At least one of each side, where worlds are reset without one. */
export type WrittenTasks = Readonly<Record<Task['side'], readonly WrittenTask[]>>;

/** The task of a seed, if there is any. */
export function taskAt(tasks: WrittenTasks | undefined, seed: number, side: Task['side']): WrittenTask | undefined {
  const own = tasks?.[side] ?? [];
  return own.length === 0 ? undefined : own[seed % own.length];
}

/** Where tasks are, as a spec says it. */
export interface TaskFiles {
  readonly prompts: string;
  readonly held_out?: string | undefined;
}
