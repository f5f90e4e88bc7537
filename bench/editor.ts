/** The extension in VS Code: how large its package is, and how soon it is there. */
import { fork } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-languageserver/node';
import { obstacle } from '../scripts/vscode/editor.ts';
import { EngineLink } from '../server/language/engine/link.ts';
import { complete, loadModel, ping } from '../server/protocol/index.ts';
import { endEditor, install, vsix } from '../test/e2e/support/running.ts';
import { Session } from '../test/e2e/support/session.ts';
import { type Bench, type Measure, median, times } from './measure.ts';

const runs = 5;

/** Starts the language server and ends it when it has answered its first request. */
async function startServer(dist: string): Promise<void> {
  const child = fork(join(dist, 'server.js'), ['--node-ipc']);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  connection.listen();
  await connection.sendRequest('initialize', { processId: process.pid, capabilities: {}, rootUri: null });
  connection.dispose();
  child.kill('SIGKILL');
  await exited;
}

async function withEngine(dist: string, work: (engine: EngineLink) => Promise<unknown>): Promise<void> {
  const engine = new EngineLink({ file: join(dist, 'engine.js') }, { log() {}, exit() {} });
  await work(engine);
  engine.kill();
  await engine.exited;
}

/** Milliseconds until the extension has started, its server with it, by VS Code's own count. */
async function activation(): Promise<number> {
  const session = await Session.open({ examples: true });
  try {
    await session.workbench.command('Developer: Show Running Extensions');
    const row = session.page.locator('.runtime-extensions-editor .extension').filter({ hasText: 'CoLA Studio' });
    const text = await row.locator('.activation-time').innerText();
    return Number(/(\d+)ms/.exec(text)?.[1]);
  } finally {
    await endEditor();
  }
}

export const editorBench: Bench = {
  name: 'editor',
  about: 'size of the package; time until extension, server, engine and a first completion are there',
  async run(): Promise<Measure[]> {
    const why = existsSync(vsix) ? obstacle() : 'there is no package (npm run package)';
    if (why !== undefined) {
      console.error(`Not measured: ${why}.`);
      return [];
    }
    const { extension } = await install();
    const dist = join(extension, 'dist');
    const milliseconds = async (work: () => Promise<void>) => median(await times(runs, 1, work));
    const model = { folder: join(extension, 'assets/nano'), device: 'cpu' };
    return [
      { name: 'package of this platform', value: statSync(vsix).size / 1e6, unit: 'MB' },
      { name: 'server answers', value: await milliseconds(() => startServer(dist)), unit: 'ms' },
      {
        name: 'engine answers',
        value: await milliseconds(() => withEngine(dist, (engine) => engine.ask(ping, {}))),
        unit: 'ms',
      },
      {
        name: 'first completion, from no engine',
        value: await milliseconds(() =>
          withEngine(dist, async (engine) => {
            await engine.ask(loadModel, model);
            await engine.ask(complete, { prefix: 'const total = ', maxTokens: 8 });
          }),
        ),
        unit: 'ms',
      },
      { name: 'extension is active, its server with it', value: await activation(), unit: 'ms' },
    ];
  },
};
