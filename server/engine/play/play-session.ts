/** One episode that is played: the world, what was said in it, and the model that may take turns. */
import { type Environment, type Game, isGame, type Task, type World, worldOf } from '../../environments/environment.ts';
import { taskAt } from '../../environments/tasks.ts';
import { startText, toolsText } from '../../environments/tools.ts';
import { ColaError } from '../../errors.ts';
import {
  type PlayAlternative,
  type PlayerName,
  type PlayProgress,
  type PlayState,
  type PlayToken,
  playLimits,
} from '../../protocol/play.ts';
import { openWorld } from '../../train/reinforce/environment-rollouts.ts';
import { engineErrors } from '../errors.ts';
import type { Written } from './mind.ts';
import type { TurnWriter } from './turn-writer.ts';

export type Tell = (progress: PlayProgress) => void;

type Turn = PlayState['turns'][number] & {
  /** Tokens of the conversation before it. */
  readonly before: number;
};

/** Longest part of what is told, in characters: the tools of a server may be many. */
const longestTold = 20_000;

export class PlaySession {
  private world: World | undefined;
  private game: Game | undefined;
  private task: Task = { side: 'seen' };
  private seed = 0;
  private start = '';
  private turns: Turn[] = [];
  private draft: readonly Written[] = [];
  private offered: readonly (readonly Written[])[] = [];
  private ended: PlayState['ended'] = null;
  private failure: string | null = null;

  /** @param labels of the model's actions by code */
  constructor(
    private readonly environment: Environment,
    private readonly writer: TurnWriter | undefined,
    private readonly labels: readonly (string | null)[],
  ) {}

  get state(): PlayState {
    const { environment, writer, game, turns, draft, ended } = this;
    const { instructions, tools } = environment;
    const told = [instructions, toolsText(tools)].filter((part) => part !== '').join('\n\n');
    return {
      environment: environment.name,
      seed: this.seed,
      side: this.task.side,
      told: told.slice(0, longestTold),
      start: this.start,
      turns: turns.map(({ before: _, ...turn }) => turn),
      draft: writer?.shown(draft) ?? [],
      ended,
      failure: this.failure,
      possible: game === undefined ? null : ended === 'done' ? [] : game.possible().slice(0, playLimits.possible),
      expert: game !== undefined,
      back: draft.length > 0 || (game !== undefined && turns.length > 0),
      decoding: writer?.decoding ?? null,
      labels: [...this.labels],
    };
  }

  /** Begins in a world. @throws environment.*; the signal's reason */
  async begin(seed: number, side: Task['side'], signal: AbortSignal): Promise<void> {
    const { environment, writer } = this;
    await this.leave();
    const written = taskAt(environment.tasks, seed, side);
    this.seed = seed;
    this.task = written === undefined ? { side } : { side, written };
    this.game = isGame(environment) ? environment.game() : undefined;
    const world = this.game === undefined ? openWorld(environment) : worldOf(this.game);
    this.world = world;
    this.turns = [];
    this.forgetDraft();
    // Nothing can be said in a world that has not begun.
    this.ended = 'failed';
    this.failure = 'It has not begun.';
    this.start = await world.reset(seed, this.task, signal);
    this.ended = this.failure = null;
    writer?.cut(0);
    writer?.add(writer.speech.start(startText(environment, this.start)).ids);
  }

  /** @throws engine.playOver */
  async type(text: string, tell: Tell, signal: AbortSignal): Promise<void> {
    this.needOpen();
    await this.say('you', text, tell, signal);
  }

  /** @throws engine.playOver, engine.noPlayer */
  async askExpert(tell: Tell, signal: AbortSignal): Promise<void> {
    this.needOpen();
    if (this.game === undefined) throw engineErrors.noPlayer('player who knows how');
    await this.say('expert', this.game.expert(), tell, signal);
  }

  /** The model ends the turn. @throws engine.playOver, engine.noPlayer, engine.playFull; the signal's reason, with the turn as it was */
  async askModel(tell: Tell, signal: AbortSignal): Promise<void> {
    this.needOpen();
    const writer = this.needWriter();
    const begun = this.draft;
    const tokens = [...begun];
    const before = writer.length - begun.length;
    try {
      tell({ waits: 'writing' });
      while (!this.wholeTurn(tokens)) {
        signal.throwIfAborted();
        const best = await writer.next();
        tokens.push(best);
        writer.add([best.id]);
        const token = writer.shown(tokens).at(-1);
        if (token !== undefined) tell({ token });
      }
    } catch (error) {
      writer.cut(before + begun.length);
      throw error;
    }
    await this.answer('model', tokens, before, tell, signal);
  }

