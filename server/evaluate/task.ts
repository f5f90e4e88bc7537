/** A task to be measured on: held-out prompts, how answers are judged and how they are sampled. */

import type { Row } from '../data/rows.ts';
import { openReward } from '../reward-model/learned-reward.ts';
import type { Reward } from '../rewards/reward.ts';
import type { StageTask } from '../spec/stages.ts';
import { splitRows, templateOf, tokenizerOf } from '../train/data.ts';
import type { Figures } from '../train/measures/figures.ts';
import { evaluatePrompts, type PromptEvaluation } from '../train/measures/prompts.ts';
import type { SolvedEach } from '../train/measures/solved.ts';
import { AnswerCheck } from '../train/reinforce/answer-check.ts';
import type { Prompt } from '../train/reinforce/episode.ts';
import { heldOutShare } from '../train/reinforce/problems.ts';
import { promptMaker, promptRoom } from '../train/reinforce/rollout.ts';
import { answered } from '../train/reinforce/rollouts.ts';
import type { Subject } from './subject.ts';

/** A task as a stage has it, without the sizes of its measurement. */
export type TaskSpec = Omit<StageTask, 'sizes'>;

/**
 * The prompts that reinforcement with these settings holds out, as a model reads them; another may have another template.
 *
 * @param limit most prompts
 * @throws data.*, train.*
 */
export async function heldOutPrompts(task: TaskSpec, subject: Subject, limit: number): Promise<readonly Prompt[]> {
  const { context, base } = subject;
  // Of a task's problems for training none is used here.
  const room = promptRoom(base.config, task.max_new);
  const make = promptMaker(tokenizerOf(context), templateOf(context), task.chat, room);
  const check = new AnswerCheck(task.prompts, task.reward);
  const convert = (row: Row) => check.pass(make(row), row);
  const counts = { train: 0, test: limit };
  const { heldOut } = await splitRows(task.prompts, task.held_out, context, heldOutShare, counts, convert);
  return heldOut.slice(0, limit);
}

export function rewardOf(task: Pick<TaskSpec, 'reward'>, subject: Subject): Promise<Reward> {
  return openReward(task.reward, subject.context.resolve('.'));
}

export interface TaskMeasured {
  readonly figures: Figures;
  readonly each: SolvedEach;
}

/** How a task is answered in a measurement. */
export const answering = (task: TaskSpec, samples: number, seed: number) => ({
  samples,
  maxNew: task.max_new,
  temperature: task.temperature,
  topK: task.top_k,
  solvedAt: task.solved_at,
  seed,
});

export function taskMeasured({ metrics, each }: Pick<PromptEvaluation, 'metrics' | 'each'>): TaskMeasured {
  const { held_out_answer_tokens: answer_tokens, held_out_unscored: unscored, ...rest } = metrics;
  return { figures: { ...rest, unscored, ...(answer_tokens !== undefined && { answer_tokens }) }, each };
}

/**
 * Answers of a model to held-out prompts: `greedy_reward`, `greedy_solved`, `sampled_reward`, `sampled_solved`,
 * `different_answers` (of the samples of a prompt), `answer_tokens`, `unscored` (answers without a score, left out), and `pass_at_k` for powers of two up to the number of
 * samples ({@link passAtK}). One measurement for each seed.
 */
export async function measureTask(
  subject: Subject,
  task: TaskSpec,
  prompts: readonly Prompt[],
  samples: number,
  seeds: readonly number[],
): Promise<TaskMeasured[]> {
  const actor = subject.actor(task.top_k);
  const rollouts = answered(actor, tokenizerOf(subject.context), await rewardOf(task, subject));
  const all: TaskMeasured[] = [];
  try {
    for (const seed of seeds) {
      const options = { ...answering(task, samples, seed), signal: subject.signal };
      all.push(taskMeasured(await evaluatePrompts(rollouts, prompts, options)));
    }
    return all;
  } finally {
    await rollouts.close();
    await actor.dispose();
  }
}
