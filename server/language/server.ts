/** The language server: run specs, and the way from the editor to the engine. It computes nothing itself. */
import {
  type CancellationToken,
  type Connection,
  ErrorCodes,
  type InitializeParams,
  type InitializeResult,
  LSPErrorCodes,
  ResponseError,
} from 'vscode-languageserver';
import { inspectFile } from '../data/inspect.ts';
import { surveyFolder, tokensOfAll } from '../data/survey.ts';
import { ColaError } from '../errors.ts';
import { findModels } from '../found/list.ts';
import { beforeAfter } from '../protocol/before-after.ts';
import { Answers } from '../protocol/channel/answers.ts';
import type { AskOptions } from '../protocol/channel/channel.ts';
import type { NotificationType, ParamsOf, ReceivedOf, RequestType, ResultOf } from '../protocol/channel/request.ts';
import { searchRequests, trustedFor } from '../protocol/channel/trust.ts';
import { chat, chatAlternatives, countChat } from '../protocol/chat.ts';
import { complete, previewActions } from '../protocol/completion.ts';
import { countTokens, inspectData, surveyFiles } from '../protocol/data.ts';
import { protocolErrors, toWire } from '../protocol/errors.ts';
import { evaluate } from '../protocol/evaluate.ts';
import { tunePolicy, usePolicy } from '../protocol/feedback.ts';
import { compareSettings, runDetails, runMetrics, runSamples } from '../protocol/history.ts';
import { configure, type ServerOptions, serverOptions } from '../protocol/initialize.ts';
import { listModels } from '../protocol/model.ts';
import { actionProfiles, locateActions } from '../protocol/pages/actions.ts';
import { closePlay, playRequests } from '../protocol/play.ts';
import {
  fitSpec,
  type ListedRun,
  listRuns,
  nameRun,
  noteRun,
  pauseRun,
  type RunEvent,
  reportRun,
  resumeRun,
  runEvent,
  runId,
  specDocs,
  startRun,
  stopRun,
  timeSpec,
} from '../protocol/runs.ts';
import { closeSearch, pauseSearch } from '../protocol/search.ts';
import {
  type EngineStatus,
  engineStatusChanged,
  getStatus,
  notice,
  restartEngine,
  type Status,
  statusChanged,
} from '../protocol/status.ts';
import { listWorkers } from '../protocol/workers.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { resolveModel } from '../spec/paths.ts';
import { readRunMetrics, readRunSamples } from '../store/run-history.ts';
import { latestRun, nextRun } from '../store/run-name.ts';
import { writeNote } from '../store/run-note.ts';
import type { EngineEntry } from './engine/link.ts';
import { ModelDesk } from './engine/model-desk.ts';
import { type EngineEvent, Supervisor } from './engine/supervisor.ts';
import { serverErrors } from './errors.ts';
import { FeedbackDesk } from './feedback.ts';
import { Folders } from './folders.ts';
import { requestProgress, withoutToken } from './progress.ts';
import { compareRuns, describeRun, viewOf } from './runs/history.ts';
import { RunList } from './runs/list.ts';
import { OutlivingRuns } from './runs/outliving.ts';
import { specMarkdown } from './spec/docs.ts';
import { connectSpecs, specCapabilities } from './spec/features.ts';

const off: EngineStatus = { model: null, device: null, attempts: [], lane: null, memory: 0, tokensPerSecond: null };

export class LanguageServer {
  private readonly answers = new Answers();
  private options: ServerOptions = serverOptions.parse({});
  private supervisor: Supervisor | undefined;
  private engine: EngineStatus = off;
  private readonly runs = new RunList((error) => this.connection.console.warn(error.describe()));
  private readonly folders = new Folders();
  private readonly feedback: FeedbackDesk;
  private readonly outliving: OutlivingRuns;
  private readonly models: ModelDesk;

