/** An editor that has run specs open: as much of one as the language server needs. */
import { type ChildProcess, fork } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import {
  createMessageConnection,
  type Diagnostic,
  IPCMessageReader,
  IPCMessageWriter,
  type MessageConnection,
} from 'vscode-languageserver/node';
import { program } from '../support/bundled.ts';

export class SpecClient {
  private readonly diagnostics = new Map<string, { readonly version: number; readonly found: readonly Diagnostic[] }>();
  private woken = () => {};

  private constructor(
    private readonly child: ChildProcess,
    readonly connection: MessageConnection,
  ) {}

  static async start(): Promise<SpecClient> {
    const child = fork(program('server'), ['--node-ipc'], { execArgv: [] });
    const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
    const client = new SpecClient(child, connection);
    connection.onNotification('textDocument/publishDiagnostics', ({ uri, version, diagnostics }) => {
      client.diagnostics.set(uri, { version, found: diagnostics });
      client.woken();
    });
    connection.listen();
    await connection.sendRequest('initialize', { processId: process.pid, capabilities: {}, rootUri: null });
    await connection.sendNotification('initialized', {});
    return client;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  open(uri: string, text: string): Promise<void> {
    const textDocument = { uri, languageId: 'cola-spec', version: 1, text };
    return this.connection.sendNotification('textDocument/didOpen', { textDocument });
  }

  /** Types at the beginning of the text. */
  type(uri: string, version: number, text: string): Promise<void> {
    const at = { line: 0, character: 0 };
    return this.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges: [{ range: { start: at, end: at }, text }],
    });
  }

  /** The answer, and how long it took in milliseconds. */
  async ask(method: string, uri: string, more: object = {}): Promise<{ answer: unknown; took: number }> {
    const from = performance.now();
    const answer = await this.connection.sendRequest(method, { textDocument: { uri }, ...more });
    return { answer, took: performance.now() - from };
  }

  /** What is underlined in a version of the text. */
  async underlined(uri: string, version = 1): Promise<readonly Diagnostic[]> {
    for (;;) {
      const known = this.diagnostics.get(uri);
      if (known?.version === version) return known.found;
      await new Promise<void>((resolve) => {
        this.woken = resolve;
      });
    }
  }

  async stop(): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    await this.connection.sendRequest('shutdown');
    await this.connection.sendNotification('exit');
    const code = await exited;
    this.connection.dispose();
    return code;
  }
}
