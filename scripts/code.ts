/**
 * `npm run code`: VS Code with the packaged extension on a copy of `examples/`. The desktop one where `code` is on the path,
 * with settings and extensions of its own; else the one from npm in a browser. Ctrl+C ends all of it.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './bundles.mjs';
import { bringEditor, obstacle } from './vscode/editor.ts';
import { makeProfile, type Profile } from './vscode/profile.ts';
import { EditorServer, installExtension } from './vscode/server.ts';

const windows = process.platform === 'win32';

function fail(text: string): never {
  console.error(text);
  process.exit(2);
}

/** The desktop VS Code's command, undefined where there is none on the path. */
function desktopCommand(): string | undefined {
  const names = windows ? ['code.cmd'] : ['code'];
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** The copy of `examples/`. What a person changed in it stays. */
function exampleFolder(profile: Profile): string {
  const folder = join(profile.folder, 'examples');
  cpSync(join(root, 'examples'), folder, { recursive: true, force: false });
  return folder;
}

function openDesktop(command: string, profile: Profile, vsix: string): void {
  const places = ['--user-data-dir', profile.data, '--extensions-dir', profile.extensions];
  for (const args of [
    ['--install-extension', vsix, '--force'],
    ['--new-window', exampleFolder(profile)],
  ]) {
    // A command of Windows is a script, which only a shell can start.
    const { status } = spawnSync(command, [...places, ...args], { stdio: 'inherit', shell: windows });
    if (status !== 0) fail(`${command} ended with exit code ${status}`);
  }
}

async function openBrowser(profile: Profile, vsix: string, port: number | undefined): Promise<void> {
  const why = obstacle();
  if (why !== undefined) fail(`There is no "code" on the path, and ${why}. Install VS Code and its "code" command.`);
  const editor = await bringEditor(console.log);
  installExtension(editor, profile, vsix);
  const server = await EditorServer.start(editor, profile, { trust: true, port });
  console.log(`\nVS Code: ${server.address(exampleFolder(profile))}\nCtrl+C ends it.`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void server.stop());
  await server.ended;
}

const { values } = parseArgs({ options: { port: { type: 'string' } } });
const packages = join(root, 'dist/packages');
const name = `-${process.platform}-${process.arch}.vsix`;
const vsix = existsSync(packages) ? readdirSync(packages).find((file) => file.endsWith(name)) : undefined;
if (vsix === undefined) fail('There is no package for this platform: npm run package.');
// Without the question, the browser's VS Code opens in restricted mode, where nothing is trained.
const profile = makeProfile(join(root, '.cache/vscode'), { 'security.workspace.trust.startupPrompt': 'always' });
const command = desktopCommand();
if (command !== undefined) openDesktop(command, profile, join(packages, vsix));
else await openBrowser(profile, join(packages, vsix), values.port === undefined ? undefined : Number(values.port));