  /** @param entry of the engine that comes with the server */
  constructor(
    private readonly connection: Connection,
    private readonly entry: EngineEntry,
  ) {
    this.feedback = new FeedbackDesk({
      answering: this.answers,
      ask: (type, params) => this.ask(type, params),
      loaded: () => this.supervisor?.model !== undefined,
      trusted: () => this.options.trusted,
    });
    this.models = new ModelDesk({
      answering: this.answers,
      ask: (type, params, options) => this.ask(type, params, options),
      loaded: () => this.supervisor?.model,
      settings: () => this.options,
      onChange: () => this.tellStatus(),
    });
    connection.onInitialize((params) => this.initialize(params));
    connection.onRequest((method, params, token) => this.asked(method, params, token));
    this.outliving = new OutlivingRuns({
      entry: () => this.options.engine ?? this.entry,
      onEvent: (event) => this.heard(runEvent, event),
      log: (text) => connection.console.log(text),
    });
    connection.onShutdown(() => {
      this.outliving.leave();
      return this.supervisor?.close();
    });
    connectSpecs(connection, {
      estimate: (specFile) => this.ask(fitSpec, { specFile }),
      time: async (specFile) =>
        this.options.trusted
          ? (await this.ask(timeSpec, { root: this.folders.of(specFile), specFile, trial: false })).time
          : null,
      latest: (specFile) => this.latestRun(specFile),
    });
    this.answers.answer(specDocs, async () => ({ markdown: specMarkdown() }));
    this.answers.answer(getStatus, async () => this.status);
    this.answers.answer(configure, async (options) => {
      await this.configure(options);
      return {};
    });
    this.answers.answer(restartEngine, async () => {
      this.models.forgive();
      await this.keeper.restart();
      return {};
    });
    this.answers.answer(runDetails, async (key) => describeRun(key));
    this.answers.answer(runMetrics, ({ root, run, ...query }, signal) =>
      readRunMetrics(viewOf({ root, run }).path, query, signal),
    );
    this.answers.answer(runSamples, ({ root, run, ...range }, signal) =>
      readRunSamples(viewOf({ root, run }).path, range, signal),
    );
    this.answers.answer(compareSettings, async ({ runs }) => compareRuns(runs));
    this.answers.answer(surveyFiles, (params, signal) => this.survey(params, signal));
    this.answers.answer(inspectData, async ({ file }) => ({ inspection: (await inspectFile(file)) ?? null }));
    this.answers.answer(listModels, ({ roots, folders }) =>
      findModels(roots, { folders, trusted: this.options.trusted }),
    );
    this.answers.answer(listRuns, async ({ roots }) => {
      await this.outliving.find(roots);
      return { runs: await this.runs.list(roots, this.supervisor?.pid) };
    });
    this.answers.answer(noteRun, async ({ root, run, note }) => {
      await writeNote(viewOf({ root, run }).path, note);
      return {};
    });
    this.answers.answer(nameRun, async ({ root, specFile }) => ({ run: nextRun(root, specFile) }));
    for (const type of [fitSpec, listWorkers, pauseSearch, closeSearch, actionProfiles, reportRun]) this.forward(type);
    this.answers.answer(complete, async (params, signal) => {
      await this.models.need();
      const { project, ...asked } = params;
      // Files of a folder that is not trusted have no say in others'.
      const place = project !== undefined && this.options.trusted ? { project } : {};
      const options = { ...asked, ...place, patience: this.options.interactiveLatency };
      return this.feedback.passOn(params.prefix, await this.ask(complete, options, { signal }));
    });
    this.answers.answer(chatAlternatives, async (params, signal) => {
      await this.models.need();
      const asked = params.messages.map(({ content }) => content).join('\n');
      return this.feedback.passOn(asked, await this.ask(chatAlternatives, params, { signal }), 'chat');
    });
    for (const type of [previewActions, locateActions]) this.forward(type, () => this.models.need());
    this.answerRuns();
    for (const type of [evaluate, beforeAfter, chat, countChat, ...playRequests, closePlay]) this.forward(type);
    this.answers.answer(timeSpec, async (params, signal) => {
      const found = await this.ask(timeSpec, params, { signal });
      if (params.trial) this.folders.refreshLenses(this.connection);
      return found;
    });
    for (const type of [usePolicy, tunePolicy, ...searchRequests]) this.forward(type, () => this.models.need());
  }

