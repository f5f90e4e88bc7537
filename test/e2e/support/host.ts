/** Runs a script inside VS Code's extension host, where it has VS Code's own interface and no screen. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { eventually } from './eventually.ts';
import { reportFile } from './report.ts';
import { Session, type SessionOptions } from './session.ts';
import type { Workbench } from './workbench.ts';

/** A window in whose extension host a script runs. */
export class HostWindow {
  private readonly words: string[] = [];

  private constructor(
    private readonly entry: string,
    readonly session: Session,
    readonly page: Page,
    private readonly ended: Promise<number>,
  ) {}

  /** @param entry module that exports `run(): Promise<void>` */
  static async open(entry: string, options: SessionOptions): Promise<HostWindow> {
    const session = await Session.prepare(options);
    const { running, folder, server } = session;
    const place = `${folder}-host`;
    const script = join(place, 'host.cjs');
    await build({
      bundle: true,
      platform: 'node',
      format: 'cjs',
      external: ['vscode'],
      entryPoints: [entry],
      outfile: script,
    });
    // VS Code runs tests only for an extension under development.
    const stub = join(place, 'stub');
    mkdirSync(stub);
    const manifest = { name: 'stub', publisher: 'test', version: '1.0.0', engines: { vscode: '*' } };
    writeFileSync(join(stub, 'package.json'), JSON.stringify(manifest));
    // What is put into it for the script ends with it.
    const page = await running.newPage();
    let end: (code: number) => void = () => {};
    const ended = new Promise<number>((resolve) => {
      end = resolve;
    });
    const window = new HostWindow(entry, session, page, ended);
    try {
      await page.exposeFunction('codeAutomationExit', (code: number) => end(code));
      await page.exposeFunction('codeAutomationLog', (_: string, args: unknown[]) => window.words.push(args.join(' ')));
      await page.addInitScript(allowTests);
      const remote = (path: string) => `vscode-remote://${new URL(server.url).host}${path}`;
      const payload = [
        ['extensionDevelopmentPath', remote(stub)],
        ['extensionTestsPath', remote(script)],
        ['skipWelcome', 'true'],
      ];
      const address = `${server.address(folder)}&${new URLSearchParams({ payload: JSON.stringify(payload) })}`;
      await window.workbench.open(address);
      return window;
    } catch (error) {
      await page.close();
      throw error;
    }
  }

  get workbench(): Workbench {
    return this.session.running.workbench(this.page, this.session.folder);
  }

  /** What the script has written to {@link reportFile}, once it is there. */
  async report(seconds = 120): Promise<unknown> {
    const file = join(this.session.folder, reportFile);
    const failed = this.ended.then((code) => {
      if (code !== 0) throw new Error(`the script in the extension host ended with ${code}: ${this.words.join('\n')}`);
    });
    await Promise.race([
      failed.then(() => new Promise<never>(() => {})),
      eventually(`${this.entry} has a report`, () => assert.ok(existsSync(file)), seconds),
    ]);
    return JSON.parse(readFileSync(file, 'utf8'));
  }

  /** Keeps what there is to see of a failure. */
  keepEvidence(): Promise<void> {
    return this.session.running.keepEvidence(`host ${this.entry}`, this.page);
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

/**
 * @param entry module that exports `run(): Promise<void>`
 * @returns what it wrote to {@link reportFile}
 * @throws Error where it failed or took longer than `seconds`
 */
export async function runInHost(entry: string, options: SessionOptions, seconds = 120): Promise<unknown> {
  const window = await HostWindow.open(entry, options);
  try {
    return await window.report(seconds);
  } catch (error) {
    await window.keepEvidence();
    throw error;
  } finally {
    await window.close();
  }
}

/** In the page: what VS Code's own server sets for `--enable-smoke-test-driver`, an option that code-server lacks. */
function allowTests(): void {
  const get = Element.prototype.getAttribute;
  Element.prototype.getAttribute = function (name: string) {
    const value = get.call(this, name);
    if (name !== 'data-settings' || this.id !== 'vscode-workbench-web-configuration' || value === null) return value;
    const settings = JSON.parse(value);
    return JSON.stringify({ ...settings, developmentOptions: { enableSmokeTestDriver: true } });
  };
}
