/**
 * VS Code's server with the packaged extension, and a browser, which all sessions of a process share, one after the other: to
 * start them takes several times as long as to open another folder in them.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { root } from '../../../scripts/bundles.mjs';
import { findChromium } from '../../../scripts/tests/chromium.mjs';
import { bringEditor, type Editor } from '../../../scripts/vscode/editor.ts';
import { makeProfile, type Profile, quiet } from '../../../scripts/vscode/profile.ts';
import { EditorServer, installExtension } from '../../../scripts/vscode/server.ts';
import { gotoInWindow } from './code-command.ts';
import { eventually } from './eventually.ts';
import { wait } from './patience.ts';
import { processesOf } from './processes.ts';
import { tidyKeys, Workbench } from './workbench.ts';

const evidence = join(root, '.cache/e2e');

/** Where `npm run package` puts what it makes. */
export const packages = join(root, 'dist/packages');
export const vsix = join(packages, `cola-studio-${process.platform}-${process.arch}.vsix`);

export interface Installed {
  readonly editor: Editor;
  readonly extensions: string;
  /** Folder of the installed extension. */
  readonly extension: string;
  /** A folder that is gone after the tests. */
  readonly scratch: string;
}

let installed: Promise<Installed> | undefined;

/** The extension is installed once and serves all sessions of the process. */
export function install(): Promise<Installed> {
  installed ??= (async () => {
    if (!existsSync(vsix)) throw new Error(`There is no ${vsix}: run npm run package.`);
    const editor = await bringEditor(console.log);
    const scratch = mkdtempSync(join(tmpdir(), 'cola-e2e-'));
    process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
    // A process that a signal ends has no exit event.
    process.once('SIGTERM', () => process.exit(143));
    const profile = makeProfile(join(scratch, 'install'), {});
    installExtension(editor, profile, vsix);
    const { extensions } = profile;
    const name = readdirSync(extensions).find((entry) => entry.startsWith('cola-studio.'));
    if (name === undefined) throw new Error(`${vsix} is not in ${extensions}`);
    return { editor, extensions, extension: join(extensions, name), scratch };
  })();
  return installed;
}

/** What tests need of the extensions that VS Code comes with: each of the others takes its time in every window. */
const builtin = [
  ...['theme-defaults', 'theme-seti', 'markdown-basics', 'markdown-language-features'],
  ...['json', 'yaml', 'python', 'javascript', 'typescript-basics', 'ipynb'],
];

const chromiumSwitches = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
];

/**
 * In every page and frame, from its beginning: an icon that turns as long as a run goes on, or a bar that moves as long as something
 * is loaded, is drawn many times a second, and nobody looks. As text: what builds the tests would put helpers of its own into a
 * function.
 */
const stillPictures = `{
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('*, *::before, *::after { animation-iteration-count: 1 !important; animation-duration: 1ms !important; }');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}`;

export class Running {
  private folders = 0;

  private constructor(
    readonly profile: Profile,
    /** Where windows listen for the command `code`. */
    private readonly runtime: string,
    /** Folder of the installed extension. */
    readonly extension: string,
    readonly server: EditorServer,
    readonly browser: BrowserContext,
    readonly page: Page,
  ) {}

  static async start(): Promise<Running> {
    const { editor, extension, extensions, scratch } = await install();
    const profile = makeProfile(mkdtempSync(join(scratch, 'profile-')), {}, extensions);
    const [few, runtime] = ['builtin', 'run'].map((name) => join(profile.folder, name));
    for (const folder of [few, runtime]) mkdirSync(folder);
    writeFileSync(join(profile.data, 'User/keybindings.json'), JSON.stringify(tidyKeys));
    for (const name of builtin) symlinkSync(join(editor.builtin, name), join(few, name));
    // Whether folders have to be trusted is a setting of each session.
    const server = await EditorServer.start(editor, profile, { trust: true, builtin: few, runtime });
    try {
      const browser = await chromium.launchPersistentContext(join(profile.folder, 'chromium'), {
        executablePath: findChromium() ?? '',
        headless: true,
        viewport: { width: 1400, height: 900 },
        reducedMotion: 'reduce',
        env: { ...process.env, HOME: profile.home } as Record<string, string>,
        args: chromiumSwitches,
      });
      await browser.addInitScript(stillPictures);
      await browser.grantPermissions(['clipboard-read', 'clipboard-write']);
      const page = browser.pages()[0] ?? (await browser.newPage());
      page.setDefaultTimeout(wait(60));
      return new Running(profile, runtime, extension, server, browser, page);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Closes the window that is open, makes an empty folder, and gives the person these settings and no others. */
  async prepare(settings: Readonly<Record<string, unknown>>): Promise<string> {
    await this.leave();
    writeFileSync(join(this.profile.data, 'User/settings.json'), JSON.stringify({ ...quiet, ...settings }, null, 2));
    this.writeMachineSettings({});
    this.folders++;
    const folder = join(this.profile.folder, `workspace-${this.folders}`);
    mkdirSync(folder);
    return folder;
  }

  /** What a person meets in a page, with a folder open in it. */
  workbench(page: Page, folder: string): Workbench {
    const { server, runtime } = this;
    const at = `vscode-remote://${new URL(server.url).host}`;
    return new Workbench(page, (path, { line, column }) =>
      gotoInWindow(runtime, `${at}${encodeURI(join(folder, path))}`, line, column),
    );
  }

  /** A page beside the window, such as a script may be run in. */
  async newPage(): Promise<Page> {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(wait(60));
    return page;
  }

  /** Closes the window, and waits until the extension's processes have ended. */
  private async leave(): Promise<void> {
    if (this.page.url() !== 'about:blank') await this.page.goto('about:blank');
    const left = () =>
      ['server', 'engine'].flatMap((name) => processesOf(join(this.extension, `dist/${name}.js`), this.server.pid));
    const ended = (seconds?: number) =>
      eventually('the processes of the window before have ended', () => assert.deepEqual(left(), []), seconds);
    try {
      await ended(30);
    } catch {
      // VS Code waits for hours for a window whose goodbye it did not hear. What the extension does then is not asked here: it has not
      // been told either.
      const hosts = processesOf('--type=extensionHost', this.server.pid);
      console.log(`VS Code has not heard that the window is closed: ${hosts.length} extension hosts are ended.`);
      for (const pid of hosts) process.kill(pid, 'SIGTERM');
      await ended();
    }
  }

  /** Writes the person's settings on this machine, which a folder has no say in. */
  writeMachineSettings(settings: object): void {
    const file = join(this.profile.data, 'Machine/settings.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(settings));
  }

  /** Keeps what there is to see of a failure. */
  async keepEvidence(name: string, page = this.page): Promise<void> {
    const folder = join(evidence, name.replace(/\W+/g, '-').slice(0, 100));
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, 'screen.png') }).catch(() => undefined);
    for (const path of ['server.log', 'data/logs']) {
      const from = join(this.profile.folder, path);
      if (existsSync(from)) cpSync(from, join(folder, path), { recursive: true });
    }
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
    rmSync(this.profile.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

let running: Promise<Running> | undefined;

/** The editor of this process, which is started when it is first asked for. */
export function editor(): Promise<Running> {
  running ??= Running.start();
  return running;
}

/** Ends the editor, if there is one. */
export async function endEditor(): Promise<void> {
  const ending = running;
  running = undefined;
  await (await ending)?.stop();
}