  private initialize(params: InitializeParams): InitializeResult {
    const { initializationOptions } = params;
    const parsed = serverOptions.safeParse(initializationOptions ?? {});
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      throw toResponse(protocolErrors.params('initialize', path, detail));
    }
    this.options = parsed.data;
    this.folders.connect(this.connection, params);
    return { capabilities: specCapabilities, serverInfo: { name: 'CoLA Studio' } };
  }

  private async configure(options: Omit<ServerOptions, 'engine'>): Promise<void> {
    const before = this.options;
    this.options = { ...options, engine: before.engine };
    this.models.forgive();
    if (this.supervisor !== undefined) this.supervisor.idleSeconds = 60 * options.idleMinutes;
    // An engine is for folders with trust or without for as long as it lives.
    if (options.trusted !== before.trusted && this.supervisor?.pid !== undefined) await this.supervisor.restart();
    this.tellStatus();
    await this.models.follow(options, before);
  }

  /** Made on first use: an editor that only edits needs no engine. */
  private get keeper(): Supervisor {
    this.supervisor ??= new Supervisor({
      entry: this.options.engine ?? this.entry,
      trusted: () => this.options.trusted,
      idleSeconds: 60 * this.options.idleMinutes,
      onEvent: (type, params) => this.heard(type, params),
      onState: (state) => {
        if (state !== 'ready') this.engine = off;
        this.tellStatus();
      },
      onNotice: (said) => this.tell(notice, said),
      log: (text) => this.connection.console.log(text),
    });
    return this.supervisor;
  }

  private get status(): Status {
    const engine = this.supervisor?.state ?? 'off';
    const { refusal, loadingFolder } = this.models;
    const warned = engine === 'restarting' || refusal !== undefined;
    const health = engine === 'failed' ? 'error' : warned ? 'warning' : 'ok';
    const messages = {
      off: '',
      ready: '',
      starting: 'The engine is starting.',
      restarting: 'The engine stopped and is being started again.',
      failed: 'The engine does not start. Run "CoLA: Restart Server".',
    };
    const still = this.engine.lane === null && !this.runs.busy && loadingFolder === undefined;
    const quiescent = still && engine !== 'starting' && engine !== 'restarting';
    const message = messages[engine] === '' ? (refusal?.message ?? '') : messages[engine];
    return { ...this.engine, engine, health, quiescent, message, loading: loadingFolder ?? null };
  }

  private heard<T extends EngineEvent>(type: T, params: ReceivedOf<T>): void {
    if (type === engineStatusChanged) {
      this.engine = params as EngineStatus;
      this.tellStatus();
      return;
    }
    if (type === runEvent) {
      const event = params as RunEvent;
      this.runs.note(event);
      if (event.event.kind === 'state') this.folders.refreshLenses(this.connection);
    }
    void this.connection.sendNotification(type.method, params);
  }

  private tellStatus(): void {
    this.tell(statusChanged, this.status);
  }

  private tell<T extends NotificationType>(type: T, params: ParamsOf<T>): void {
    void this.connection.sendNotification(type.method, params);
  }

  private async ask<T extends RequestType>(
    type: T,
    params: ParamsOf<T>,
    options?: AskOptions<T>,
  ): Promise<ResultOf<T>> {
    this.needTrust(type.method);
    return this.keeper.ask(type, params, options);
  }

  private needTrust(method: string): void {
    const what = trustedFor(method);
    if (what !== undefined && !this.options.trusted) throw serverErrors.untrusted(what);
  }

  /** Runs are the engine's, or outlive the window in processes of their own. */
  private answerRuns(): void {
    const { answers, outliving } = this;
    answers.answer(startRun, async (params, signal) => {
      if (!this.options.outliveWindow) return this.ask(startRun, params, { signal });
      await outliving.start(params);
      return {};
    });
    answers.answer(resumeRun, async (params, signal) => {
      const { root, run } = params;
      const here = this.supervisor?.runs.some(({ key }) => runId(key) === runId({ root, run })) ?? false;
      const own = outliving.has({ root, run });
      if (!own && (here || !this.options.outliveWindow)) return this.ask(resumeRun, params, { signal });
      await outliving.resume(params);
      return {};
    });
    answers.answer(pauseRun, async (key, signal) => {
      if (!outliving.has(key)) return this.ask(pauseRun, key, { signal });
      await outliving.pause(key);
      return {};
    });
    answers.answer(stopRun, async (key, signal) =>
      outliving.has(key) ? { step: await outliving.stop(key) } : this.ask(stopRun, key, { signal }),
    );
  }

  private async survey(
    { root, model }: ReceivedOf<typeof surveyFiles>,
    signal: AbortSignal,
  ): Promise<ResultOf<typeof surveyFiles>> {
    const { survey, samples } = await surveyFolder(root, signal);
    if (model === undefined || samples.length === 0) return { ...survey, tokens: null };
    try {
      const texts = samples.map(({ text }) => text);
      const { tokens } = await this.ask(countTokens, { model: resolveModel(model, ''), texts }, { signal });
      return { ...survey, tokens: tokensOfAll(samples, tokens) };
    } catch (error) {
      // What there is to read is known all the same; a run of such a model will say what is wrong with it.
      if (!(error instanceof ColaError)) throw error;
      this.connection.console.warn(error.describe());
      return { ...survey, tokens: null };
    }
  }

  /** The latest run of a spec in the folder of the workspace that it lies in. */
  private latestRun(specFile: string): ListedRun | undefined {
    const root = this.folders.of(specFile);
    const name = latestRun(root, specFile);
    return name === undefined ? undefined : this.runs.one(root, name, this.supervisor?.pid);
  }

  /** Passes a request on to the engine. */
  private forward<T extends RequestType>(type: T, before: () => Promise<void> = async () => {}): void {
    this.answers.answer(type, async (params, signal, progress) => {
      await before();
      return this.ask(type, params as ParamsOf<T>, { signal, progress });
    });
  }

  /** What the editor asks beyond the Language Server Protocol. */
  private async asked(method: string, given: unknown, token: CancellationToken): Promise<unknown> {
    if (!this.answers.has(method) && !method.startsWith('cola/')) {
      return new ResponseError(ErrorCodes.MethodNotFound, `There is no request ${method.slice(0, 100)}.`);
    }
    const controller = new AbortController();
    const cancelled = token.onCancellationRequested(() => controller.abort(protocolErrors.cancelled()));
    try {
      this.needTrust(method);
      const { token: told, params } = withoutToken(given);
      return await this.answers.call(method, params, controller.signal, (progress) => {
        if (told !== undefined) void this.connection.sendProgress(requestProgress, told, progress);
      });
    } catch (error) {
      if (!(error instanceof ColaError)) this.connection.console.error(String(error));
      return toResponse(error);
    } finally {
      cancelled.dispose();
    }
  }
}

/** The error as the protocol has it: the sentence as message, identifier and remedy as data. */
function toResponse(error: unknown): ResponseError<{ id: string; remedy: string }> {
  const { id, message, remedy } = toWire(error);
  const code = id === 'protocol.cancelled' ? LSPErrorCodes.RequestCancelled : LSPErrorCodes.RequestFailed;
  return new ResponseError(code, message, { id, remedy });
}
