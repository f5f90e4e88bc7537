/**
 * The contract of every environment: a world in which an agent acts by writing, turn by turn. Same seed, same task and same
 * steps, same observations and rewards.
 */
import type { ColaError } from '../errors.ts';
import type { WrittenTask, WrittenTasks } from './tasks.ts';

/** A function that an agent may call in a step, with the JSON schema of its arguments. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What is to be done. Sides share no world: what was learned on `seen` can be judged on `unseen`. */
export interface Task {
  readonly side: 'seen' | 'unseen';
  /** One of the kinds that the environment has; any, drawn from the seed, if not given. */
  readonly kind?: string;
  /** One that somebody wrote down; that of the seed, if not given. A world may be opened where the others are not. */
  readonly written?: WrittenTask;
}

/** What becomes of a step. */
export interface StepResult {
  readonly observation: string;
  /** What this step earned; that of an episode is the sum. */
  readonly reward: number;
  readonly done: boolean;
  /** What is worth knowing and is not told to the agent. */
  readonly info: Readonly<Record<string, string | number | boolean>>;
}

/** How a step was written, where a model wrote it. */
export interface Writing {
  readonly tokens: number;
  /** Whether the model ended it, and no limit of length did. */
  readonly finished: boolean;
}

/** One world, for one episode after the other. Steps of a world follow each other; those of several worlds may overlap. */
export interface World {
  /** @returns the first observation */
  reset(seed: number, task: Task, signal?: AbortSignal): Promise<string>;
  /** @param text what the agent wrote: words, or a call of a tool (`tools.ts`) */
  step(text: string, signal?: AbortSignal, writing?: Writing): Promise<StepResult>;
  close(): Promise<void>;
}

export interface Environment {
  readonly name: string;
  /** What an agent is told before everything else. */
  readonly instructions: string;
  readonly tools: readonly Tool[];
  /** Highest and lowest sum of rewards, where they are known. */
  readonly range?: readonly [lowest: number, highest: number] | undefined;
  /**
   * Whether the same steps may be taken again from the same seed and lead to the same, so that a search brings a world back to an
   * earlier turn by doing so. Not where a step may do something that stays: tools of other programs.
   */
  readonly repeats: boolean;
  /** What is to be done, where somebody wrote it down: seeds count them, and those beyond begin again. */
  readonly tasks?: WrittenTasks;
  /** Many may be open at once. */
  open(): World;
  /** Ends what it runs in. Calling it twice is harmless. */
  close(): Promise<void>;
}

/** A world that answers at once: what an environment written here is. */
export interface Game {
  reset(seed: number, task: Task): string;
  step(text: string): StepResult;
  /** Steps that would do something now, for agents that act at random. */
  possible(): readonly string[];
  /** The next step of a player who knows how. */
  expert(): string;
}

/** Steps in a game until it is done. */
export function* playGame(
  game: Game,
  next: () => string,
  turns: number,
): Generator<{ readonly text: string; readonly result: StepResult }> {
  for (let turn = 0; turn < turns; turn++) {
    const text = next();
    const result = game.step(text);
    yield { text, result };
    if (result.done) return;
  }
}

/** An environment of games. */
export interface GameEnvironment extends Environment {
  game(): Game;
}

export const isGame = (environment: Environment): environment is GameEnvironment => 'game' in environment;

export const worldOf = (game: Game): World => ({
  reset: async (seed, task) => game.reset(seed, task),
  step: async (text) => game.step(text),
  close: async () => undefined,
});

export function gameEnvironment(
  about: Pick<Environment, 'name' | 'instructions' | 'tools' | 'range'>,
  game: () => Game,
): GameEnvironment {
  return { ...about, repeats: true, game, open: () => worldOf(game()), close: async () => undefined };
}

/** Bounds of what an environment may take and give. */
export interface Limits {
  /** Characters of an observation; the rest is cut off. */
  readonly observation: number;
  /** Characters of a step that are passed on. */
  readonly text: number;
  readonly stepMs: number;
}

export const usualLimits: Limits = { observation: 4000, text: 4000, stepMs: 10_000 };

const cut = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most)}…`);

/**
 * A world within bounds.
 *
 * @param late the error of a step that took too long; the world is closed then
 */
export function bounded(world: World, limits: Limits, late: (ms: number) => ColaError): World {
  const inTime = async <T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    signal?.throwIfAborted();
    const stop = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let abort = () => {};
    try {
      return await new Promise<T>((resolve, reject) => {
        abort = () => reject(signal?.reason);
        signal?.addEventListener('abort', abort, { once: true });
        timer = setTimeout(() => reject(late(limits.stepMs)), limits.stepMs);
        work(stop.signal).then(resolve, reject);
      });
    } catch (error) {
      stop.abort(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  };
  return {
    reset: async (seed, task, signal) =>
      cut(await inTime((own) => world.reset(seed, task, own), signal), limits.observation),
    async step(text, signal, writing) {
      const result = await inTime((own) => world.step(text.slice(0, limits.text), own, writing), signal);
      return { ...result, observation: cut(result.observation, limits.observation) };
    },
    close: () => world.close(),
  };
}
