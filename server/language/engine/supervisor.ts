/**
 * Keeps an engine process alive: starts it when it is needed, starts it again when it dies and gives the new one what the
 * old one was doing, and ends it when nobody has needed it for a while, which frees all of its memory.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ColaError } from '../../errors.ts';
import type { AskOptions } from '../../protocol/channel/channel.ts';
import type { ParamsOf, ReceivedOf, RequestType, ResultOf } from '../../protocol/channel/request.ts';
import { loadModel, unloadModel } from '../../protocol/model.ts';
import { pauseRun, resumeRun, runEvent, stopRun } from '../../protocol/runs.ts';
import { type SearchEvent, searchEvent, searchId } from '../../protocol/search.ts';
import { engineStatusChanged, ping } from '../../protocol/status.ts';
import { engineProcessErrors } from '../errors.ts';
import { type EngineEntry, EngineLink } from './link.ts';
import { patience, type RunWish, Wishes } from './wishes.ts';

export type EngineState = 'off' | 'starting' | 'ready' | 'restarting' | 'failed';

export interface Notice {
  readonly severity: 'information' | 'warning' | 'error';
  readonly message: string;
  readonly remedy: string;
}

/** What an engine tells of itself. */
export type EngineEvent = typeof runEvent | typeof searchEvent | typeof engineStatusChanged;

export interface SupervisorOptions {
  readonly entry: EngineEntry;
  /** Whether the folder is trusted when an engine starts; if not given, it is. */
  readonly trusted?: () => boolean;
  /** An engine that nobody needed for so long is ended. */
  readonly idleSeconds?: number;
  readonly heartbeatSeconds?: number;
  /** An engine without a sign of life for so long is killed. One step of training blocks it, so this is generous. */
  readonly hangSeconds?: number;
  /** What happens in the engine. */
  readonly onEvent: <T extends EngineEvent>(type: T, params: ReceivedOf<T>) => void;
  readonly onState: (state: EngineState) => void;
  /** What a person should know; each thing once. */
  readonly onNotice: (notice: Notice) => void;
  readonly log: (text: string) => void;
}

/** Seconds an engine has to save its runs when it is to end. */
const graceSeconds = 20;

export class Supervisor {
  private readonly wishes = new Wishes();
  /** The model that was asked for last. */
  private asked: unknown;
  /** An engine that nobody needed for so long is ended. */
  idleSeconds: number;
  private readonly hangSeconds: number;
  private readonly heart: NodeJS.Timeout;
  private engine: Promise<EngineLink> | undefined;
  private link: EngineLink | undefined;
  /** Ends on purpose. */
  private leaving = new WeakSet<EngineLink>();
  private given: ColaError | undefined;
  private current: EngineState = 'off';
  /** Engines that stopped since one did something. */
  private failures = 0;
  private lastUse = performance.now();
  private pinged: number | undefined;
  private lastWhy = '';
  private readonly searching = new Set<string>();
  private closed = false;

  constructor(private readonly options: SupervisorOptions) {
    this.idleSeconds = options.idleSeconds ?? 900;
    this.hangSeconds = options.hangSeconds ?? 600;
    this.heart = setInterval(() => this.beat(), 1000 * (options.heartbeatSeconds ?? 10));
    this.heart.unref();
  }

  get state(): EngineState {
    return this.current;
  }

  /** Process id of the engine, while there is one. */
  get pid(): number | undefined {
    return this.link?.pid;
  }

  /** The model that is loaded, or will be as soon as the engine is back. */
  get model(): ReceivedOf<typeof loadModel> | undefined {
    return this.wishes.model;
  }

  /** Runs that are under way, or will be as soon as the engine is back. */
  get runs(): readonly RunWish[] {
    return this.wishes.runs;
  }

