/** A task to be measured on: held-out prompts, how answers are judged and how they are sampled. */
import { createReward } from '../rewards/registry.ts';
import type { Reward } from '../rewards/reward.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import type { DataSpec } from '../spec/settings.ts';
import { splitRows, templateOf, tokenizerOf } from '../train/data.ts';
import type { Figures } from '../train/measures/figures.ts';
import { evaluatePrompts } from '../train/measures/prompts.ts';
import { heldOutShare } from '../train/problems.ts';
import { type Prompt, promptRoom, promptsOf } from '../train/rollout.ts';
import type { Subject } from './subject.ts';

export interface TaskSpec {
  readonly prompts: DataSpec;
  readonly held_out?: DataSpec | undefined;
  readonly chat?: boolean | undefined;
  readonly reward: RewardSpec;
  readonly max_new: number;
  readonly temperature: number;
  readonly top_k: number;
  readonly solved_at: number;
}

/**
 * The prompts that reinforcement with these settings holds out, as a model reads them; another may have another template.
 *
 * @param limit most prompts
 * @throws data.*, train.*
 */
export async function heldOutPrompts(task: TaskSpec, subject: Subject, limit: number): Promise<readonly Prompt[]> {
  const { context, base } = subject;
  // Of a task's problems for training none is used here.
  const { heldOut } = await splitRows(task.prompts, task.held_out, context, heldOutShare, { train: 0, test: limit });
  const room = promptRoom(base.config, task.max_new);
  return promptsOf(heldOut.slice(0, limit), tokenizerOf(context), templateOf(context), task.chat, room);
}

export function rewardOf(task: TaskSpec, subject: Subject): Promise<Reward> {
  return createReward(task.reward, subject.context.resolve('.'));
}

/**
 * Answers of a model to held-out prompts: `greedy_reward`, `greedy_solved`, `sampled_reward`, `sampled_solved`,
 * `different_answers` (of the samples of a prompt), `answer_tokens`, and `pass_at_k` for powers of two up to the number of
 * samples ({@link passAtK}).
 */
export async function measureTask(
  subject: Subject,
  task: TaskSpec,
  prompts: readonly Prompt[],
  reward: Reward,
  samples: number,
  seed: number,
): Promise<Figures> {
  const actor = subject.actor(task.top_k);
  try {
    const { metrics } = await evaluatePrompts(actor, prompts, reward, tokenizerOf(subject.context), {
      samples,
      maxNew: task.max_new,
      temperature: task.temperature,
      topK: task.top_k,
      solvedAt: task.solved_at,
      seed,
      signal: subject.signal,
    });
    const { held_out_answer_tokens: answer_tokens, ...rest } = metrics;
    return { ...rest, answer_tokens };
  } finally {
    await actor.dispose();
  }
}
