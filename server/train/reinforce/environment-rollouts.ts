/** Turns in an environment: what the policy writes is a step, and what comes of it is what it reads next. */
import { bounded, type Environment, type Task, usualLimits, type World } from '../../environments/environment.ts';
import { environmentErrors } from '../../environments/errors.ts';
import { taskAt, writtenTask } from '../../environments/tasks.ts';
import { startText } from '../../environments/tools.ts';
import type { Speech } from '../../model/chat/speech.ts';
import { exchangeText } from '../../search/courses.ts';
import { trainErrors } from '../errors.ts';
import { type Partner, sampleConversations } from './conversation-sampler.ts';
import type { Episode, Exchange, Judged, Prompt, Talk } from './episode.ts';
import type { Rollouts } from './rollouts.ts';
import type { Chooser, SamplingSettings } from './sampler.ts';
import type { Start } from './starts.ts';

export interface ConversationSizes {
  readonly turns: number;
  /** Most tokens behind the start. */
  readonly maxTokens: number;
}

/** A world of an environment, within bounds. */
export const openWorld = (environment: Environment): World =>
  bounded(environment.open(), { ...usualLimits, stepMs: worldMs }, (ms) =>
    environmentErrors.late(environment.name, ms),
  );

/** A module has a limit of its own, which may be an hour; this is for what has none. */
const worldMs = 3_600_000;

/** Starts of an environment as prompts, as many as it has. Their seeds are their numbers, and the sides share no world. */
export async function environmentPrompts(
  environment: Environment,
  speech: Speech,
  side: Task['side'],
  count: number,
  longest: number,
  signal: AbortSignal,
): Promise<Prompt[]> {
  const world = openWorld(environment);
  try {
    const prompts: Prompt[] = [];
    const most = Math.min(count, environment.tasks?.[side].length ?? count);
    for (let seed = 0; seed < most; seed++)
      prompts.push(await startOf(environment, world, speech, { seed, side }, longest, signal));
    return prompts;
  } finally {
    await world.close();
  }
}

/** The start of one world as a prompt. */
export async function environmentPrompt(
  environment: Environment,
  speech: Speech,
  task: WorldTask,
  longest: number,
  signal: AbortSignal,
): Promise<Prompt> {
  const world = openWorld(environment);
  try {
    return await startOf(environment, world, speech, task, longest, signal);
  } finally {
    await world.close();
  }
}

export interface WorldTask extends Pick<Task, 'side' | 'written'> {
  readonly seed: number;
}

/** @throws train.startTooLong */
async function startOf(
  environment: Environment,
  world: World,
  speech: Speech,
  { seed, side }: WorldTask,
  longest: number,
  signal: AbortSignal,
): Promise<Prompt> {
  const written = taskAt(environment.tasks, seed, side);
  const task = written === undefined ? { side } : { side, written };
  const { text, ids } = speech.start(startText(environment, await world.reset(seed, task, signal)));
  if (ids.length > longest) throw trainErrors.startTooLong(environment.name, ids.length, longest);
  return { text, ids, row: { seed, ...task } };
}

/** Where an episode begins. */
export interface Stand {
  readonly task: WorldTask;
  /** Turns that are taken before it; they lead where they led. */
  readonly behind?: readonly Exchange[];
  /** Tokens that its first turn begins with; the policy goes on behind them. */
  readonly begun?: readonly number[];
}

/** What happened in one world, and what it came to. */
class Visit implements Partner {
  reward = 0;
  readonly exchanges: Exchange[] = [];
  solved: boolean | undefined;
  private begun = false;
  private closed: Promise<void> | undefined;

  constructor(
    private readonly name: string,
    private readonly world: World,
    private readonly stand: Stand,
    private readonly speech: Speech,
  ) {}