  /**
   * Asks the engine, which is started where there is none.
   *
   * @throws engine.stopped if it dies before it has answered, engine.gaveUp, engine.closed; the engine's own errors; the
   *   signal's reason
   */
  async ask<T extends RequestType>(type: T, params: ParamsOf<T>, options?: AskOptions<T>): Promise<ResultOf<T>> {
    if (this.closed) throw engineProcessErrors.closed();
    if (this.given !== undefined) throw this.given;
    this.lastUse = performance.now();
    this.intend(type, params);
    const engine = await this.bring();
    const result = await engine.ask(type, params, options);
    this.lastUse = performance.now();
    this.failures = 0;
    this.done(type, params);
    return result;
  }

  /** Ends the engine, if there is one, and starts it anew, also after it was given up. */
  async restart(): Promise<void> {
    this.given = undefined;
    this.failures = 0;
    for (const run of this.wishes.runs) run.failures = 0;
    const { link } = this;
    if (link !== undefined) {
      this.leaving.add(link);
      await link.close(graceSeconds);
    }
    await this.bring();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.heart);
    const { link } = this;
    if (link === undefined) return;
    this.leaving.add(link);
    await link.close(graceSeconds);
  }

  /** What is taken back before it is asked for: an engine that dies meanwhile must not bring it back. */
  private intend(type: RequestType, params: unknown): void {
    if (type === stopRun) this.wishes.forget(params as ReceivedOf<typeof stopRun>);
    // Loading another drops the one that is there, whether it succeeds or not.
    if (type !== unloadModel && type !== loadModel) return;
    this.wishes.model = undefined;
    this.asked = params;
  }

  private done(type: RequestType, params: unknown): void {
    // One that another was asked for meanwhile is dropped again.
    if (type === loadModel && params === this.asked) this.wishes.model = params as ReceivedOf<typeof loadModel>;
  }

  private bring(): Promise<EngineLink> {
    if (this.engine === undefined) {
      const engine = this.startUntilReady();
      this.engine = engine;
      engine.catch((error: unknown) => {
        if (this.engine === engine) this.engine = undefined;
        if (error instanceof ColaError) this.giveUp(error);
      });
    }
    return this.engine;
  }

  private async startUntilReady(): Promise<EngineLink> {
    this.setState(this.failures === 0 && this.lastWhy === '' ? 'starting' : 'restarting');
    for (;;) {
      if (this.closed) throw engineProcessErrors.closed();
      const link = this.open();
      try {
        await this.takeOver(link);
        this.setState('ready');
        return link;
      } catch (error) {
        if (!isStopped(error))
          this.options.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
        this.leaving.add(link);
        link.kill();
        await link.exited;
        this.failures++;
        if (this.failures >= patience) throw engineProcessErrors.gaveUp(this.failures, this.lastWhy);
        this.setState('restarting');
        await delay(50 * 2 ** this.failures, undefined, { ref: false });
      }
    }
  }

  private open(): EngineLink {
    const events = { log: this.options.log, exit: (why: string) => this.exited(link, why) };
    const link: EngineLink = new EngineLink(this.options.entry, events, {
      trusted: this.options.trusted?.() ?? true,
    });
    link.channel.on(runEvent, (event) => {
      if (this.wishes.note(event)) this.failures = 0;
      this.heard(runEvent, event);
    });
    link.channel.on(searchEvent, (event) => {
      this.note(event);
      this.heard(searchEvent, event);
    });
    link.channel.on(engineStatusChanged, (status) => this.heard(engineStatusChanged, status));
    this.link = link;
    this.pinged = undefined;
    return link;
  }

  /** Gives a new engine what the last one was doing. @throws engine.stopped if it dies of it */
  private async takeOver(link: EngineLink): Promise<void> {
    await link.ask(ping, {});
    const { model } = this.wishes;
    if (model !== undefined) {
      try {
        await link.ask(loadModel, model);
      } catch (error) {
        if (isStopped(error)) throw error;
        this.wishes.model = undefined;
        this.notice('error', error);
      }
    }
    const resumed: string[] = [];
    for (const wish of this.wishes.runs) {
      if (wish.failures >= patience) {
        this.wishes.forget(wish.key);
        this.tellState(wish, 'failed');
        this.notice('error', engineProcessErrors.abandoned(`The run ${wish.key.run}`, wish.failures, this.lastWhy));
        continue;
      }
      // Counts as failed until it takes a step.
      wish.failures++;
      try {
        await resume(link, wish);
        resumed.push(wish.key.run);
      } catch (error) {
        if (isStopped(error)) throw error;
        this.wishes.forget(wish.key);
        this.tellState(wish, 'failed');
        this.notice('error', error);
      }
    }
    if (this.lastWhy === '') return;
    const runs = resumed.map((run) => `The run ${run} goes on from its latest checkpoint.`);
    const message = [`The engine stopped (${this.lastWhy}) and was started again.`, ...runs].join(' ');
    this.lastWhy = '';
    this.options.onNotice({ severity: 'warning', message, remedy: 'Nothing is to be done. The log tells more.' });
  }

  private exited(link: EngineLink, why: string): void {
    if (this.link !== link) return;
    this.link = undefined;
    this.searching.clear();
    const starting = this.current !== 'ready';
    if (this.leaving.has(link)) {
      this.engine = starting ? this.engine : undefined;
      if (!starting) this.setState('off');
      return;
    }
    this.lastWhy = why;
    this.options.log(`the engine stopped: ${why}`);
    // While it starts, whoever starts it sees to it.
    if (starting) return;
    this.engine = undefined;
    this.failures++;
    if (this.closed) return;
    if (this.failures >= patience) {
      this.giveUp(engineProcessErrors.gaveUp(this.failures, why));
      return;
    }
    for (const wish of this.wishes.runs) this.tellState(wish, 'resuming');
    this.setState('restarting');
    // Its users see the error of their requests; a new one comes by itself.
    this.bring().catch(() => {});
  }

  private giveUp(error: ColaError): void {
    if (this.closed) return;
    this.given = error;
    this.setState('failed');
    this.notice('error', error);
  }

  private heard<T extends EngineEvent>(type: T, params: ReceivedOf<T>): void {
    this.lastUse = performance.now();
    this.options.onEvent(type, params);
  }

  private note({ end, ...key }: SearchEvent): void {
    const name = searchId(key);
    if (end === null) this.searching.add(name);
    else this.searching.delete(name);
  }

  private tellState({ key }: RunWish, state: 'resuming' | 'failed'): void {
    this.options.onEvent(runEvent, { ...key, event: { kind: 'state', state } });
  }

  private beat(): void {
    const { link } = this;
    if (link === undefined || this.current !== 'ready') return;
    const now = performance.now();
    if (this.pinged !== undefined) {
      if (now - this.pinged > 1000 * this.hangSeconds) link.kill();
      return;
    }
    const idle = !link.channel.busy && this.wishes.runs.length === 0 && this.searching.size === 0;
    if (idle && now - this.lastUse > 1000 * this.idleSeconds) {
      this.leaving.add(link);
      this.engine = undefined;
      void link.close(graceSeconds);
      return;
    }
    this.pinged = now;
    link.ask(ping, {}).then(
      () => {
        if (this.link === link) this.pinged = undefined;
      },
      () => {},
    );
  }

  private notice(severity: Notice['severity'], error: unknown): void {
    const known = error instanceof ColaError;
    const message = known || error instanceof Error ? error.message : String(error);
    this.options.onNotice({ severity, message, remedy: known ? error.remedy : '' });
  }

  private setState(state: EngineState): void {
    if (this.current === state) return;
    this.current = state;
    this.options.onState(state);
  }
}

const isStopped = (error: unknown) => error instanceof ColaError && error.id === 'engine.stopped';

async function resume(link: EngineLink, { key, paused }: RunWish): Promise<void> {
  await link.ask(resumeRun, key);
  if (paused) await link.ask(pauseRun, key);
}
