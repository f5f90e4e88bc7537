/**
 * Tools of a server of the Model Context Protocol as an environment. The task is a row of a file: its prompt is the start, a call
 * of a tool is passed on to the server, and what is no call is the answer, which ends the episode and is judged by a reward.
 */
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { rewardRange, solvedFrom } from '../../rewards/range.ts';
import type { Reward } from '../../rewards/reward.ts';
import { rewardSpec } from '../../rewards/schema.ts';
import { visibleVariables } from '../../schemas/visible-variables.ts';
import type { Environment, StepResult, Task, Tool, World, Writing } from '../environment.ts';
import { environmentErrors } from '../errors.ts';
import { taskAt, type WrittenTask, type WrittenTasks } from '../tasks.ts';
import { toolCall } from '../tools.ts';
import type { ServerPlan } from './server.ts';
import { type Lent, Servers } from './servers.ts';

const milliseconds = z.int().min(10).max(3_600_000);

export const mcpOptions = z.strictObject({
  command: z
    .array(z.string().max(4000))
    .min(1)
    .max(100)
    .refine(([program]) => program !== '', 'names no program')
    .meta({
      description: 'The program that is the server, and its arguments, each by itself; no shell reads them.',
      words: true,
    }),
  folder: z
    .string()
    .min(1)
    .default('.')
    .meta({ description: 'Where it is started: what is relative in the command starts there.' }),
  env: visibleVariables,
  prompts: z
    .string()
    .min(1)
    .meta({ description: 'A file of rows with a prompt and what the reward needs: what is asked.' }),
  held_out: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Rows to measure on. Without it, the last tenth of the prompts is held out.' }),
  reward: rewardSpec.meta({ description: 'How an answer is judged.' }),
  tools: z
    .array(z.string().min(1).max(100))
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Tools that the agent is told of and may call; all, if not given.' }),
  instructions: z
    .string()
    .max(20_000)
    .default('Answer in words when you know the answer; that ends it.')
    .meta({ description: 'What the agent is told before everything else.' }),
  servers: z
    .int()
    .min(1)
    .max(256)
    .default(8)
    .meta({ description: 'Servers that run at once; an episode that calls a tool waits for one.' }),
  reuse: z.boolean().default(false).meta({
    description:
      'Whether an episode goes on with the server that an earlier one has left, with what it remembers; otherwise it has a new one, as all of a group must have the same start.',
  }),
  stepMs: milliseconds.default(10_000).meta({ description: 'Longest time of a call.' }),
  startMs: milliseconds.default(60_000).meta({ description: 'Longest time until a server is ready.' }),
});
export type McpOptions = z.infer<typeof mcpOptions>;

/** Tools that an agent is told of. */
const mostTools = 64;

/** The program, and the first argument that is no option: others may be secrets. */
function nameOf([program, ...rest]: readonly string[]): string {
  const first = rest.find((argument) => !argument.startsWith('-'));
  return [basename(program), ...(first === undefined ? [] : [first])].join(' ');
}

/**
 * @param folder where relative paths start
 * @param reward closed with the environment, also where it cannot be opened
 * @throws environment.mcp*
 */
