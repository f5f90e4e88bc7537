/** What every part of the extension shares: the language server, typed requests to it, its status, and the log. */
import { join } from 'node:path';
import {
  type CancellationToken,
  type Disposable,
  type Event,
  EventEmitter,
  type ExtensionContext,
  type LogOutputChannel,
  window,
  workspace,
} from 'vscode';
import { LanguageClient, type LanguageClientOptions, ResponseError, TransportKind } from 'vscode-languageclient/node';
import { type ColaError, fromWire, protocolErrors } from '../server/protocol/errors.ts';
import {
  type NotificationType,
  notice,
  type ParamsOf,
  type ReceivedOf,
  type RequestType,
  type ResultOf,
  type ServerOptions,
  type Status,
  statusChanged,
  wireError,
} from '../server/protocol/index.ts';
import { setting } from './settings.ts';

export class Studio implements Disposable {
  readonly log: LogOutputChannel = window.createOutputChannel('CoLA Studio', { log: true });
  private readonly client: LanguageClient;
  private readonly statusEmitter = new EventEmitter<Status>();
  private readonly disposables: Disposable[] = [this.log, this.statusEmitter];
  /** The latest word from the server; undefined until it is up. */
  status: Status | undefined;

  constructor(readonly context: ExtensionContext) {
    const module = context.asAbsolutePath(join('dist', 'server.js'));
    const options: LanguageClientOptions = {
      documentSelector: [{ language: 'cola-spec' }, { pattern: '**/*.cola.yaml' }],
      outputChannel: this.log,
      initializationOptions: serverOptions(),
    };
    this.client = new LanguageClient('cola', 'CoLA Studio', { module, transport: TransportKind.ipc }, options);
    this.on(statusChanged, (status) => {
      this.status = status;
      this.statusEmitter.fire(status);
    });
    this.on(notice, ({ severity, message, remedy }) => void show(severity, `${message} ${remedy}`));
  }

  get onStatus(): Event<Status> {
    return this.statusEmitter.event;
  }

  async start(): Promise<void> {
    await this.client.start();
  }

  /** Asks the server. @throws ColaError as the server words it, also where the answer cannot be understood */
  async request<T extends RequestType>(type: T, params: ParamsOf<T>, token?: CancellationToken): Promise<ResultOf<T>> {
    let answer: unknown;
    try {
      answer = await this.client.sendRequest(type.method, params, token);
    } catch (error) {
      throw worded(error);
    }
    const parsed = type.result.safeParse(answer);
    if (!parsed.success) throw protocolErrors.result(type.method, parsed.error.message);
    return parsed.data as ResultOf<T>;
  }

  /** Listens to the server. What cannot be understood is logged and left out. */
  on<T extends NotificationType>(type: T, handler: (params: ReceivedOf<T>) => void): Disposable {
    const listening = this.client.onNotification(type.method, (params: unknown) => {
      const parsed = type.params.safeParse(params);
      if (parsed.success) handler(parsed.data as ReceivedOf<T>);
      else this.log.error(`${type.method}: ${parsed.error.message}`);
    });
    this.disposables.push(listening);
    return listening;
  }

  async dispose(): Promise<void> {
    for (const disposable of this.disposables.splice(0)) disposable.dispose();
    if (this.client.isRunning()) await this.client.stop();
  }
}

function serverOptions(): Partial<ServerOptions> {
  const threads = setting('cola.threads');
  return {
    trusted: workspace.isTrusted,
    model: setting('cola.model'),
    device: setting('cola.device'),
    idleMinutes: setting('cola.idleMinutes'),
    ...(threads > 0 ? { threads } : {}),
  };
}

/** The server's error as one of the catalogue. */
function worded(error: unknown): ColaError {
  if (error instanceof ResponseError) {
    const data = wireError.partial().safeParse(error.data).data;
    return fromWire({
      id: data?.id ?? 'protocol.internal',
      message: error.message,
      remedy: data?.remedy ?? 'See the log of CoLA Studio.',
    });
  }
  return protocolErrors.internal(error instanceof Error ? error.message : String(error));
}

/** Shows a sentence once. Resolves when it is gone. */
export function show(severity: 'information' | 'warning' | 'error', text: string): Thenable<string | undefined> {
  if (severity === 'error') return window.showErrorMessage(text);
  return severity === 'warning' ? window.showWarningMessage(text) : window.showInformationMessage(text);
}
