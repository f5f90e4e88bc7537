/** Runs a script inside VS Code's extension host, where it has VS Code's own interface and no screen. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { wait } from './patience.ts';
import { reportFile } from './report.ts';
import { Session, type SessionOptions } from './session.ts';

/**
 * @param entry module that exports `run(): Promise<void>`
 * @param beside what the person does meanwhile, where the script makes the editor ask
 * @returns what it wrote to {@link reportFile}
 * @throws Error where it failed or took longer than `seconds`
 */
export async function runInHost(
  entry: string,
  options: SessionOptions,
  seconds = 120,
  beside?: (page: Page) => Promise<void>,
): Promise<unknown> {
  const { running, folder, server } = await Session.prepare(options);
  // What is put into it for the script ends with it.
  const page = await running.newPage();
  try {
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

    const words: string[] = [];
    const ended = new Promise<number>((resolve) => {
      void page.exposeFunction('codeAutomationExit', resolve);
    });
    await page.exposeFunction('codeAutomationLog', (_: string, args: unknown[]) => words.push(args.join(' ')));
    await page.addInitScript(allowTests);
    const remote = (path: string) => `vscode-remote://${new URL(server.url).host}${path}`;
    const payload = [
      ['extensionDevelopmentPath', remote(stub)],
      ['extensionTestsPath', remote(script)],
      ['skipWelcome', 'true'],
    ];
    const address = `${server.address(folder)}&${new URLSearchParams({ payload: JSON.stringify(payload) })}`;
    await running.workbench(page, folder).open(address);
    // One who finds nothing to do is told by how the script ends.
    void beside?.(page).catch((error: unknown) => words.push(String(error)));
    const code = await Promise.race([ended, delay(wait(seconds), 'late', { ref: false })]);
    if (code !== 0) {
      await running.keepEvidence(`host ${entry}`, page);
      throw new Error(`the script in the extension host ended with ${code}: ${words.join('\n')}`);
    }
    return JSON.parse(readFileSync(join(folder, reportFile), 'utf8'));
  } finally {
    await page.close();
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
