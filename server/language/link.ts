/** The asking end of the channel to an engine process. */
import { type ChildProcess, fork } from 'node:child_process';
import { fromEngine, type ToEngine } from '../protocol/envelope.ts';
import { fromWire, protocolErrors } from '../protocol/errors.ts';
import type { ParamsOf, RequestType, ResultOf } from '../protocol/request.ts';
import { firstIssue } from '../store/issue.ts';
import { engineProcessErrors } from './errors.ts';

export interface EngineEntry {
  /** The script of the engine's process. */
  readonly file: string;
  /** Arguments of node in front of it. */
  readonly execArgv?: readonly string[];
}

export interface LinkEvents {
  notification(method: string, params: unknown): void;
  /** Lines the process wrote, and what it sent that could not be understood. */
  log(text: string): void;
  exit(why: string): void;
}

interface Waiting {
  readonly type: RequestType;
  succeed(result: unknown): void;
  fail(error: unknown): void;
}

export class EngineLink {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;
  private gone: string | undefined;
  readonly exited: Promise<void>;

  constructor(
    { file, execArgv = [] }: EngineEntry,
    private readonly events: LinkEvents,
  ) {
    this.child = fork(file, [], { execArgv: [...execArgv], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => events.log(text.trimEnd()));
    }
    this.child.on('message', (message) => this.receive(message));
    this.exited = new Promise((resolve) => {
      const leave = (why: string) => {
        if (this.gone !== undefined) return;
        this.gone = why;
        for (const { fail } of this.waiting.values()) fail(engineProcessErrors.stopped(why));
        this.waiting.clear();
        resolve();
        events.exit(why);
      };
      this.child.on('exit', (code, signal) => leave(signal === null ? `exit code ${code}` : `ended by ${signal}`));
      this.child.on('error', (error) => leave(error.message));
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Whether anybody waits for an answer. */
  get busy(): boolean {
    return this.waiting.size > 0;
  }

  /** @throws engine.stopped, protocol.result, the engine's own errors; the signal's reason */
  request<T extends RequestType>(type: T, params: ParamsOf<T>, signal?: AbortSignal): Promise<ResultOf<T>> {
    if (this.gone !== undefined) return Promise.reject(engineProcessErrors.stopped(this.gone));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const id = this.next++;
    return new Promise<ResultOf<T>>((resolve, reject) => {
      const cancel = () => {
        this.waiting.delete(id);
        this.send({ kind: 'cancel', id });
        reject(signal?.reason);
      };
      const settled = () => {
        this.waiting.delete(id);
        signal?.removeEventListener('abort', cancel);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      this.waiting.set(id, {
        type,
        succeed: (result) => {
          settled();
          resolve(result as ResultOf<T>);
        },
        fail: (error) => {
          settled();
          reject(error);
        },
      });
      this.send({ kind: 'request', id, method: type.method, params });
    });
  }

  /** Asks the process to save everything and end; it is killed if it has not after `seconds`. */
  async close(seconds: number): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.kill(), 1000 * seconds);
    await this.exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private send(message: ToEngine): void {
    if (!this.child.connected) return;
    // A channel that breaks is followed by the exit of the process.
    this.child.send(message, (error) => {
      if (error !== null) this.events.log(`a message was not sent: ${error.message}`);
    });
  }

  private receive(message: unknown): void {
    const parsed = fromEngine.safeParse(message);
    if (!parsed.success) {
      this.events.log(protocolErrors.message(firstIssue(parsed.error).detail).describe());
      return;
    }
    const { data } = parsed;
    if (data.kind === 'notification') {
      this.events.notification(data.method, data.params);
      return;
    }
    const waiting = data.id === null ? undefined : this.waiting.get(data.id);
    if (data.kind === 'failure') {
      if (waiting === undefined) this.events.log(fromWire(data.error).describe());
      else waiting.fail(fromWire(data.error));
      return;
    }
    // Of a request that was cancelled.
    if (waiting === undefined) return;
    const result = waiting.type.result.safeParse(data.result);
    if (result.success) waiting.succeed(result.data);
    else {
      const { path, detail } = firstIssue(result.error);
      waiting.fail(protocolErrors.result(waiting.type.method, `${path} ${detail}`));
    }
  }
}
