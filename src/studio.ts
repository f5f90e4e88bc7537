/** What every part of the extension shares: the language server, typed requests to it, its status, and the log. */
import { isAbsolute, join, resolve } from 'node:path';
import {
  type CancellationToken,
  type Disposable,
  type Event,
  EventEmitter,
  type ExtensionContext,
  window,
  workspace,
} from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  ProgressType,
  ResponseError,
  State,
  TransportKind,
} from 'vscode-languageclient/node';
import { ColaError, fromWire } from '../server/protocol/errors.ts';
import {
  configure,
  getStatus,
  Listeners,
  type NotificationType,
  notice,
  type ParamsOf,
  type ProgressOf,
  progressToken,
  type ReceivedOf,
  type RequestType,
  type ResultOf,
  resultOf,
  type ServerOptions,
  type Status,
  statusChanged,
  wireError,
} from '../server/protocol/index.ts';
import { studioErrors } from './errors.ts';
import { t } from './l10n.ts';
import { openLog } from './log.ts';
import { serverSettings, setting } from './settings.ts';
import type { Connection } from './status-text.ts';

/** A server that stops more often than this within {@link crashWindow} is left alone. */
const patience = 4;
const crashWindow = 3 * 60_000;
/** Milliseconds a server has to save its runs when it is to end. */
const grace = 20_000;

const requestProgress = new ProgressType<unknown>();

/** Why a server came up: first at all, because a person asked, or because the one before had stopped. */
export type Arrival = 'first' | 'asked' | 'crashed';

export class Studio implements Disposable {
  readonly log = openLog('CoLA Studio');
  private client: LanguageClient;
  private readonly listeners = new Listeners((error) => this.log.error(error.describe()));
  private readonly statusEmitter = new EventEmitter<Status>();
  private readonly connectionEmitter = new EventEmitter<void>();
  private readonly upEmitter = new EventEmitter<Arrival>();
  private readonly disposables: Disposable[] = [this.statusEmitter, this.connectionEmitter, this.upEmitter, this.log];
  /** Requests that tell how far they are. */
  private asked = 0;
  private crashes: number[] = [];
  private arrival: Arrival = 'first';
  /** The latest word from the server; undefined until it is up. */
  status: Status | undefined;
  connection: Connection = 'starting';
  /** Why there is no server. */
  why: string | null = null;

  constructor(readonly context: ExtensionContext) {
    this.client = this.open();
    this.on(statusChanged, (status) => this.setStatus(status));
    this.on(notice, ({ severity, message, remedy }) => void show(severity, `${message} ${remedy}`));
    this.disposables.push(
      workspace.onDidGrantWorkspaceTrust(() => this.configure()),
      workspace.onDidChangeConfiguration((change) => {
        if (serverSettings.some((name) => change.affectsConfiguration(name))) this.configure();
      }),
    );
  }

  get onStatus(): Event<Status> {
    return this.statusEmitter.event;
  }

  /** The server came up, went down, or is being started. */
  get onConnection(): Event<void> {
    return this.connectionEmitter.event;
  }

  /** A server can be asked. It knows of no run and no search of the one before it. */
  get onServerUp(): Event<Arrival> {
    return this.upEmitter.event;
  }

  /** Starts the server. A failure is a state of the status bar, not an error. */
  async start(): Promise<void> {
    try {
      await this.client.start();
    } catch (error) {
      this.setConnection('down', messageOf(error));
      this.log.error(`The server did not start: ${messageOf(error)}`);
    }
  }

  /** Ends the server, its engine with it, and starts both anew. Runs are saved before. */
  async restart(): Promise<void> {
    const { client } = this;
    this.arrival = 'asked';
    this.crashes = [];
    this.setConnection('starting', null);
    await client.dispose(grace).catch((error: unknown) => this.log.warn(messageOf(error)));
    this.client = this.open();
    await this.start();
    if (this.connection !== 'up') throw studioErrors.down(this.why ?? t('it did not start'));
  }

  /**
   * Asks the server.
   *
   * @throws studio.down; ColaError as the server words it, also where the answer cannot be understood
   */
  async request<T extends RequestType>(
    type: T,
    params: ParamsOf<T>,
    token?: CancellationToken,
    progress?: (progress: ProgressOf<T>) => void,
  ): Promise<ResultOf<T>> {
    if (this.connection === 'down') throw studioErrors.down(this.why ?? t('it stopped'));
    const { client } = this;
    const name = progress === undefined ? undefined : `${type.method}/${this.asked++}`;
    const hearing =
      name === undefined
        ? undefined
        : client.onProgress(requestProgress, name, (given) => {
            const parsed = type.progress?.safeParse(given);
            if (parsed?.success === true) progress?.(parsed.data as ProgressOf<T>);
          });
    const all = name === undefined ? params : { ...(params as object), [progressToken]: name };
    try {
      // A token that is undefined would be sent as a second parameter.
      const answer: unknown = await (token === undefined
        ? client.sendRequest(type.method, all)
        : client.sendRequest(type.method, all, token));
      return resultOf(type, answer);
    } catch (error) {
      if (error instanceof ColaError) throw error;
      throw error instanceof ResponseError ? worded(error) : studioErrors.down(messageOf(error));
    } finally {
      hearing?.dispose();
    }
  }

