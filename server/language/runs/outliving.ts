/**
 * Runs in processes of their own, which go on when the window is closed. The window that started one talks to it; another
 * follows it by its files, and stops it by one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ColaError } from '../../errors.ts';
import type { ParamsOf } from '../../protocol/channel/request.ts';
import {
  pauseRun,
  type RunEvent,
  type RunKey,
  resumeRun,
  runEvent,
  runId,
  startRun,
  stopRun,
} from '../../protocol/runs.ts';
import { runsIn } from '../../store/all-runs.ts';
import { askToStop, noteOutliving, outlives } from '../../store/outliving.ts';
import { RunView, runFolder } from '../../store/run.ts';
import { type EngineEntry, EngineLink } from '../engine/link.ts';
import { engineProcessErrors } from '../errors.ts';
import { RunFollower } from './follower.ts';

/** Seconds a run has to save itself: the step that is under way ends before. */
const grace = 120;

export interface OutlivingOptions {
  readonly entry: () => EngineEntry;
  readonly onEvent: (event: RunEvent) => void;
  readonly log: (text: string) => void;
}

export class OutlivingRuns {
  /** Requests that a process has not answered. */
  private readonly asked = new Map<EngineLink, number>();
  /** Processes that are ended when they have answered. */
  private readonly over = new Set<EngineLink>();
  private readonly links = new Map<string, EngineLink>();
  private readonly followers = new Map<string, RunFollower>();

  constructor(private readonly options: OutlivingOptions) {}

  /** Whether a run is known to be under way in a process of its own. */
  has(key: RunKey): boolean {
    return this.links.has(runId(key)) || this.followers.has(runId(key));
  }

  /** Looks for runs that windows before this one have left. @throws store.* */
  async find(roots: readonly string[]): Promise<void> {
    for (const root of roots) {
      for await (const view of runsIn(root)) {
        const key = { root, run: view.id };
        if (this.has(key) || !isOutliving(view)) continue;
        const follower = new RunFollower(key, view, (event) => {
          if (event.kind === 'state' && event.state !== 'running') this.followers.delete(runId(key));
          this.options.onEvent({ ...key, event });
        });
        this.followers.set(runId(key), follower);
        void follower.look();
      }
    }
  }

  start(params: ParamsOf<typeof startRun>): Promise<void> {
    return this.begin(params, async (link) => void (await link.ask(startRun, params)));
  }

  /** A paused run goes on; another is continued. @throws engine.outliving for one that another window has started */
  async resume(params: ParamsOf<typeof resumeRun>): Promise<void> {
    const link = this.links.get(runId(params));
    if (link !== undefined) await this.answered(link, link.ask(resumeRun, params));
    else if (this.has(params)) throw engineProcessErrors.outliving(params.run);
    else await this.begin(params, async (fresh) => void (await fresh.ask(resumeRun, params)));
  }

  /** @throws engine.outliving for one that another window has started */
  async pause(key: RunKey): Promise<void> {
    const link = this.links.get(runId(key));
    if (link === undefined) throw engineProcessErrors.outliving(key.run);
    await this.answered(link, link.ask(pauseRun, key));
  }

  /** Saves a run and ends it. @returns the step at which it is saved. @throws engine.notStopped */
  async stop(key: RunKey): Promise<number | null> {
    const link = this.links.get(runId(key));
    if (link !== undefined) return (await this.answered(link, link.ask(stopRun, key))).step;
    const view = RunView.view(runFolder(key.root, key.run));
    await askToStop(view.path);
    for (let waited = 0; view.holder !== undefined; waited += 0.2) {
      if (waited > grace) throw engineProcessErrors.notStopped(key.run, grace);
      await delay(200);
    }
    await this.followers.get(runId(key))?.look();
    return view.latestCheckpoint()?.step ?? null;
  }

  /** Lets the runs go on by themselves. */
  leave(): void {
    for (const link of this.links.values()) link.leave();
    for (const follower of this.followers.values()) follower.leave();
    this.links.clear();
    this.followers.clear();
  }

  private async begin({ root, run }: RunKey, ask: (link: EngineLink) => Promise<void>): Promise<void> {
    const key = { root, run };
    const id = runId(key);
    const link = new EngineLink(
      this.options.entry(),
      { log: this.options.log, exit: (why) => this.exited(key, link, why) },
      { outlives: true },
    );
    link.channel.on(runEvent, (event) => this.heard(key, link, event));
    this.links.set(id, link);
    try {
      await this.answered(link, ask(link));
      if (link.pid !== undefined) await noteOutliving(runFolder(root, run), link.pid);
    } catch (error) {
      this.forget(key, link);
      await link.close(grace);
      throw error;
    }
  }

  private heard(key: RunKey, link: EngineLink, told: RunEvent): void {
    const { event } = told;
    const over = event.kind === 'state' && ['done', 'failed', 'stopped'].includes(event.state);
    if (over) this.forget(key, link);
    this.options.onEvent(told);
    if (!over) return;
    if (this.asked.has(link)) this.over.add(link);
    else void link.close(grace);
  }

  /** The answer to a request, before which a process is not ended: its run may be over before it has answered. */
  private async answered<T>(link: EngineLink, answer: Promise<T>): Promise<T> {
    this.asked.set(link, (this.asked.get(link) ?? 0) + 1);
    try {
      return await answer;
    } finally {
      const left = (this.asked.get(link) ?? 1) - 1;
      if (left > 0) this.asked.set(link, left);
      else {
        this.asked.delete(link);
        if (this.over.delete(link)) void link.close(grace);
      }
    }
  }

  /** A process that ends with its run under way: it was killed, or ran out of memory. */
  private exited(key: RunKey, link: EngineLink, why: string): void {
    if (!this.forget(key, link)) return;
    const { message, remedy } = engineProcessErrors.runEnded(key.run, why);
    this.options.onEvent({ ...key, event: { kind: 'state', state: 'failed', message, remedy } });
  }

  private forget(key: RunKey, link: EngineLink): boolean {
    return this.links.get(runId(key)) === link && this.links.delete(runId(key));
  }
}

function isOutliving(view: RunView): boolean {
  try {
    return outlives(view);
  } catch (error) {
    // What cannot be read is told by the list of runs.
    if (error instanceof ColaError) return false;
    throw error;
  }
}
