/** An engine process and the channel to it. */
import { type ChildProcess, fork } from 'node:child_process';
import { type AskOptions, Channel, type Message } from '../../protocol/channel/channel.ts';
import type { ParamsOf, RequestType, ResultOf } from '../../protocol/channel/request.ts';
import { untrustedFlag } from '../../protocol/channel/trust.ts';
import { outliveArgument } from '../../store/outliving.ts';
import { engineProcessErrors } from '../errors.ts';

export interface EngineEntry {
  /** The script of the engine's process. */
  readonly file: string;
  /** Arguments of node in front of it. */
  readonly execArgv?: readonly string[];
}

export interface LinkEvents {
  /** Lines the process wrote, and what it sent that could not be understood. */
  log(text: string): void;
  exit(why: string): void;
}

export class EngineLink {
  private readonly child: ChildProcess;
  readonly channel: Channel;
  private gone = false;
  readonly exited: Promise<void>;

  constructor(
    { file, execArgv = [] }: EngineEntry,
    private readonly events: LinkEvents,
    { outlives = false, trusted = true }: { readonly outlives?: boolean; readonly trusted?: boolean } = {},
  ) {
    this.child = fork(file, [...(outlives ? [outliveArgument] : []), ...(trusted ? [] : [untrustedFlag])], {
      execArgv: [...execArgv],
      // What outlives this process is not to write into its pipes, nor to end with its terminal.
      stdio: outlives ? ['ignore', 'ignore', 'ignore', 'ipc'] : ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: outlives,
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => events.log(text.trimEnd()));
    }
    this.channel = new Channel({
      send: (message) => this.send(message),
      log: (error) => events.log(error.describe()),
    });
    this.child.on('message', (message) => this.channel.receive(message));
    this.exited = new Promise((resolve) => {
      const leave = (why: string) => {
        if (this.gone) return;
        this.gone = true;
        this.channel.close(engineProcessErrors.stopped(why));
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

  /** @throws engine.stopped, protocol.result, the engine's own errors; the signal's reason */
  ask<T extends RequestType>(type: T, params: ParamsOf<T>, options?: AskOptions<T>): Promise<ResultOf<T>> {
    return this.channel.ask(type, params, options);
  }

  /** Asks the process to save everything and end; it is killed if it has not after `seconds`. */
  async close(seconds: number): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.kill(), 1000 * seconds);
    await this.exited;
    clearTimeout(timer);
  }

  /** Lets the process go on by itself. */
  leave(): void {
    this.gone = true;
    if (this.child.connected) this.child.disconnect();
    this.child.unref();
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private send(message: Message): void {
    if (!this.child.connected) return;
    // A channel that breaks is followed by the exit of the process.
    this.child.send(message, (error) => {
      if (error !== null) this.events.log(`a message was not sent: ${error.message}`);
    });
  }
}
