/** An environment by what a person types: what `environmentNamed` knows, or a run spec, whose last environment is meant. */
import { dirname, resolve } from 'node:path';
import { environmentNamed } from '../environments/named.ts';
import type { EnvironmentSpec } from '../environments/spec.ts';
import { readSpec } from './document.ts';
import { specErrors } from './errors.ts';
import { absolutePaths } from './paths.ts';
import { stageOf } from './stages.ts';

/**
 * @param folder that a path is relative to
 * @returns with absolute paths
 * @throws environment.unknown, environment.moduleMissing, spec.*
 */
export function namedEnvironment(name: string, folder: string): EnvironmentSpec {
  if (!/\.ya?ml$/i.test(name)) return environmentNamed(name, folder);
  const file = resolve(folder, name);
  const { stages } = readSpec(file);
  const agent = stages.flatMap((stage) => stageOf(stage).agent?.(stage.settings) ?? []).at(-1);
  if (agent !== undefined) return absolutePaths(agent.environment, dirname(file));
  throw specErrors.noEnvironment(file);
}