  /** @throws engine.playOver, engine.noPlayer, engine.playFull; the signal's reason */
  async alternatives(signal: AbortSignal): Promise<PlayAlternative[]> {
    this.needOpen();
    const writer = this.needWriter();
    this.offered = await writer.alternatives(playLimits.turnTokens - this.draft.length, signal);
    return this.offered.map((line) => ({
      tokens: writer.shown(line),
      text: writer.said(line),
      probability: line[0].probability ?? 0,
    }));
  }

  /** @throws engine.noAlternative, engine.playOver */
  async pick(alternative: number, whole: boolean, tell: Tell, signal: AbortSignal): Promise<void> {
    this.needOpen();
    const writer = this.needWriter();
    const line = this.offered[alternative];
    if (line === undefined) throw engineErrors.noAlternative();
    const added = whole ? line : line.slice(0, 1);
    const before = writer.length - this.draft.length;
    this.draft = [...this.draft, ...added];
    this.offered = [];
    writer.add(added.map(({ id }) => id));
    if (whole || this.wholeTurn(this.draft)) await this.answer('you', this.draft, before, tell, signal);
  }

  /** What was chosen of the next turn is taken back, or else the last turn: the same steps in the same world lead where they led. */
  async back(signal: AbortSignal): Promise<void> {
    const { game, writer, turns } = this;
    if (this.draft.length > 0) {
      writer?.cut(writer.length - this.draft.length);
      this.forgetDraft();
      return;
    }
    const last = turns.at(-1);
    if (game === undefined || last === undefined || this.world === undefined) return;
    await this.world.reset(this.seed, this.task, signal);
    for (const { said } of turns.slice(0, -1)) await this.world.step(said, signal);
    turns.pop();
    writer?.cut(last.before);
    this.ended = this.failure = null;
    this.offered = [];
  }

  async close(): Promise<void> {
    try {
      await this.leave();
    } finally {
      await this.environment.close();
      await this.writer?.dispose();
    }
  }

  private async leave(): Promise<void> {
    const { world } = this;
    this.world = undefined;
    await world?.close();
  }

  private needOpen(): void {
    if (this.ended !== null || this.world === undefined) throw engineErrors.playOver();
  }

  private needWriter(): TurnWriter {
    if (this.writer === undefined) throw engineErrors.noPlayer('model');
    return this.writer;
  }

  private wholeTurn(tokens: readonly Written[]): boolean {
    const last = tokens.at(-1);
    if (last === undefined || this.writer === undefined) return false;
    return tokens.length >= playLimits.turnTokens || this.writer.ends(last.id);
  }

  private forgetDraft(): void {
    this.draft = this.offered = [];
  }

  /** A turn that nobody wrote token by token. */
  private async say(by: PlayerName, said: string, tell: Tell, signal: AbortSignal): Promise<void> {
    const { writer } = this;
    writer?.cut(writer.length - this.draft.length);
    const before = writer?.length ?? 0;
    writer?.add(writer.speech.turn(said));
    await this.step({ by, said, tokens: [], before }, true, tell, signal);
  }

  /** A turn of tokens, which the model has read. */
  private async answer(
    by: PlayerName,
    written: readonly Written[],
    before: number,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<void> {
    const writer = this.needWriter();
    const tokens = writer.shown(written);
    await this.step({ by, said: writer.said(written), tokens, before }, writer.isEnd(writer.last), tell, signal);
  }

  /** @param finished whether the turn ends with an end token */
  private async step(
    turn: { by: PlayerName; said: string; tokens: PlayToken[]; before: number },
    finished: boolean,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<void> {
    const { writer, world } = this;
    this.forgetDraft();
    tell({ waits: 'answer' });
    try {
      const writing = { tokens: turn.tokens.length, finished };
      const result = await world?.step(turn.said, signal, turn.tokens.length > 0 ? writing : undefined);
      const { observation = null, reward = 0, done = true } = result ?? {};
      this.turns.push({ ...turn, observation, reward });
      if (done) this.ended = 'done';
      else if (this.turns.length >= playLimits.turns) this.ended = 'limit';
      else writer?.add(writer.speech.reply(observation ?? '', writer.last, finished));
    } catch (error) {
      // What a world does whose answer did not come, nobody knows.
      this.turns.push({ ...turn, observation: null, reward: 0 });
      this.ended = 'failed';
      if (signal.aborted) this.failure = 'Its answer was not waited for.';
      else this.failure = error instanceof ColaError ? `${error.message} ${error.remedy}` : String(error);
    }
  }
}
