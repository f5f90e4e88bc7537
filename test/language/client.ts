/** A language server of its own for a test, and the editor's end of it. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  type MessageConnection,
  ResponseError,
} from 'vscode-languageserver/node';
import type { RequestType, ResultOf } from '../../server/protocol/channel/request.ts';
import type { ServerOptions } from '../../server/protocol/initialize.ts';
import { program } from '../support/bundled.ts';

export const root = join(import.meta.dirname, '../..');

export class Client {
  readonly notifications: { method: string; params: unknown }[] = [];
  private woken = () => {};

  private constructor(
    private readonly child: ChildProcess,
    readonly connection: MessageConnection,
  ) {}

  static async start(options: Partial<ServerOptions>): Promise<Client> {
    const child = fork(program('server'), ['--node-ipc'], { execArgv: [] });
    const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
    const client = new Client(child, connection);
    connection.onNotification((method: string, params: unknown) => {
      client.notifications.push({ method, params });
      client.woken();
    });
    connection.listen();
    const initialize = { processId: process.pid, capabilities: {}, rootUri: null, initializationOptions: options };
    await connection.sendRequest('initialize', initialize);
    await connection.sendNotification('initialized', {});
    return client;
  }

  async ask<T extends RequestType>(type: T, params: unknown): Promise<ResultOf<T>> {
    return type.result.parse(await this.connection.sendRequest(type.method, params)) as ResultOf<T>;
  }

  async until(found: () => boolean): Promise<void> {
    while (!found()) {
      await new Promise<void>((resolve) => {
        this.woken = resolve;
      });
    }
  }

  /** Ends it as a machine does that has no time for it. */
  async kill(): Promise<void> {
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await exited;
    this.connection.dispose();
  }

  async stop(): Promise<void> {
    const exited = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    await this.connection.sendRequest('shutdown');
    await this.connection.sendNotification('exit');
    assert.equal(await exited, 0);
    this.connection.dispose();
  }
}

/** For `assert.rejects`: an error of the catalogue as the server sends it. */
export const failsWith = (id: string) => (error: unknown) =>
  error instanceof ResponseError && (error.data as { id: string }).id === id;
