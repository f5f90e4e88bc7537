/** A language server, and how long its main thread takes over what it is asked. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  type MessageConnection,
} from 'vscode-languageserver/node';
import { root } from '../../scripts/bundles.mjs';
import { getStatus } from '../../server/protocol/status.ts';

/** What one request took, in milliseconds. */
export interface Took {
  /** On the clock. */
  readonly wall: number;
  /** Of a processor, by the thread that answers: what other programs of the machine do is no part of it. */
  readonly computed: number;
  /** The longest that another request had to wait meanwhile, on the clock. */
  readonly others: number;
}

/** Milliseconds between requests that ask whether the server still answers. */
const every = 10;

export class WatchedServer {
  private readonly connection: MessageConnection;
  private readonly child: ChildProcess;
  private readonly underlined = new Map<string, () => void>();

  constructor() {
    this.child = fork(join(root, 'dist/server.js'), ['--node-ipc']);
    this.connection = createMessageConnection(new IPCMessageReader(this.child), new IPCMessageWriter(this.child));
    this.connection.onNotification('textDocument/publishDiagnostics', ({ uri }) => this.underlined.get(uri)?.());
    this.connection.listen();
  }

  async initialize(): Promise<void> {
    const initializationOptions = { trusted: true };
    await this.connection.sendRequest('initialize', {
      ...{ processId: process.pid, capabilities: {}, rootUri: null, initializationOptions },
    });
    await this.connection.sendNotification('initialized', {});
  }

  /** Milliseconds that the main thread has had of a processor. */
  private get computed(): number {
    const { pid } = this.child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  }

  /** Whatever is answered, an error too. */
  async ask(method: string, params: object): Promise<Took> {
    return this.time(() => this.connection.sendRequest(method, params));
  }

  /** Until what is wrong with a text is known: the editor sends it, and the server underlines. */
  async open(uri: string, text: string): Promise<Took> {
    const textDocument = { uri, languageId: 'cola-spec', version: 1, text };
    return this.time(() => this.untilUnderlined(uri, 'textDocument/didOpen', { textDocument }));
  }

  /** The same for one character at the beginning of the text. */
  async type(uri: string, version: number): Promise<Took> {
    const at = { line: 0, character: 0 };
    const contentChanges = [{ range: { start: at, end: at }, text: ' ' }];
    const textDocument = { uri, version };
    return this.time(() => this.untilUnderlined(uri, 'textDocument/didChange', { textDocument, contentChanges }));
  }

  async close(uri: string): Promise<void> {
    await this.connection.sendNotification('textDocument/didClose', { textDocument: { uri } });
  }

  private async untilUnderlined(uri: string, method: string, params: object): Promise<void> {
    const told = new Promise<void>((resolve) => this.underlined.set(uri, resolve));
    await this.connection.sendNotification(method, params);
    await told;
    this.underlined.delete(uri);
  }

  private async time(work: () => Promise<unknown>): Promise<Took> {
    await this.connection.sendRequest(getStatus.method, {});
    const before = this.computed;
    const from = performance.now();
    let wall: number | undefined;
    const done = work().then(
      () => {},
      () => {},
    );
    const ended = done.then(() => {
      wall = performance.now() - from;
    });
    let others = 0;
    while (wall === undefined) {
      const asked = performance.now();
      await this.connection.sendRequest(getStatus.method, {});
      others = Math.max(others, performance.now() - asked);
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, every))]);
    }
    return { wall, computed: this.computed - before, others };
  }

  async stop(): Promise<void> {
    this.connection.dispose();
    if (this.child.exitCode === null && this.child.kill('SIGKILL')) await once(this.child, 'exit');
  }
}
