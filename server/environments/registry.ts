/** Environments by what a run spec says. */
import type { Reward } from '../rewards/reward.ts';
import type { RewardSpec } from '../rewards/spec.ts';
import type { Environment, GameEnvironment } from './environment.ts';
import { guessTheRule } from './guess-the-rule/guess-the-rule.ts';
import { household } from './household/household.ts';
import { mcpEnvironment } from './mcp/mcp.ts';
import { moduleEnvironment } from './module/module.ts';
import { openenvEnvironment, openenvOptions } from './openenv/openenv.ts';
import type { EnvironmentSpec, GameSpec } from './spec.ts';
import type { TaskFiles, WrittenTasks } from './tasks.ts';

/** What reads tasks out of files and makes their judges, for environments whose tasks somebody wrote down. */
export interface TaskReader {
  tasks(files: TaskFiles, reward: RewardSpec): Promise<WrittenTasks>;
  reward(spec: RewardSpec): Promise<Reward>;
}

const noTasks = (): never => {
  throw new Error('environments are made without tasks out of files here');
};

/**
 * Makes an environment ready; close it when the run ends. A `module` runs the user's code, `mcp` a program, and `openenv` opens
 * connections: call this only in a workspace that the user trusts.
 *
 * @param folder where relative paths of modules and programs start
 * @throws environment.* for a module that cannot be loaded, or an address that is not allowed; what the reader throws
 */
export async function createEnvironment(
  spec: EnvironmentSpec,
  folder: string,
  reader: TaskReader = { tasks: noTasks, reward: noTasks },
): Promise<Environment> {
  if (typeof spec === 'string' || 'household' in spec) return gameOf(spec);
  if ('module' in spec) return moduleEnvironment(spec.module, folder);
  if ('mcp' in spec) {
    const tasks = await reader.tasks(spec.mcp, spec.mcp.reward);
    // Last: it may run helper processes, which the environment ends.
    return mcpEnvironment(spec.mcp, folder, tasks, await reader.reward(spec.mcp.reward));
  }
  const { openenv } = spec;
  return openenvEnvironment(typeof openenv === 'string' ? openenvOptions.parse({ url: openenv }) : openenv);
}

/** One of those that are built in. */
export function gameOf(spec: GameSpec): GameEnvironment {
  if (spec === 'household') return household();
  return spec === 'guess-the-rule' ? guessTheRule() : household(spec.household);
}