  /** Listens to the server. What cannot be understood is logged and left out. */
  on<T extends NotificationType>(type: T, handler: (params: ReceivedOf<T>) => void): Disposable {
    // One handler a method is all that the client takes.
    const known = this.listeners.methods.includes(type.method);
    const dispose = this.listeners.on(type, handler);
    if (!known) this.attach(this.client, type.method);
    return { dispose };
  }

  async dispose(): Promise<void> {
    const { client } = this;
    // That runs stop with the window is no news to anybody in it; the next window tells.
    this.listeners.clear();
    for (const disposable of this.disposables.splice(0)) disposable.dispose();
    if (client.isRunning()) await client.dispose(grace);
  }

  private attach(client: LanguageClient, method: string): void {
    client.onNotification(method, (params: unknown) => this.listeners.hear(method, params));
  }

  private open(): LanguageClient {
    const module = this.context.asAbsolutePath(join('dist', 'server.js'));
    const options: LanguageClientOptions = {
      documentSelector: [{ language: 'cola-spec' }, { pattern: '**/*.cola.{yaml,yml}' }],
      outputChannel: this.log,
      initializationOptions: serverOptions,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
    };
    const client = new LanguageClient('cola', 'CoLA Studio', { module, transport: TransportKind.ipc }, options);
    for (const method of this.listeners.methods) this.attach(client, method);
    client.onDidChangeState(({ newState }) => {
      if (client !== this.client) return;
      if (newState === State.Running) void this.cameUp();
      else if (newState === State.Starting) this.setConnection('starting', null);
      else this.setConnection('down', this.why ?? t('it stopped'));
    });
    return client;
  }

  private closed(): { action: CloseAction; handled: boolean } {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < crashWindow), now];
    this.arrival = 'crashed';
    if (this.crashes.length <= patience) return { action: CloseAction.Restart, handled: true };
    this.why = t('it stopped {0} times in three minutes', this.crashes.length);
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private async cameUp(): Promise<void> {
    this.setConnection('up', null);
    // Settings and trust may have changed while it was starting, and a server that came back knows those of before.
    this.configure();
    const { arrival } = this;
    try {
      this.setStatus(await this.request(getStatus, {}));
    } catch (error) {
      this.log.error(messageOf(error));
    }
    this.upEmitter.fire(arrival);
  }

  private setStatus(status: Status): void {
    this.status = status;
    this.statusEmitter.fire(status);
  }

  private setConnection(connection: Connection, why: string | null): void {
    this.connection = connection;
    this.why = why;
    if (connection !== 'up') this.status = undefined;
    this.connectionEmitter.fire();
  }

  /** Tells the server of settings and trust as they are now. */
  private configure(): void {
    if (this.connection !== 'up') return;
    this.request(configure, serverOptions()).catch((error: unknown) => {
      if (error instanceof ColaError && error.id === 'protocol.cancelled') return;
      const text = error instanceof ColaError ? `${error.message} ${error.remedy}` : messageOf(error);
      this.log.error(text);
      void window.showErrorMessage(text);
    });
  }
}

function serverOptions(): ParamsOf<typeof configure> {
  const threads = setting('cola.threads');
  return {
    trusted: workspace.isTrusted,
    model: absoluteModel(setting('cola.model')),
    device: setting('cola.device'),
    precision: setting('cola.precision'),
    idleMinutes: setting('cola.idleMinutes'),
    interactiveLatency: setting('cola.interactiveLatency'),
    outliveWindow: setting('cola.runs.outliveWindow'),
    ...(threads > 0 ? { threads } : {}),
  } satisfies Partial<ServerOptions>;
}

/** A model folder may be written relative to the first folder of the workspace. */
export function absoluteModel(model: string): string {
  const root = workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file')?.uri.fsPath;
  return model.startsWith('builtin:') || isAbsolute(model) || root === undefined ? model : resolve(root, model);
}

/** The server's error as one of the catalogue. */
function worded(error: ResponseError<unknown>): ColaError {
  const data = wireError.partial().safeParse(error.data).data;
  if (data?.id === undefined) return studioErrors.down(error.message);
  return fromWire({ id: data.id, message: error.message, remedy: data.remedy ?? t('See the log of CoLA Studio.') });
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Shows a sentence once. Resolves when it is gone. */
export function show(severity: 'information' | 'warning' | 'error', text: string): Thenable<string | undefined> {
  if (severity === 'error') return window.showErrorMessage(text);
  return severity === 'warning' ? window.showWarningMessage(text) : window.showInformationMessage(text);
}
