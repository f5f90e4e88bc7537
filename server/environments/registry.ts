/** Environments by what a run spec says. */
import type { Environment } from './environment.ts';
import { guessTheRule } from './guess-the-rule/guess-the-rule.ts';
import { household } from './household/household.ts';
import { moduleEnvironment } from './module/module.ts';
import type { EnvironmentSpec } from './spec.ts';

/**
 * Makes an environment ready; close it when the run ends. A `module` runs the user's code: call this only in a workspace that
 * the user trusts.
 *
 * @param folder where relative module paths start
 * @throws environment.* for a module that cannot be loaded
 */
export async function createEnvironment(spec: EnvironmentSpec, folder: string): Promise<Environment> {
  if (spec === 'household') return household();
  if (spec === 'guess-the-rule') return guessTheRule();
  if ('household' in spec) return household(spec.household);
  return moduleEnvironment(spec.module, folder);
}
