/** A policy in a world, as a search over turns needs it: it plays on from behind turns that it has taken before. */
import { Decoder } from '../../cola/decoder.ts';
import type { ColaModel } from '../../cola/model.ts';
import type { Device } from '../../device/device.ts';
import type { Environment } from '../../environments/environment.ts';
import { environmentErrors } from '../../environments/errors.ts';
import type { Speech } from '../../model/chat/speech.ts';
import { probabilities } from '../../model/sampling.ts';
import type { Course, CoursePlan, TakenTurn, TurnPlayer } from '../../search/courses.ts';
import { firstCodes } from '../../search/edges.ts';
import type { Actor } from './actor.ts';
import { actIn, type ConversationSizes, type Stand, type WorldTask } from './environment-rollouts.ts';
import { type Judged, type Prompt, scoreOf } from './episode.ts';
import type { Chooser } from './sampler.ts';
import type { Start } from './starts.ts';

export interface TurnSizes extends ConversationSizes {
  /** Longest turn, in tokens. */
  readonly maxNew: number;
}

export interface TurnPlayerParts {
  readonly environment: Environment;
  readonly task: WorldTask;
  readonly speech: Speech;
  /** What the model reads first. */
  readonly prompt: Prompt;
  readonly sizes: TurnSizes;
  /** Goes with the player. */
  readonly actor: Actor & Chooser;
  /** The latent actions, where they choose. */
  readonly cola: ColaModel | undefined;
  readonly device: Device;
  readonly hasValue: boolean;
  /** Does a piece of work when the device is free for it; at once, if not given. */
  readonly pace?: Pace | undefined;
}

export type Pace = <T>(work: () => Promise<T>) => Promise<T>;

/** A policy that asks for every run of the device. */
function paced(chooser: Chooser, pace: Pace): Chooser {
  return {
    endIds: chooser.endIds,
    narrows: chooser.narrows,
    cache: (...given) => pace(() => chooser.cache(...given)),
    branch: (...given) => pace(() => chooser.branch(...given)),
    select: (...given) => pace(() => chooser.select(...given)),
    narrow: (...given) => pace(() => chooser.narrow(...given)),
    read: (...given) => pace(() => chooser.read(...given)),
    choose: (...given) => pace(() => chooser.choose(...given)),
  };
}

/** A beginning of turns. */
interface Beginning {
  readonly start: Start;
  readonly stand: Stand;
  /** The action of the token that the turn begins with, and its probability among those that are tried. */
  readonly action?: number;
  readonly prior?: number;
}

export class EpisodePlayer implements TurnPlayer {
  readonly numCodes: number;
  readonly hasValue: boolean;
  readonly most: number | undefined;
  readonly name: string;
  readonly start: readonly number[];
  private readonly chooser: Chooser;
  private readonly pace: Pace;
  private decoder: Decoder | undefined;

  /** @throws environment.unrepeatable */
  constructor(private readonly parts: TurnPlayerParts) {
    const { environment, cola, hasValue, prompt } = parts;
    if (!environment.repeats) throw environmentErrors.unrepeatable(environment.name);
    this.name = environment.name;
    this.numCodes = cola?.config.numCodes ?? 1;
    this.hasValue = hasValue;
    this.most = environment.range?.[1];
    this.start = [...prompt.ids];
    this.pace = parts.pace ?? ((work) => work());
    this.chooser = paced(parts.actor, this.pace);
  }

  async play(behind: readonly TakenTurn[], plan: CoursePlan, signal: AbortSignal): Promise<Course[]> {
    const { sizes, environment, speech } = this.parts;
    const ids = this.read(behind);
    const begins = plan.byAction ? await this.byAction(ids, behind, plan) : [this.drawn(ids, behind, plan)];
    if (begins.length === 0) return [];
    const written = ids.length - this.start.length;
    const left = {
      turns: plan.single ? 1 : sizes.turns - behind.length,
      // A token that a turn begins with is read before it.
      maxTokens: sizes.maxTokens - written - (plan.byAction ? 1 : 0),
      maxNew: sizes.maxNew,
      temperature: plan.temperature,
      topK: 0,
    };
    const starts = begins.map(({ start }) => start);
    const stands = begins.map(({ stand }) => stand);
    const rows = await actIn(environment, { chooser: this.chooser, speech }, starts, stands, left, signal);
    const courses = rows.map((row) => this.courseOf(row, begins[row.group], behind));
    if (!plan.valued || !plan.single) return courses;
    return this.valued(courses, behind, plan, signal);
  }

  async dispose(): Promise<void> {
    await this.decoder?.dispose();
    await this.parts.actor.dispose();
  }

  /** All that has been read and written by the time of the next turn. */
  private read(turns: readonly TakenTurn[]): number[] {
    const ids = [...this.start];
    for (const { tokens, observation } of turns) {
      for (const token of tokens) ids.push(token);
      const last = tokens[tokens.length - 1];
      for (const id of this.parts.speech.reply(observation, last, this.parts.actor.endIds.has(last))) ids.push(id);
    }
    return ids;
  }

