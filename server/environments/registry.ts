/** Environments by what a run spec says. */
import type { Environment, GameEnvironment } from './environment.ts';
import { guessTheRule } from './guess-the-rule/guess-the-rule.ts';
import { household } from './household/household.ts';
import { moduleEnvironment } from './module/module.ts';
import { openenvEnvironment, openenvOptions } from './openenv/openenv.ts';
import type { EnvironmentSpec, GameSpec } from './spec.ts';

/**
 * Makes an environment ready; close it when the run ends. A `module` runs the user's code, and `openenv` opens connections: call
 * this only in a workspace that the user trusts.
 *
 * @param folder where relative module paths start
 * @throws environment.* for a module that cannot be loaded, or an address that is not allowed
 */
export async function createEnvironment(spec: EnvironmentSpec, folder: string): Promise<Environment> {
  if (typeof spec === 'string' || 'household' in spec) return gameOf(spec);
  if ('module' in spec) return moduleEnvironment(spec.module, folder);
  const { openenv } = spec;
  return openenvEnvironment(typeof openenv === 'string' ? openenvOptions.parse({ url: openenv }) : openenv);
}

/** One of those that are built in. */
export function gameOf(spec: GameSpec): GameEnvironment {
  if (spec === 'household') return household();
  return spec === 'guess-the-rule' ? guessTheRule() : household(spec.household);
}
