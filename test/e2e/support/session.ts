/**
 * One VS Code with the packaged extension on a folder of its own, in a browser. `npm run e2e [-- --grep x]` packages the
 * extension and runs the tests in `test/e2e/*.e2e.ts`; `npx mocha --config test/e2e/.mocharc.cjs [file]` does without
 * packaging. Of a test that fails, the screen and VS Code's logs are in `.cache/e2e`.
 *
 * A test file says `const session = vscode()` in its `describe` and uses `session.workbench` in its tests. That session is
 * shared: its folder is a copy of `examples/`, to which a test adds its files with `session.write`. With options,
 * `vscode({ ... })` opens one of its own; `session.look` keeps pictures of what a person sees. Tests wait for what they need with Playwright's locators or `eventually`, never
 * for a time to pass.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { root } from '../../../scripts/bundles.mjs';
import { bringEditor, type Editor } from '../../../scripts/vscode/editor.ts';
import { makeProfile, type Profile } from '../../../scripts/vscode/profile.ts';
import { EditorServer, installExtension } from '../../../scripts/vscode/server.ts';
import { wait } from './patience.ts';
import { Workbench } from './workbench.ts';

const evidence = join(root, '.cache/e2e');

/** Where `npm run package` puts what it makes. */
export const packages = join(root, 'dist/packages');
export const vsix = join(packages, `cola-studio-${process.platform}-${process.arch}.vsix`);

export interface SessionOptions {
  /** Whether the folder is a copy of `examples/`. */
  readonly examples?: boolean;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Whether folders have to be trusted before anything of them runs. */
  readonly trust?: boolean;
  /** Another folder of extensions than the one that all sessions share. */
  readonly extensions?: string;
}

/** Settings under which what is shown is what CoLA does. */
const settings = {
  'git.enabled': false,
  'npm.autoDetect': 'off',
  'files.autoSave': 'off',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.accessibilitySupport': 'off',
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.reduceMotion': 'on',
  // VS Code's own language features of TypeScript would take long to start, and are not what is tested.
  'files.associations': { '*.ts': 'plaintext' },
};

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

const chromiumSwitches = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
];

export class Session {
  private constructor(
    readonly profile: Profile,
    /** Folder of the installed extension. */
    readonly extension: string,
    /** The folder that is open. */
    readonly folder: string,
    readonly server: EditorServer,
    readonly browser: BrowserContext,
    readonly workbench: Workbench,
  ) {}

  /** A session whose folder is open, with the extension active. */
  static async open(options: SessionOptions = {}): Promise<Session> {
    const session = await Session.start(options);
    try {
      await session.workbench.open(session.server.address(session.folder));
      await session.workbench.statusItem('cola.status').waitFor({ timeout: wait(120) });
      return session;
    } catch (error) {
      await session.keepEvidence('opening');
      await session.close();
      throw error;
    }
  }

  /** A session with an empty page. */
  static async start(options: SessionOptions): Promise<Session> {
    const installed = await install();
    const { editor, extension, scratch } = installed;
    const extensions = options.extensions ?? installed.extensions;
    const profile = makeProfile(
      mkdtempSync(join(scratch, 'session-')),
      { ...settings, ...options.settings },
      extensions,
    );
    const folder = join(profile.folder, 'workspace');
    mkdirSync(folder);
    if (options.examples === true) cpSync(join(root, 'examples'), folder, { recursive: true });
    const server = await EditorServer.start(editor, profile, { trust: options.trust });
    try {
      const browser = await chromium.launchPersistentContext(join(profile.folder, 'chromium'), {
        executablePath: process.env.COLA_CHROMIUM ?? '/usr/bin/chromium',
        headless: true,
        viewport: { width: 1400, height: 900 },
        env: { ...process.env, HOME: profile.home } as Record<string, string>,
        args: chromiumSwitches,
      });
      await browser.grantPermissions(['clipboard-read', 'clipboard-write']);
      const page = browser.pages()[0] ?? (await browser.newPage());
      page.setDefaultTimeout(wait(60));
      return new Session(profile, extension, folder, server, browser, new Workbench(page));
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get page() {
    return this.workbench.page;
  }

  /** Writes a file of the folder. */
  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Writes the person's settings on this machine, which a folder has no say in. */
  writeMachineSettings(settings: object): void {
    const file = join(this.profile.data, 'Machine/settings.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(settings));
  }

  /** With `COLA_LOOK=folder`, the screen as it is now, for eyes; nothing without. */
  async look(name: string): Promise<void> {
    const folder = process.env.COLA_LOOK;
    if (folder !== undefined) await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  /** Keeps what there is to see of a failure. */
  async keepEvidence(name: string): Promise<void> {
    const folder = join(evidence, name.replace(/\W+/g, '-').slice(0, 100));
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, 'screen.png') }).catch(() => undefined);
    for (const path of ['server.log', 'data/logs']) {
      const from = join(this.profile.folder, path);
      if (existsSync(from)) cpSync(from, join(folder, path), { recursive: true });
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
    rmSync(this.profile.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

let shared: Promise<Session> | undefined;

/** A session for the tests of the `describe` it is called in: the shared one, or one of its own with `options`. */
export function vscode(options?: SessionOptions): Session {
  let session: Session | undefined;
  before(async function () {
    // The first session of all may have to bring VS Code.
    this.timeout(wait(600));
    if (options === undefined) shared ??= Session.open({ examples: true });
    session = await (options === undefined ? shared : Session.open(options));
  });
  afterEach(async function () {
    // One that is tried again has no state.
    const test = this.currentTest;
    if (test !== undefined && test.state !== 'passed') await session?.keepEvidence(test.fullTitle());
  });
  after(async () => {
    if (options === undefined) await session?.workbench.closeEditors();
    else await session?.close();
  });
  return new Proxy({} as Session, {
    get: (_, key) => {
      if (session === undefined) throw new Error('the session is not open yet');
      const value = Reflect.get(session, key, session);
      return typeof value === 'function' ? value.bind(session) : value;
    },
  });
}

/** Ends what the tests of a file share: the next file finds nothing that another has left open. What is installed stays. */
export async function mochaGlobalTeardown(): Promise<void> {
  const open = shared;
  shared = undefined;
  await (await open)?.close();
}
