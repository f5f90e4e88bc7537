/**
 * One folder in a VS Code with the packaged extension, in a browser. `npm run e2e [-- --grep x]` packages the extension and runs
 * the tests in `test/e2e/*.e2e.ts`; `npx mocha --config test/e2e/.mocharc.cjs [file]` does without packaging. Of a test that
 * fails, the screen and VS Code's logs are in `.cache/e2e`.
 *
 * A test file says `const session = vscode()` in its `describe` and uses `session.workbench` in its tests. Every `describe` has a
 * folder and settings of its own, in a window that is loaded anew; server and browser are those of the process. One that says
 * `kept` may find the window of another that said so, with its folder made as new: to load a window takes longer than most tests.
 * A test adds files with `session.write`; `session.look` keeps pictures of what a person sees. Tests wait for what they need with
 * Playwright's locators or `eventually`, never for a time to pass.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { root } from '../../../scripts/bundles.mjs';
import type { Profile } from '../../../scripts/vscode/profile.ts';
import type { EditorServer } from '../../../scripts/vscode/server.ts';
import { eventually } from './eventually.ts';
import { wait } from './patience.ts';
import { editor, endEditor, type Running } from './running.ts';
import type { Workbench } from './workbench.ts';

export interface SessionOptions {
  /** Whether the folder is a copy of `examples/`. */
  readonly examples?: boolean;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Folders in it that are open in its place, as one workspace. */
  readonly folders?: readonly string[];
  /** Whether folders have to be trusted before anything of them runs. */
  readonly trust?: boolean;
  /** Whether the window may be one in which all tests of another `describe` passed that said so too; not with `trust`. */
  readonly kept?: boolean;
}

/** The window of the latest `describe`, if it may be used again. */
let kept: Session | undefined;
let clearances = 0;

/** Settings under which what is shown is what CoLA does. */
const settings = {
  'git.enabled': false,
  'npm.autoDetect': 'off',
  'files.autoSave': 'off',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.accessibilitySupport': 'off',
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.reduceMotion': 'on',
  // What is drawn costs time, and nobody looks.
  'editor.cursorBlinking': 'solid',
  'editor.minimap.enabled': false,
  'breadcrumbs.enabled': false,
  // VS Code's own language features of TypeScript would take long to start, and are not what is tested.
  'files.associations': { '*.ts': 'plaintext' },
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
};

export class Session {
  readonly workbench: Workbench;

  private constructor(
    readonly running: Running,
    /** The folder that is open. */
    readonly folder: string,
  ) {
    this.workbench = running.workbench(running.page, folder);
  }

  /** A session whose folder is open, with the extension active. */
  static async open(options: SessionOptions = {}): Promise<Session> {
    const before = kept;
    kept = undefined;
    if (options.kept === true && before !== undefined) {
      try {
        await before.clear(options);
        return before;
      } catch (error) {
        console.log(`The window is not used again: ${error}`);
      }
    }
    const session = await Session.prepare(options);
    try {
      await session.workbench.open(session.address(options.folders));
      // What is typed before its server answers is completed from the next key on.
      await session.workbench
        .statusItem('cola.status')
        .filter({ hasNotText: 'starting' })
        .waitFor({ timeout: wait(120) });
      return session;
    } catch (error) {
      await session.keepEvidence('opening');
      throw error;
    }
  }

  /** A session whose folder is not open yet: the page is empty. */
  static async prepare({ examples, settings: more, trust, kept: again }: SessionOptions): Promise<Session> {
    kept = undefined;
    const running = await editor();
    const folder = await running.prepare({
      ...settings,
      'security.workspace.trust.enabled': trust === true,
      ...(again === true ? {} : more),
    });
    // Those of the machine can be taken back while the window is open.
    if (again === true) running.writeMachineSettings({ ...more });
    if (examples === true) cpSync(join(root, 'examples'), folder, { recursive: true });
    return new Session(running, folder);
  }

  /** Makes the window and its folder as one that is opened with these options. */
  private async clear({ examples, settings: more }: SessionOptions): Promise<void> {
    const { workbench, running, folder } = this;
    await this.page.keyboard.press('Escape');
    await workbench.tidy();
    // A server keeps what it has read of these.
    for (const name of ['feedback', 'versions'])
      if (existsSync(join(folder, '.cola', name))) throw new Error(`there is .cola/${name} in its folder`);
    const runs = join(folder, '.cola/runs');
    const names = existsSync(runs) ? readdirSync(runs) : [];
    const unlocked = () => {
      for (const name of names) if (existsSync(join(runs, name, 'lock'))) throw new Error(name);
    };
    await eventually('no run is under way', unlocked, 20);
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    if (examples === true) cpSync(join(root, 'examples'), folder, { recursive: true });
    clearances++;
    // Those of the machine, which VS Code looks at while a window is open. The title shows when it has them.
    const title = `cleared ${clearances}`;
    running.writeMachineSettings({ ...more, 'window.title': title });
    await this.page.waitForFunction((wanted) => document.title.endsWith(wanted), title, {
      timeout: wait(20),
    });
  }

  private address(folders: readonly string[] | undefined): string {
    if (folders === undefined) return this.server.address(this.folder);
    for (const path of folders) mkdirSync(join(this.folder, path), { recursive: true });
    this.write('all.code-workspace', JSON.stringify({ folders: folders.map((path) => ({ path })) }));
    return this.server.workspaceAddress(join(this.folder, 'all.code-workspace'));
  }

  get page(): Page {
    return this.running.page;
  }

  get profile(): Profile {
    return this.running.profile;
  }

  /** Folder of the installed extension. */
  get extension(): string {
    return this.running.extension;
  }

  get server(): EditorServer {
    return this.running.server;
  }

  /** Writes a file of the folder. */
  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Writes the person's settings on this machine, which a folder has no say in. */
  writeMachineSettings(settings: object): void {
    this.running.writeMachineSettings(settings);
  }

  /** With `COLA_LOOK=folder`, the screen as it is now, for eyes; nothing without. */
  async look(name: string): Promise<void> {
    const folder = process.env.COLA_LOOK;
    if (folder !== undefined) await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  /** Keeps what there is to see of a failure. */
  keepEvidence(name: string): Promise<void> {
    return this.running.keepEvidence(name);
  }
}

/** A session for the tests of the `describe` it is called in; its folder is a copy of `examples/` where no options are given. */
export function vscode(options: SessionOptions = { examples: true }): Session {
  let session: Session | undefined;
  const outcomes = { passed: 0, others: 0 };
  before(async function () {
    // The first session of all may have to bring VS Code.
    this.timeout(wait(600));
    session = await Session.open(options);
  });
  afterEach(async function () {
    // One that is tried again has no state.
    const test = this.currentTest;
    if (test === undefined) return;
    if (test.state === 'passed') outcomes.passed++;
    else {
      outcomes.others++;
      await session?.keepEvidence(test.fullTitle());
    }
  });
  after(() => {
    // What a test has left that did not pass, nobody knows.
    if (options.kept === true && outcomes.passed > 0 && outcomes.others === 0) kept = session;
  });
  return new Proxy({} as Session, {
    get: (_, key) => {
      if (session === undefined) throw new Error('the session is not open yet');
      const value = Reflect.get(session, key, session);
      return typeof value === 'function' ? value.bind(session) : value;
    },
  });
}

/** Ends the editor, once all files of the process have been run. */
export function mochaGlobalTeardown(): Promise<void> {
  return endEditor();
}