export async function mcpEnvironment(
  options: McpOptions,
  folder: string,
  tasks: WrittenTasks,
  reward: Reward,
): Promise<Environment> {
  const at = resolve(folder, options.folder);
  const [program, ...rest] = options.command;
  // A path, and not a name that is looked for: systems differ in where they would begin.
  const found = /[/\\]/.test(program) ? resolve(at, program) : program;
  const name = nameOf(options.command);
  const { env, startMs, stepMs } = options;
  const plan: ServerPlan = { name, command: [found, ...rest], folder: at, env, startMs, stepMs };
  const servers = new Servers(plan, options.servers, options.reuse);
  const open = new Set<McpWorld>();
  const close = async () => {
    await Promise.all([...open].map((world) => world.close()));
    await Promise.all([servers.close(), reward.close()]);
  };
  try {
    if (statSync(at, { throwIfNoEntry: false })?.isDirectory() !== true) throw environmentErrors.mcpFolder(at);
    const tools = await toolsOf(servers, name, options.tools);
    const range = rewardRange(options.reward);
    const parts = { name, tasks, tools: new Set(tools.map((tool) => tool.name)), servers, reward };
    return {
      ...{ name, instructions: options.instructions, tools },
      // Who never answers gets nothing.
      ...(range === undefined ? {} : { range: [Math.min(0, range.lowest), Math.max(0, range.highest)] as const }),
      tasks,
      repeats: false,
      open() {
        const world = new McpWorld({ ...parts, solvedAt: solvedFrom(options.reward) }, () => open.delete(world));
        open.add(world);
        return world;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The tools that are wanted, in the order in which the server has them. @throws environment.mcp* */
async function toolsOf(servers: Servers, name: string, wanted: readonly string[] | undefined): Promise<Tool[]> {
  const lent = await servers.take();
  try {
    const all = await lent.server.tools();
    for (const each of wanted ?? [])
      if (!all.some((tool) => tool.name === each))
        throw environmentErrors.mcpTool(
          name,
          each,
          all.slice(0, mostTools).map((tool) => tool.name),
        );
    const told = all.filter((tool) => wanted?.includes(tool.name) ?? true);
    if (told.length > mostTools) throw environmentErrors.mcpTools(name, told.length, mostTools);
    // It has only been asked what it can do: the first episode may have it.
    await lent.leave('new');
    return told;
  } catch (error) {
    await lent.leave('broken');
    throw error;
  }
}

interface WorldParts {
  readonly name: string;
  readonly tasks: WrittenTasks;
  readonly tools: ReadonlySet<string>;
  readonly servers: Servers;
  readonly reward: Reward;
  readonly solvedAt: number;
}

const nothing = { reward: 0, done: false } as const;

class McpWorld implements World {
  private task: WrittenTask | undefined;
  /** There from the first call on: who calls nothing needs no process. */
  private lent: Lent | undefined;

  constructor(
    private readonly parts: WorldParts,
    private readonly onClose: () => void,
  ) {}

  async reset(seed: number, { side, written }: Task): Promise<string> {
    await this.leave('over');
    this.task = written ?? taskAt(this.parts.tasks, seed, side);
    if (this.task === undefined) throw new Error('there is no task');
    return this.task.prompt;
  }

  async step(text: string, signal?: AbortSignal, writing?: Writing): Promise<StepResult> {
    const { task } = this;
    if (task === undefined) return { observation: 'It is over.', reward: 0, done: true, info: {} };
    const call = toolCall(text);
    if (call === undefined && text.includes('<tool_call>'))
      return { observation: 'That is no call of a tool: it cannot be read.', ...nothing, info: { possible: false } };
    if (call === undefined) return this.judged(task, text, signal, writing);
    const { tools, servers } = this.parts;
    if (!tools.has(call.name)) {
      const observation = `There is no such tool. There are: ${[...tools].join(', ')}.`;
      return { observation, ...nothing, info: { possible: false } };
    }
    try {
      this.lent ??= await servers.take(signal);
      const { text: said, error } = await this.lent.server.call(call.name, call.arguments, signal);
      return { observation: said, ...nothing, info: { possible: !error } };
    } catch (error) {
      await this.leave('broken');
      throw error;
    }
  }

  async close(): Promise<void> {
    this.onClose();
    await this.leave('over');
  }

  /** @throws environment.unjudged for an answer without a score */
  private async judged(
    { prompt, row, messages }: WrittenTask,
    completion: string,
    signal: AbortSignal | undefined,
    { tokens, finished }: Writing = { tokens: completion.split(/\s+/).length, finished: true },
  ): Promise<StepResult> {
    const { reward, name, solvedAt } = this.parts;
    // Others may be waiting for the server.
    await this.leave('over');
    this.task = undefined;
    const said = messages === undefined ? {} : { messages };
    const score = await reward.score({ prompt, completion, row, finished, tokens, ...said }, signal);
    if ('noScore' in score) throw environmentErrors.unjudged(name, score.noScore);
    const solved = score.value >= solvedAt;
    const observation = solved ? 'Right.' : `Reward ${score.value}.`;
    return { observation, reward: score.value, done: true, info: { solved } };
  }

  private async leave(how: 'over' | 'broken'): Promise<void> {
    const { lent } = this;
    this.lent = undefined;
    await lent?.leave(how);
  }
}
