/** A world that tells what happens in it, turn by turn. */
import type { Environment, StepResult, World } from './environment.ts';

export interface Watcher {
  /** An episode begins. */
  onStart(observation: string): void;
  /** @param text what was written */
  onStep(text: string, result: StepResult): void;
}

export function watchedWorld(world: World, watcher: Watcher): World {
  return {
    async reset(seed, task, signal) {
      const observation = await world.reset(seed, task, signal);
      watcher.onStart(observation);
      return observation;
    },
    async step(text, signal, writing) {
      const result = await world.step(text, signal, writing);
      watcher.onStep(text, result);
      return result;
    },
    close: () => world.close(),
  };
}

/** The same environment, with somebody who watches all its worlds. */
export function watched(environment: Environment, watcher: Watcher): Environment {
  const { name, instructions, tools, range, repeats, tasks } = environment;
  return {
    ...{ name, instructions, tools, repeats },
    ...(range === undefined ? {} : { range }),
    ...(tasks === undefined ? {} : { tasks }),
    open: () => watchedWorld(environment.open(), watcher),
    close: () => environment.close(),
  };
}
