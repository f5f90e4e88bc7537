/** The engine: models, training runs and searches on one device, behind requests. A process of its own, but for tests. */

import { availableParallelism } from 'node:os';
import { findRay } from '../cluster/ray-probe.ts';
import { answer } from '../completion/answer.ts';
import { complete, previewActions } from '../completion/complete.ts';
import { LoadedModel, type LoadOptions } from '../completion/loaded-model.ts';
import { locate } from '../completion/locate.ts';
import { policyScores } from '../completion/policy-scores.ts';
import { Devices } from '../device/devices.ts';
import { PolicyVersions } from '../feedback/versions.ts';
import { limitBehind } from '../files/limits.ts';
import { WeightShelf } from '../model/weights/shelf.ts';
import { beforeAfter } from '../protocol/before-after.ts';
import { Channel, type Message } from '../protocol/channel/channel.ts';
import { trustedFor } from '../protocol/channel/trust.ts';
import { chatAlternatives } from '../protocol/chat.ts';
import {
  type Completion,
  complete as completeRequest,
  previewActions as previewRequest,
} from '../protocol/completion.ts';
import { countTokens } from '../protocol/data.ts';
import { evaluate as evaluateRequest } from '../protocol/evaluate.ts';
import { scorePolicies } from '../protocol/feedback.ts';
import { loadModel, type ModelInfo, unloadModel } from '../protocol/model.ts';
import { actionProfiles, locateActions } from '../protocol/pages/actions.ts';
import {
  fitSpec,
  pauseRun,
  type RunKey,
  reportRun,
  resumeRun,
  runEvent,
  startRun,
  stopRun,
  timeSpec,
} from '../protocol/runs.ts';
import { type EngineStatus, engineStatusChanged, ping } from '../protocol/status.ts';
import { listWorkers } from '../protocol/workers.ts';
import { EngineClosing } from '../schedule/closing.ts';
import { type Job, Scheduler } from '../schedule/scheduler.ts';
import { resolveModel } from '../spec/paths.ts';
import { ChatHost } from './chat-host.ts';
import { engineErrors } from './errors.ts';
import { comparison, evaluation } from './evaluate.ts';
import { FeedbackHost } from './feedback-host.ts';
import { estimateSpec } from './fit.ts';
import { Patience } from './patience.ts';
import { PlayHost } from './play/play-host.ts';
import { profilesOf } from './profiles.ts';
import { ProjectTexts } from './project-texts.ts';
import { writeReport } from './report.ts';
import { RunHost } from './run-host.ts';
import { SearchHost } from './search-host.ts';
import { TimeKeeper } from './time.ts';
import { countTokensOf } from './tokens.ts';

/** How often the status is sent at most, in milliseconds. */
const statusInterval = 250;

export class Engine {
  readonly scheduler = new Scheduler(() => this.changed());
  private readonly channel: Channel;
  /** Completion, runs and measures of one model have its weights once. */
  private readonly shelf = new WeightShelf();
  /** All of them compute on one device of a kind, which is open as long as one of them uses it. */
  private readonly devices = new Devices();
  private readonly runs: RunHost;
  private readonly searches: SearchHost;
  private readonly feedback: FeedbackHost;
  private readonly chats: ChatHost;
  private readonly plays: PlayHost;
  private readonly patience = new Patience();
  /** Of files beside those in which completions are asked for. */
  private readonly texts = new ProjectTexts();
  private model: LoadedModel | undefined;
  /** Loading and unloading, one after the other. */
  private loading: Promise<unknown> = Promise.resolve();
  private tokensPerSecond: number | null = null;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param send hands a message to the other side
   * @param trusted whether the folder it computes for is: else it loads the model in the box, and uses nothing of the folder
   */
  constructor(
    send: (message: Message) => void,
    private readonly trusted = true,
  ) {
    // What this end cannot understand, the other end is told.
    const channel = new Channel({
      send,
      log() {},
      worded: (error) => limitBehind(error) ?? error,
      admit: (method) => {
        const what = trusted ? undefined : trustedFor(method);
        if (what !== undefined) throw engineErrors.untrusted(what);
      },
    });
    this.channel = channel;
    this.runs = new RunHost(
      this.scheduler,
      this.patience,
      (event) => channel.tell(runEvent, event),
      this.shelf,
      this.devices,
    );
    this.searches = new SearchHost(this.scheduler, () => this.loaded(), this.shelf, channel);
    this.feedback = new FeedbackHost(this.scheduler, () => this.loaded(), channel);
    this.chats = new ChatHost(this.scheduler, this.shelf, this.devices, trusted, channel);
    this.plays = new PlayHost(this.scheduler, this.patience, this.shelf, this.devices, channel);
    const times = new TimeKeeper(this.scheduler, this.shelf, this.devices);
    channel.answer(ping, async () => this.status);
    channel.answer(loadModel, (options) => this.load(options));
    channel.answer(unloadModel, async () => {
      await this.unload();
      return {};
    });
    channel.answer(completeRequest, (params, signal) => {
      if (params.patience !== undefined) this.patience.milliseconds = params.patience;
      const { project } = params;
      return this.writing(signal, (model, own) =>
        complete(model, params, own, project && trusted ? this.texts.of(model, project) : undefined),
      );
    });
    channel.answer(chatAlternatives, (params, signal) =>
      this.writing(signal, (model, own) => answer(model, params, own)),
    );
    channel.answer(previewRequest, (params, signal) =>
      this.interactive(signal, (model, own) => previewActions(model, params, own)),
    );
    channel.answer(locateActions, (params, signal) =>
      this.interactive(signal, (model, own) => locate(model, params, own)),
    );
    channel.answer(scorePolicies, async ({ root, ...suggestion }, signal) => ({
      scores: await this.interactive(signal, (model, own) =>
        policyScores(model, new PolicyVersions(root), suggestion, own),
      ),
    }));
    channel.answer(reportRun, (params) => writeReport(params));
    channel.answer(actionProfiles, async ({ model }) => profilesOf(model));
    channel.answer(startRun, async ({ specFile, stage, anyway, ...key }) => {
      times.giveWay();
      await this.runs.start(key, specFile, stage, anyway);
      return {};
    });
    channel.answer(resumeRun, async ({ from, asIs, ...key }) => {
      times.giveWay();
      await this.runs.resume(key, { from, asIs });
      return {};
    });
    channel.answer(pauseRun, async (key) => {
      this.runs.pause(key);
      return {};
    });
    channel.answer(stopRun, async (key) => ({ step: await this.runs.stop(key) }));
    channel.answer(evaluateRequest, async (params, signal, tell) => {
      const handle = this.scheduler.submit('train', (own) =>
        evaluation(params, (text) => tell({ text }), own, this.shelf, this.devices),
      );
      signal.addEventListener('abort', () => handle.cancel(signal.reason), { once: true });
      return handle.done;
    });
    channel.answer(beforeAfter, async (params, signal, tell) => {
      const handle = this.scheduler.submit('train', (own) =>
        comparison(params, (text) => tell({ text }), own, this.shelf, this.devices),
      );
      signal.addEventListener('abort', () => handle.cancel(signal.reason), { once: true });
      return handle.done;
    });
    channel.answer(fitSpec, ({ specFile }) => estimateSpec(specFile));
    channel.answer(listWorkers, async () => ({ cores: availableParallelism(), ray: (await findRay()) ?? null }));
    channel.answer(timeSpec, (params, signal) => times.time(params, signal));
    channel.answer(countTokens, async (params) => countTokensOf(params));
  }

