/** The episodes that are played in the engine. Model steps are jobs of the lane `interactive`; a slow world keeps nobody waiting. */
import { readLabels } from '../../cola/actions-file.ts';
import type { Devices } from '../../device/devices.ts';
import { runDecoding, runOf } from '../../evaluate/run.ts';
import { Subject } from '../../evaluate/subject.ts';
import type { WeightShelf } from '../../model/weights/shelf.ts';
import type { Channel } from '../../protocol/channel/channel.ts';
import type { ReceivedOf } from '../../protocol/channel/request.ts';
import {
  closePlay,
  openPlay,
  type PlayState,
  pickAlternative,
  playAlternatives,
  readPlay,
  restartPlay,
  takeTurn,
  turnBack,
} from '../../protocol/play.ts';
import type { Scheduler } from '../../schedule/scheduler.ts';
import { inTurns } from '../../schedule/turns.ts';
import { namedEnvironment } from '../../spec/named-environment.ts';
import { resolvePath } from '../../spec/paths.ts';
import { openEnvironment } from '../../train/reinforce/open-environment.ts';
import { engineErrors } from '../errors.ts';
import type { Patience } from '../patience.ts';
import { PlaySession, type Tell } from './play-session.ts';
import { TurnWriter } from './turn-writer.ts';

/** Episodes that may be open at once: each has an environment, and maybe a model. */
const mostOpen = 8;

interface Open {
  readonly session: Promise<PlaySession>;
  /** Ends what is under way when the view is closed. */
  readonly closing: AbortController;
  /** What is asked of it, one after the other. */
  turn: Promise<unknown>;
}

export class PlayHost {
  private readonly open = new Map<string, Open>();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly patience: Patience,
    private readonly shelf: WeightShelf,
    private readonly devices: Devices,
    channel: Channel,
  ) {
    channel.answer(openPlay, (params, signal, tell) => this.begin(params, signal, tell));
    channel.answer(readPlay, ({ play }, signal) => this.doing(play, signal, async () => {}));
    channel.answer(takeTurn, (params, signal, tell) =>
      this.doing(params.play, signal, (session, own) => {
        if (params.by === 'you') return session.type(params.text, tell, own);
        return params.by === 'model' ? session.askModel(tell, own) : session.askExpert(tell, own);
      }),
    );
    channel.answer(playAlternatives, async ({ play }, signal) => ({
      alternatives: await this.inOrder(play, signal, (session, own) => session.alternatives(own)),
    }));
    channel.answer(pickAlternative, ({ play, alternative, whole }, signal, tell) =>
      this.doing(play, signal, (session, own) => session.pick(alternative, whole, tell, own)),
    );
    channel.answer(turnBack, ({ play }, signal) => this.doing(play, signal, (session, own) => session.back(own)));
    channel.answer(restartPlay, ({ play, seed, side }, signal, tell) =>
      this.doing(play, signal, (session, own) => {
        tell({ waits: 'environment' });
        return session.begin(seed, side, own);
      }),
    );
    channel.answer(closePlay, async ({ play }) => {
      await this.end(play);
      return {};
    });
  }

  /** Ends all episodes, and their environments. */
  async close(): Promise<void> {
    await Promise.all([...this.open.keys()].map((play) => this.end(play)));
  }

  /** @throws engine.playsOpen, environment.*, spec.*, and whatever loading a model throws */
  private async begin(params: ReceivedOf<typeof openPlay>, signal: AbortSignal, tell: Tell): Promise<PlayState> {
    const { play, seed, side } = params;
    await this.end(play);
    if (this.open.size >= mostOpen) throw engineErrors.playsOpen(mostOpen);
    const closing = new AbortController();
    const either = AbortSignal.any([signal, closing.signal]);
    const session = this.make(params, either, tell);
    this.open.set(play, { session, closing, turn: session.catch(() => {}) });
    try {
      return await this.doing(play, signal, (made, own) => made.begin(seed, side, own));
    } catch (error) {
      await this.end(play);
      throw error;
    }
  }

  private async make(params: ReceivedOf<typeof openPlay>, signal: AbortSignal, tell: Tell): Promise<PlaySession> {
    const { root, environment: name, model, seed } = params;
    tell({ waits: 'environment' });
    // Relative paths count from a file in the folder.
    const resolve = (path: string) => resolvePath(path, `${root}/play`);
    const environment = await openEnvironment(namedEnvironment(name, root), { resolve, signal, say() {}, seed });
    try {
      if (model === null) return new PlaySession(environment, undefined, []);
      tell({ waits: 'model' });
      const { writer, labels } = await this.writer(params, model, signal);
      return new PlaySession(environment, writer, labels);
    } catch (error) {
      await environment.close();
      throw error;
    }
  }

  private async writer(
    { device, threads, precision }: ReceivedOf<typeof openPlay>,
    model: string,
    signal: AbortSignal,
  ) {
    const taken = await this.devices.take(device, threads === undefined ? {} : { threads });
    try {
      const { shelf } = this;
      const folder = resolvePath(model, '');
      // What a run tuned over tokens acts by tokens, whatever actions its model still has.
      const tuned = await runOf(folder);
      const decoding = tuned === undefined ? undefined : runDecoding(tuned.run);
      const subject = await Subject.load(taken.device, folder, { decoding, signal, shelf, precision });
      const codes = subject.context.cola?.config.numCodes;
      const labels = codes === undefined ? [] : readLabels(subject.folder, codes);
      return { labels, writer: new TurnWriter(subject, taken, (work) => this.pace(work)) };
    } catch (error) {
      await taken.release();
      throw error;
    }
  }

  private async doing(
    play: string,
    signal: AbortSignal,
    work: (session: PlaySession, signal: AbortSignal) => Promise<void>,
  ): Promise<PlayState> {
    return this.inOrder(play, signal, async (session, own) => {
      await work(session, own);
      return session.state;
    });
  }

  /** @throws engine.noPlay */
  private inOrder<T>(
    play: string,
    signal: AbortSignal,
    work: (session: PlaySession, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const open = this.open.get(play);
    if (open === undefined) throw engineErrors.noPlay();
    const own = AbortSignal.any([signal, open.closing.signal]);
    const turn = open.turn.then(async () => {
      const session = await open.session;
      own.throwIfAborted();
      return work(session, own);
    });
    open.turn = turn.catch(() => {});
    return turn;
  }

  private async end(play: string): Promise<void> {
    const open = this.open.get(play);
    if (open === undefined) return;
    this.open.delete(play);
    open.closing.abort(engineErrors.noPlay());
    await open.turn;
    const session = await open.session.catch(() => undefined);
    await session?.close();
  }

  private pace<T>(work: () => Promise<T>): Promise<T> {
    this.patience.asked();
    return this.scheduler.submit('interactive', () => inTurns(work)).done;
  }
}
