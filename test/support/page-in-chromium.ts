/** A built page in a real browser, with the extension's own host on the other side, as the editor would show it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Uri, Webview } from 'vscode';
import { PageHost } from '../../src/panels/page-host.ts';
import type { Studio } from '../../src/studio.ts';
import { type Theme, themes } from './themes.ts';

/** The shell without windows starts faster; the whole browser does as well. */
const files = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
const chromiumFile = files.find((file) => existsSync(file));

/** Why no page can be opened; undefined where it can. */
export const chromiumMissing = (): string | undefined =>
  chromiumFile === undefined ? `there is neither ${files.join(' nor ')}; on Debian, install chromium` : undefined;

const origin = 'http://page.test';
const types: Readonly<Record<string, string>> = { js: 'text/javascript', css: 'text/css', ttf: 'font/ttf' };

export interface PageOptions {
  /** Folder of the bundle, and its name. */
  readonly folder: string;
  readonly name: string;
  readonly theme?: Theme;
  readonly reducedMotion?: boolean;
  /** Gives the host its answers. Called again after a reload. */
  readonly attach: (host: PageHost) => void;
}

const uri = (path: string): Uri =>
  ({
    path,
    with: (change: { path: string }) => uri(change.path),
    toString: () => `${origin}${path}`,
  }) as unknown as Uri;

export class PageInChromium {
  /** What went wrong in the page: errors, and what its policy kept from it. */
  readonly errors: string[] = [];
  host!: PageHost;

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
    private readonly options: PageOptions,
  ) {}

  static async open(options: PageOptions): Promise<PageInChromium> {
    const root = process.getuid?.() === 0;
    const browser = await chromium.launch({
      executablePath: chromiumFile ?? files[0],
      timeout: 180_000,
      args: ['--disable-gpu', ...(root ? ['--no-sandbox'] : [])],
    });
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      reducedMotion: options.reducedMotion === true ? 'reduce' : 'no-preference',
    });
    const page = await context.newPage();
    // A busy machine may take its time.
    page.setDefaultTimeout(60_000);
    const opened = new PageInChromium(browser, page, options);
    page.on('pageerror', (error) => opened.errors.push(error.stack ?? String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') opened.errors.push(message.text());
    });
    await opened.prepare();
    await page.goto(`${origin}/`, { timeout: 180_000, waitUntil: 'commit' });
    return opened;
  }

  /** As when the window is reloaded: a new document, a new host, the state that was kept. */
  async reload(): Promise<void> {
    await this.page.reload();
  }

  async close(): Promise<void> {
    this.host.dispose();
    await this.browser.close();
  }

  private async prepare(): Promise<void> {
    const { page, options } = this;
    let receive: (message: unknown) => void = () => {};
    await page.exposeFunction('sendToEditor', (message: unknown) => receive(message));
    // What compiles the tests names functions with a helper that the page has not.
    await page.addInitScript('globalThis.__name ??= (each) => each;');
    const { kind, variables } = options.theme ?? themes.dark;
    await page.addInitScript(
      ([bodyClass, values]) => {
        const state = () => sessionStorage.getItem('state');
        Object.assign(window, {
          acquireVsCodeApi: () => ({
            postMessage: (message: unknown) =>
              (window as unknown as { sendToEditor(message: unknown): void }).sendToEditor(message),
            getState: () => JSON.parse(state() ?? 'null') ?? undefined,
            setState: (next: unknown) => sessionStorage.setItem('state', JSON.stringify(next)),
          }),
        });
        const dress = () => {
          for (const [name, value] of Object.entries(values)) {
            document.documentElement.style.setProperty(`--vscode-${name}`, value);
          }
          document.body.classList.add(bodyClass);
        };
        if (document.body !== null) dress();
        else document.addEventListener('DOMContentLoaded', dress);
      },
      [kind, variables] as const,
    );
    await page.route(`${origin}/**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname === '/') {
        this.host?.dispose();
        let html = '';
        const webview = {
          cspSource: origin,
          asWebviewUri: (place: Uri) => place,
          onDidReceiveMessage: (listener: (message: unknown) => void) => {
            receive = listener;
            return { dispose: () => {} };
          },
          postMessage: async (message: unknown) => {
            if (page.isClosed()) return false;
            const text = JSON.stringify(message);
            // A document that is being left hears nothing.
            await page.evaluate((data) => window.postMessage(JSON.parse(data), '*'), text).catch(() => {});
            return true;
          },
          set html(text: string) {
            html = text;
          },
        };
        const log = { info: () => {}, warn: (text: string) => this.errors.push(text) };
        const studio = { log, context: { extensionUri: uri('') } } as unknown as Studio;
        this.host = new PageHost(studio, webview as unknown as Webview, options.name, 'Page');
        options.attach(this.host);
        await route.fulfill({ contentType: 'text/html', body: html });
        return;
      }
      const file = join(options.folder, 'webview', pathname.replace('/dist/webview/', ''));
      const body = await readFile(file).catch(() => undefined);
      const contentType = types[file.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
      await (body === undefined ? route.fulfill({ status: 404 }) : route.fulfill({ contentType, body }));
    });
  }
}
