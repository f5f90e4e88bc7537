/** Runs VS Code's server over a profile. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Editor } from './editor.ts';
import type { Profile } from './profile.ts';

const startSeconds = 300;
const stopSeconds = 10;
/** Times that a start which code-server itself gave up is tried again: its own process has 10 seconds, whatever else the machine does. */
const retries = 2;

function environment({ home }: Profile, runtime?: string): NodeJS.ProcessEnv {
  const { VSCODE_IPC_HOOK_CLI: _, ...inherited } = process.env;
  return {
    ...inherited,
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local/share'),
    XDG_CACHE_HOME: join(home, '.cache'),
    ...(runtime === undefined ? {} : { XDG_RUNTIME_DIR: runtime }),
    // No marketplace: nothing is asked for outside this machine.
    EXTENSIONS_GALLERY: '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":""}',
  };
}

const places = ({ folder, data, extensions }: Profile): string[] => [
  ...['--user-data-dir', data],
  ...['--extensions-dir', extensions],
  ...['--config', join(folder, 'config.yaml')],
];

/** @throws Error with what VS Code said */
export function installExtension({ node, entry }: Editor, profile: Profile, vsix: string): void {
  const args = [entry, ...places(profile), '--install-extension', vsix, '--force'];
  const { status, stdout, stderr } = spawnSync(node, args, { encoding: 'utf8', env: environment(profile) });
  if (status !== 0 || !stdout.includes('successfully installed')) {
    throw new Error(`VS Code did not install ${vsix}: ${stdout}${stderr}`);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

export interface ServerOptions {
  /** Whether folders have to be trusted before anything of them runs. */
  readonly trust?: boolean | undefined;
  readonly port?: number | undefined;
  /** Folder of VS Code's own extensions, where it is not to have all that it comes with. */
  readonly builtin?: string | undefined;
  /** Folder in which each window listens for what the command `code` in its terminals asks of it. */
  readonly runtime?: string | undefined;
}

export class EditorServer {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    readonly log: string,
  ) {
    process.once('exit', this.end);
  }

  /** @throws Error with its log, when it does not start */
  static async start(editor: Editor, profile: Profile, options: ServerOptions = {}): Promise<EditorServer> {
    for (let tries = 0; ; tries++) {
      const server = await EditorServer.spawn(editor, profile, options);
      if (await server.comesUp()) return server;
      const said = readFileSync(server.log, 'utf8');
      await server.stop();
      if (tries >= retries || !/timed out/i.test(said)) throw new Error(`VS Code's server did not start: ${said}`);
      console.log("VS Code's server gave up its start, and is started again.");
    }
  }

  private static async spawn({ node, entry }: Editor, profile: Profile, options: ServerOptions): Promise<EditorServer> {
    const port = options.port ?? (await freePort());
    const log = join(profile.folder, 'server.log');
    const output = openSync(log, 'w');
    const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-getting-started-override'];
    const trust = options.trust === true ? [] : ['--disable-workspace-trust'];
    const own = options.builtin === undefined ? [] : ['--builtin-extensions-dir', options.builtin];
    const how = [...quiet, ...trust, ...own, ...places(profile)];
    const args = [entry, '--bind-addr', `127.0.0.1:${port}`, '--auth', 'none', ...how];
    const child = spawn(node, args, {
      stdio: ['ignore', output, output],
      env: environment(profile, options.runtime),
      // A process group of its own, so that all of it can be ended.
      detached: true,
    });
    closeSync(output);
    return new EditorServer(`http://127.0.0.1:${port}`, child, log);
  }

  /** Whether it answers; false where it has ended, or is late. */
  private async comesUp(): Promise<boolean> {
    const deadline = Date.now() + 1000 * startSeconds;
    while (!(await this.answers())) {
      if (this.child.exitCode !== null || this.child.signalCode !== null || Date.now() > deadline) return false;
      await delay(100);
    }
    return true;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get ended(): Promise<void> {
    const { child } = this;
    return new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once('exit', () => resolve());
    });
  }

  /** The address of a folder in it. */
  address(folder: string): string {
    return `${this.url}/?${new URLSearchParams({ folder })}`;
  }

  /** The address of a workspace of several folders, by its file. */
  workspaceAddress(workspace: string): string {
    return `${this.url}/?${new URLSearchParams({ workspace })}`;
  }

  async stop(): Promise<void> {
    this.signal('SIGTERM');
    await Promise.race([this.ended, delay(1000 * stopSeconds, undefined, { ref: false })]);
    // Also whatever it has left behind.
    this.end();
    process.off('exit', this.end);
  }

  private readonly end = () => this.signal('SIGKILL');

  private async answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/healthz`)).ok;
    } catch {
      return false;
    }
  }

  private signal(name: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, name);
    } catch {
      // Nothing of it is left.
    }
  }
}