  /** Takes a message from the other side, whatever it is. */
  receive(message: unknown): void {
    this.channel.receive(message);
  }

  /** Runs that are under way. */
  get underWay(): readonly RunKey[] {
    return this.runs.underWay;
  }

  /** Saves a run and ends it. @throws engine.runNotActive */
  async stopRun(key: RunKey): Promise<void> {
    await this.runs.stop(key);
  }

  /** Saves and ends everything. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.scheduler.close(new EngineClosing());
    await this.searches.close();
    await this.chats.close();
    await this.plays.close();
    await this.unload();
    clearTimeout(this.timer);
  }

  get status(): EngineStatus {
    return {
      model: this.model?.cola.folder ?? null,
      device: this.model?.device.name ?? null,
      attempts: [...(this.model?.attempts ?? [])],
      lane: this.scheduler.lane,
      memory: process.memoryUsage.rss(),
      tokensPerSecond: this.tokensPerSecond,
    };
  }

  /** Soon after something changed, and not more often than anybody can see. */
  private changed(): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.channel.tell(engineStatusChanged, this.status);
    }, statusInterval);
    this.timer.unref();
  }

  private loaded(): LoadedModel {
    if (this.model === undefined) throw engineErrors.noModel();
    return this.model;
  }

  private async load(options: LoadOptions): Promise<ModelInfo> {
    // A model is read by what computes: its tokenizer's expressions and its template are a stranger's programs.
    if (!this.trusted && options.folder !== resolveModel('builtin:nano', ''))
      throw engineErrors.untrusted('A model other than the one in the box');
    return this.inOrder(async () => {
      await this.drop();
      this.model = await LoadedModel.load({ ...options, shelf: this.shelf, devices: this.devices });
      this.changed();
      return this.model.info;
    });
  }

  private unload(): Promise<void> {
    return this.inOrder(() => this.drop());
  }

  /** The memory is free once the jobs that use the model have ended. */
  private async drop(): Promise<void> {
    const { model } = this;
    this.model = undefined;
    this.texts.close();
    await this.searches.close();
    await this.feedback.close();
    await model?.release();
    this.changed();
  }

  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.loading.then(work);
    this.loading = turn.catch(() => {});
    return turn;
  }

  /** Runs a job of the highest lane with the model, which stays in memory meanwhile. */
  /** Text of the model that completes, whose speed is then known. */
  private async writing(
    signal: AbortSignal,
    make: (model: LoadedModel, signal: AbortSignal) => Job<Completion & { generated: number }>,
  ): Promise<Completion> {
    const { generated, ...result } = await this.interactive(signal, make);
    this.tokensPerSecond = (1000 * generated) / Math.max(1, result.milliseconds);
    this.changed();
    return result;
  }

  private async interactive<T>(
    signal: AbortSignal,
    make: (model: LoadedModel, signal: AbortSignal) => Job<T>,
  ): Promise<T> {
    this.patience.asked();
    await this.loading;
    signal.throwIfAborted();
    const model = this.loaded().retain();
    try {
      return await model.policy.use(async () => {
        const handle = this.scheduler.submit('interactive', (own) => make(model, own));
        const cancel = () => handle.cancel(signal.reason);
        signal.addEventListener('abort', cancel, { once: true });
        try {
          return await handle.done;
        } finally {
          signal.removeEventListener('abort', cancel);
        }
      });
    } finally {
      await model.release();
    }
  }
}