  async reply(written: readonly number[], ended: boolean, signal: AbortSignal) {
    const begun = this.begun ? [] : (this.stand.begun ?? []);
    const said = this.speech.tokenizer.decode([...begun, ...written], { skipSpecialTokens: true }).trim();
    const turn = this.exchanges.push({ said, observation: null }) - 1;
    if (!this.begun) await this.begin(signal);
    this.begun = true;
    const { observation, reward, done, info } = await this.world.step(said, signal, {
      tokens: written.length,
      finished: ended,
    });
    this.reward += reward;
    this.exchanges[turn] = { said, observation };
    if (typeof info.solved === 'boolean') this.solved = info.solved;
    return { tokens: done ? [] : this.speech.reply(observation, written[written.length - 1], ended), reward, done };
  }

  /** @throws environment.changed */
  private async begin(signal: AbortSignal): Promise<void> {
    const { task, behind = [] } = this.stand;
    const { seed, ...what } = task;
    await this.world.reset(seed, what, signal);
    for (const [turn, { said, observation }] of behind.entries()) {
      const again = await this.world.step(said, signal);
      if (again.done || again.observation !== observation) throw environmentErrors.changed(this.name, turn + 1);
    }
  }

  /** What was said and answered. */
  get text(): string {
    const answered = this.exchanges.filter(({ observation }) => observation !== null);
    return answered.map(exchangeText).join('\n');
  }

  leave(): void {
    // A world that is closed makes room for others; what fails in that is found when all are closed.
    this.close().catch(() => undefined);
  }

  close(): Promise<void> {
    this.closed ??= this.world.close();
    return this.closed;
  }
}

/** @param turn awaited between runs of the device */
export function inEnvironment(
  environment: Environment,
  chooser: Chooser,
  speech: Speech,
  sizes: ConversationSizes,
  turn?: () => Promise<void>,
): Rollouts {
  return {
    async run(starts: readonly Start[], settings: SamplingSettings, signal: AbortSignal) {
      const stands = starts.map(({ prompt: { row } }): Stand => {
        const written = row.written === undefined ? {} : { written: writtenTask.parse(row.written) };
        const side = row.side === 'unseen' ? ('unseen' as const) : ('seen' as const);
        return { task: { seed: Number(row.seed), side, ...written } };
      });
      const rows = await actIn(
        environment,
        { chooser, speech, turn },
        starts,
        stands,
        { ...settings, ...sizes },
        signal,
      );
      return { rows, seconds: 0 };
    },
    close: () => environment.close(),
  };
}

/** Who acts in an environment. */
export interface Acting {
  readonly chooser: Chooser;
  readonly speech: Speech;
  /** Awaited between runs of the device. */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** @param stands one for each start, for all of its samples @returns in the order of the starts, groups together */
export async function actIn(
  environment: Environment,
  { chooser, speech, turn }: Acting,
  starts: readonly Start[],
  stands: readonly Stand[],
  settings: SamplingSettings & ConversationSizes,
  signal: AbortSignal,
): Promise<Judged[]> {
  const visits = starts.flatMap(({ seeds }, i) =>
    seeds.map(() => new Visit(environment.name, openWorld(environment), stands[i], speech)),
  );
  try {
    const limits = { ...settings, endsTurn: (token: number) => speech.endsTurn(token) };
    const episodes = await sampleConversations(chooser, starts, visits, limits, signal, turn);
    return episodes.map(({ failed, ...episode }, i): Judged => {
      const { text, reward, solved, exchanges } = visits[i];
      const ended = endOf(episode, failed, settings);
      const parts = solved === undefined ? { reward } : { reward, solved: Number(solved) };
      return {
        ...episode,
        completion: text,
        talk: { exchanges, ended },
        result: failed === undefined ? { value: reward, parts } : { noScore: failed },
      };
    });
  } finally {
    await Promise.all(visits.map((visit) => visit.close()));
  }
}

function endOf({ finished, turns }: Episode, failed: string | undefined, sizes: ConversationSizes): Talk['ended'] {
  if (failed !== undefined) return 'failed';
  if (finished) return 'done';
  return turns.length >= sizes.turns ? 'turns' : 'tokens';
}