  /** Whether there may be a turn behind these. */
  private goesOn(turns: readonly TakenTurn[]): boolean {
    const { turns: most, maxTokens } = this.parts.sizes;
    return turns.length < most && this.read(turns).length - this.start.length < maxTokens;
  }

  private promptOf(ids: readonly number[]): Prompt {
    return { ...this.parts.prompt, ids: Int32Array.from(ids) };
  }

  private drawn(ids: readonly number[], behind: readonly TakenTurn[], { seeds }: CoursePlan): Beginning {
    return { start: { prompt: this.promptOf(ids), seeds }, stand: { task: this.parts.task, behind } };
  }

  /** The likeliest actions that write different tokens, each as the beginning of a turn. */
  private async byAction(
    ids: readonly number[],
    behind: readonly TakenTurn[],
    { seeds }: CoursePlan,
  ): Promise<Beginning[]> {
    const { device, cola, task, actor, speech } = this.parts;
    if (cola === undefined) return [];
    this.decoder ??= new Decoder(device, cola, { parts: { preview: true } });
    const { decoder } = this;
    const cache = await this.pace(() => decoder.cache(1, ids.length));
    try {
      const { policyLogits: policy, nextTokens } = await this.pace(() => decoder.step(cache, [ids]));
      if (nextTokens === undefined) throw new Error('the step gives no preview');
      const p = probabilities(policy, 0, policy.length);
      const priorOf = (token: number) =>
        p.reduce((sum, each, code) => sum + (nextTokens[code] === token ? each : 0), 0);
      const codes = firstCodes({ policy, nextTokens }, seeds.length, true);
      return codes.flatMap((action, i): Beginning[] => {
        const token = nextTokens[action];
        // A turn that ends where it begins says nothing.
        if (actor.endIds.has(token) || speech.endsTurn(token)) return [];
        const start = { prompt: this.promptOf([...ids, token]), seeds: [seeds[i]] };
        return [{ start, stand: { task, behind, begun: [token] }, action, prior: priorOf(token) }];
      });
    } finally {
      cache.dispose();
    }
  }

  private courseOf(row: Judged, { action, prior, stand }: Beginning, behind: readonly TakenTurn[]): Course {
    const { cola } = this.parts;
    const exchanges = row.talk?.exchanges ?? [];
    const begun = stand.begun ?? [];
    const turns = row.turns.flatMap(({ end, reward }, i): TakenTurn[] => {
      const { said, observation } = exchanges[i] ?? { said: '', observation: null };
      if (observation === null) return [];
      const from = i === 0 ? 0 : row.turns[i - 1].end;
      const own = row.written.slice(from, end).map((place) => row.tokens[place]);
      const chosen = cola === undefined ? own.map(() => 0) : row.choices.slice(from, end);
      const tokens = i === 0 ? [...begun, ...own] : own;
      const actions = i === 0 && action !== undefined ? [action, ...chosen] : chosen;
      return [{ actions, tokens, said, observation, reward }];
    });
    const failed = 'noScore' in row.result ? row.result.noScore : undefined;
    const ended = row.talk?.ended;
    // A course of a single turn is over where the world says so, or none may follow.
    const over = failed === undefined && (ended !== 'turns' || !this.goesOn([...behind, ...turns]));
    const value = row.values.at(row.turns[0].end);
    return {
      turns,
      prior,
      over,
      generated: row.choices.length + begun.length,
      ...(this.hasValue && value !== undefined ? { value } : {}),
      ...(failed === undefined ? {} : { failed }),
    };
  }

  /** With V of the states behind single turns: of each a token more is written, and left. */
  private async valued(
    courses: readonly Course[],
    behind: readonly TakenTurn[],
    { seeds }: CoursePlan,
    signal: AbortSignal,
  ): Promise<Course[]> {
    const open = courses.filter(({ over, failed }) => !over && failed === undefined);
    if (open.length === 0) return [...courses];
    const { environment, speech, task } = this.parts;
    const paths = open.map(({ turns }) => [...behind, ...turns]);
    const starts = paths.map((path) => ({ prompt: this.promptOf(this.read(path)), seeds: [seeds[0]] }));
    const stands = paths.map((path): Stand => ({ task, behind: path }));
    const one = { turns: 1, maxTokens: 1, maxNew: 1, temperature: 0, topK: 0 };
    const rows = await actIn(environment, { chooser: this.chooser, speech }, starts, stands, one, signal);
    return courses.map((course) => {
      const row = rows[open.indexOf(course)];
      if (row === undefined || scoreOf(row.result) === undefined) return course;
      return { ...course, value: row.values[0], generated: course.generated + 1 };
    });
  }
}
