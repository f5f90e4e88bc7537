/** Turns in an environment: what the policy writes is a step, and what comes of it is what it reads next. */
import { bounded, type Environment, type Task, usualLimits, type World } from '../../environments/environment.ts';
import { environmentErrors } from '../../environments/errors.ts';
import { toolsText } from '../../environments/tools.ts';
import type { ChatTemplate } from '../../model/chat/chat.ts';
import type { Tokenizer } from '../../model/tokenizer/tokenizer.ts';
import { trainErrors } from '../errors.ts';
import { type Partner, sampleConversations } from './conversation-sampler.ts';
import type { Judged, Prompt } from './episode.ts';
import type { Rollouts } from './rollouts.ts';
import type { Chooser, SamplingSettings } from './sampler.ts';
import type { Start } from './starts.ts';

export interface ConversationSizes {
  readonly turns: number;
  /** Most tokens behind the start. */
  readonly maxTokens: number;
}

/** How what is said becomes tokens. */
export class Speech {
  private readonly breaks = new Map<number, boolean>();

  /** @param template of the model, if it is to be used; without one a turn is a line behind `> ` */
  constructor(
    readonly tokenizer: Tokenizer,
    private readonly template: ChatTemplate | undefined,
  ) {}

  start(instructions: string, observation: string): { readonly text: string; readonly ids: Int32Array } {
    const text = `${instructions}\n\n${observation}`;
    if (this.template !== undefined)
      return this.template.encodePrompt([{ role: 'user', content: text }], this.tokenizer);
    const plain = `${text}\n> `;
    return { text: plain, ids: this.tokenizer.encode(plain, { controlTokens: false }) };
  }

  /** What follows a turn. @param last its last token @param ended whether that is an end token */
  reply(observation: string, last: number, ended: boolean): Int32Array {
    if (this.template !== undefined) {
      const ids = this.template.encodeReply(observation, this.tokenizer);
      // The policy has written the end of its answer itself.
      return ended && ids[0] === last ? ids.subarray(1) : ids;
    }
    const start = this.endsLine(last) ? '' : '\n';
    return this.tokenizer.encode(`${start}${observation}\n> `, { addSpecialTokens: false, controlTokens: false });
  }

  /** Whether a token ends a turn: without a template, one with a line break. */
  endsTurn(token: number): boolean {
    return this.template === undefined && this.endsLine(token);
  }

  private endsLine(token: number): boolean {
    const known = this.breaks.get(token);
    if (known !== undefined) return known;
    const breaks = this.tokenizer.decode([token]).includes('\n');
    this.breaks.set(token, breaks);
    return breaks;
  }
}

/** A world of an environment, within bounds. */
export const openWorld = (environment: Environment): World =>
  bounded(environment.open(), { ...usualLimits, stepMs: worldMs }, (ms) =>
    environmentErrors.late(environment.name, ms),
  );

/** A module has a limit of its own, which may be an hour; this is for what has none. */
const worldMs = 3_600_000;

/** Starts of an environment as prompts. Their seeds are their numbers, and the sides share no world. */
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
    for (let seed = 0; seed < count; seed++)
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

interface WorldTask {
  readonly seed: number;
  readonly side: Task['side'];
}

/** @throws train.promptTooLong */
async function startOf(
  environment: Environment,
  world: World,
  speech: Speech,
  { seed, side }: WorldTask,
  longest: number,
  signal: AbortSignal,
): Promise<Prompt> {
  const told = [environment.instructions, toolsText(environment.tools)].filter((part) => part !== '').join('\n\n');
  const { text, ids } = speech.start(told, await world.reset(seed, { side }, signal));
  if (ids.length > longest) throw trainErrors.promptTooLong(environment.name, text.slice(0, 60), ids.length, longest);
  return { text, ids, row: { seed, side } };
}

/** What happened in one world, and what it came to. */
class Visit implements Partner {
  reward = 0;
  text = '';
  solved: boolean | undefined;
  private begun = false;

  constructor(
    private readonly world: World,
    private readonly task: WorldTask,
    private readonly speech: Speech,
  ) {}

  async reply(written: readonly number[], ended: boolean, signal: AbortSignal) {
    if (!this.begun) await this.world.reset(this.task.seed, { side: this.task.side }, signal);
    this.begun = true;
    const said = this.speech.tokenizer.decode([...written], { skipSpecialTokens: true }).trim();
    const { observation, reward, done, info } = await this.world.step(said, signal);
    this.reward += reward;
    this.text += `${this.text === '' ? '' : '\n'}> ${said}\n${observation}`;
    if (typeof info.solved === 'boolean') this.solved = info.solved;
    return { tokens: done ? [] : this.speech.reply(observation, written[written.length - 1], ended), reward, done };
  }

  close(): Promise<void> {
    return this.world.close();
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
      const visits = starts.flatMap(({ prompt: { row }, seeds }) => {
        const task = { seed: Number(row.seed), side: row.side === 'unseen' ? ('unseen' as const) : ('seen' as const) };
        return seeds.map(() => new Visit(openWorld(environment), task, speech));
      });
      try {
        const limits = { ...settings, ...sizes, endsTurn: (token: number) => speech.endsTurn(token) };
        const episodes = await sampleConversations(chooser, starts, visits, limits, signal, turn);
        const rows = episodes.map(({ failed, ...episode }, i): Judged => {
          const { text, reward, solved } = visits[i];
          const parts = solved === undefined ? { reward } : { reward, solved: Number(solved) };
          return {
            ...episode,
            completion: text,
            result: failed === undefined ? { value: reward, parts } : { noScore: failed },
          };
        });
        return { rows, seconds: 0 };
      } finally {
        await Promise.all(visits.map((visit) => visit.close()));
      }
    },
    close: () => environment.close(),
  };
}
