/**
 * A user's own environment, in processes of its own with the user's rights: it is the user's code, and not confined. They see few
 * variables of this process's environment and end with all that they started, as those of rewards do.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { needPlainFile } from '../../files/open.ts';
import { Helper, type HelperPlan } from '../../rewards/process/helper.ts';
import { visibleVariables } from '../../schemas/visible-variables.ts';
import type { Environment, Task, World } from '../environment.ts';
import { environmentErrors } from '../errors.ts';

export const moduleOptions = z.strictObject({
  path: z.string().min(1).meta({ description: 'A JavaScript file; relative paths start at the folder of the spec.' }),
  stepMs: z.int().min(10).max(3_600_000).default(10_000).meta({ description: 'Longest time of a step.' }),
  processes: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Processes that share the worlds; by default up to four.' }),
  env: visibleVariables,
});

/** What its process is asked. */
export type Question =
  | { readonly ask: 'about' }
  | { readonly ask: 'reset'; readonly world: number; readonly seed: number; readonly task: Task }
  | { readonly ask: 'step'; readonly world: number; readonly text: string }
  | { readonly ask: 'close'; readonly world: number };

const tool = z.object({
  name: z.string().min(1).max(100),
  description: z.string().max(2000).default(''),
  parameters: z.record(z.string(), z.unknown()).default({}),
});
const about = z.object({
  instructions: z.string().max(20_000),
  tools: z.array(tool).max(64),
  range: z
    .tuple([z.number(), z.number()])
    .refine(([lowest, highest]) => lowest < highest, 'the lowest sum comes first, and the highest is greater')
    .optional(),
});
const stepped = z.object({
  observation: z.string(),
  reward: z.number().default(0),
  done: z.boolean().default(false),
  info: z.record(z.string(), z.union([z.string().max(2000), z.number(), z.boolean()])).default({}),
});

/** Where a value is wrong, in a few words. */
const problemOf = ({ issues: [issue] }: z.ZodError) => `${issue.path.join('.') || 'it'}: ${issue.message}`;

/** @throws environment.moduleMissing, environment.moduleFailed, environment.moduleShape, files.kind */
export async function moduleEnvironment(options: z.infer<typeof moduleOptions>, folder: string): Promise<Environment> {
  const path = resolve(folder, options.path);
  if (!existsSync(path)) throw environmentErrors.moduleMissing(path);
  needPlainFile(path);
  const name = options.path;
  const plan: HelperPlan = {
    name,
    program: 'environment-worker',
    argument: path,
    trusted: true,
    env: options.env,
    startError: ({ code, message }) =>
      code === 'shape' ? environmentErrors.moduleShape(path, message) : environmentErrors.moduleFailed(path, message),
  };
  const size = options.processes ?? Math.max(2, Math.min(4, availableParallelism()));
  const helpers = Array.from({ length: size }, () => new Helper(plan));
  const close = async () => {
    await Promise.all(helpers.map((helper) => helper.close()));
  };
  const ask = async (helper: Helper, question: Question, signal?: AbortSignal): Promise<unknown> => {
    const outcome = await helper.ask(question, options.stepMs, signal);
    if (outcome.kind === 'answer') return outcome.value;
    if (outcome.kind === 'late') throw environmentErrors.late(name, options.stepMs);
    if (outcome.kind === 'threw') throw environmentErrors.failed(name, outcome.message);
    throw environmentErrors.ended(name, outcome.message);
  };
  try {
    const told = about.safeParse(await ask(helpers[0], { ask: 'about' }));
    if (!told.success) throw environmentErrors.moduleShape(path, problemOf(told.error));
    let count = 0;
    return { name, ...told.data, repeats: true, open: () => worldOf(count++), close };
  } catch (error) {
    await close();
    throw error;
  }

  /** A world stays in the process that it began in. */
  function worldOf(world: number): World {
    const helper = helpers[world % helpers.length];
    return {
      async reset(seed, task, signal) {
        const answer = await ask(helper, { ask: 'reset', world, seed, task }, signal);
        if (typeof answer !== 'string') throw environmentErrors.badAnswer(name, `reset returned ${typeof answer}`);
        return answer;
      },
      async step(text, signal) {
        const answer = await ask(helper, { ask: 'step', world, text }, signal);
        if (typeof answer === 'object' && answer !== null && 'lost' in answer)
          throw environmentErrors.ended(name, 'a step of another world ended it');
        const parsed = stepped.safeParse(answer);
        if (!parsed.success) throw environmentErrors.badAnswer(name, problemOf(parsed.error));
        return parsed.data;
      },
      close: async () => {
        // What has ended has no worlds any more.
        await ask(helper, { ask: 'close', world }).catch(() => undefined);
      },
    };
  }
}
