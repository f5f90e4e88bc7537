/** Helper program: loads the environment module named by its argument and keeps its worlds. */
import { defaultExportOf, plainData, serve, Unready } from '../../rewards/process/helper-serve.ts';
import type { Question } from './module.ts';

interface OwnWorld {
  reset(seed: number, task: unknown): unknown;
  step(text: string): unknown;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

serve(import.meta.url, { heapMb: 4096, stackMb: 4 }, async (path) => {
  const given = await defaultExportOf(path);
  if (!isObject(given) || typeof given.create !== 'function')
    throw new Unready('shape', 'its default export has no function "create"');
  const create = given.create.bind(given) as () => unknown;
  const worlds = new Map<number, OwnWorld>();
  return async (question) => {
    const asked = question as Question;
    if (asked.ask === 'about') {
      const { instructions = '', tools = [], range } = given;
      return plainData({ instructions, tools, ...(range === undefined ? {} : { range }) });
    }
    if (asked.ask === 'close') return worlds.delete(asked.world);
    if (asked.ask === 'reset') {
      const made = worlds.get(asked.world) ?? ((await create()) as OwnWorld);
      if (!isObject(made) || typeof made.reset !== 'function' || typeof made.step !== 'function')
        throw new Error('create() gave no object with the functions reset and step');
      worlds.set(asked.world, made);
      return plainData(await made.reset(asked.seed, asked.task));
    }
    const world = worlds.get(asked.world);
    // The process that had it was ended, and this is the next.
    if (world === undefined) return { lost: true };
    return plainData(await world.step(asked.text));
  };
});
