/** An environment by what a person types: what `environmentNamed` knows, or a run spec, whose last environment is meant. */
import { dirname, resolve } from 'node:path';
import { environmentNamed } from '../environments/named.ts';
import type { EnvironmentSpec } from '../environments/spec.ts';
import { readSpec } from './document.ts';
import { specErrors } from './errors.ts';
import { absolutePaths } from './paths.ts';
import { type StageAgent, stageOf } from './stages.ts';

/**
 * @param folder that a path is relative to
 * @returns with absolute paths
 * @throws environment.unknown, environment.moduleMissing, spec.*
 */
export function namedEnvironment(name: string, folder: string): EnvironmentSpec {
  const file = specNamed(name, folder);
  return file === undefined ? environmentNamed(name, folder) : absolutePaths(agentIn(file).environment, dirname(file));
}

/** Sizes of an episode there: those of the stage whose environment is meant, nothing where it is named by itself. @throws spec.* */
export function namedSizes(name: string, folder: string): Partial<Pick<StageAgent, 'turns' | 'max_new'>> {
  const file = specNamed(name, folder);
  return file === undefined ? {} : agentIn(file);
}

const specNamed = (name: string, folder: string) => (/\.ya?ml$/i.test(name) ? resolve(folder, name) : undefined);

/** @throws spec.noEnvironment */
function agentIn(file: string): StageAgent {
  const { stages } = readSpec(file);
  const agent = stages.flatMap((stage) => stageOf(stage).agent?.(stage.settings) ?? []).at(-1);
  if (agent === undefined) throw specErrors.noEnvironment(file);
  return agent;
}
