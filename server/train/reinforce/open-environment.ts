/** Environments with everything that they are made from: tasks out of files, and rewards with models. */
import { plainTurns } from '../../data/conversation.ts';
import type { Row } from '../../data/rows.ts';
import type { Environment } from '../../environments/environment.ts';
import { createEnvironment } from '../../environments/registry.ts';
import type { EnvironmentSpec } from '../../environments/spec.ts';
import type { WrittenTask } from '../../environments/tasks.ts';
import { openReward } from '../../reward-model/learned-reward.ts';
import { type RowContext, splitRows } from '../data.ts';
import { trainErrors } from '../errors.ts';
import { AnswerCheck } from './answer-check.ts';
import { heldOutShare, taskProblems } from './problems.ts';
import { beforeAnswer, knownOf } from './rollout.ts';

/** Problems of a generator that are measured on. */
const measuredProblems = 200;

/**
 * @param tasks `given` where every world is told its task
 * @throws environment.*, data.*, reward.*, train.tooFewRows
 */
export function openEnvironment(
  spec: EnvironmentSpec,
  context: RowContext,
  tasks: 'read' | 'given' = 'read',
): Promise<Environment> {
  const folder = context.resolve('.');
  return createEnvironment(spec, folder, {
    reward: (reward) => openReward(reward, folder),
    async tasks({ prompts, held_out }, reward) {
      if (tasks === 'given') return { seen: [], unseen: [] };
      const check = new AnswerCheck(prompts, reward);
      const convert = (row: Row) => check.pass(writtenTask(row), row);
      const counts = { train: taskProblems, test: measuredProblems };
      const { train, heldOut } = await splitRows(prompts, held_out, context, heldOutShare, counts, convert);
      check.tell(context);
      return { seen: train, unseen: heldOut };
    },
  });
}

/** @throws train.setting for a row without a prompt */
function writtenTask(row: Row): WrittenTask {
  const columns = { ...knownOf(row), ...row.columns };
  if (row.kind === 'prompt') return { prompt: row.prompt.trim(), row: columns };
  if (row.kind === 'text')
    throw trainErrors.setting('environment', 'prompts', 'the rows are plain text and have no prompt');
  const messages = beforeAnswer(row.messages);
  // A single thing that is said needs no names of who says it.
  const prompt = messages.length === 1 ? messages[0].content : plainTurns(messages).prompt;
  return { prompt, row: columns, messages };
}
