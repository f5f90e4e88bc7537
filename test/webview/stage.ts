/** A page of the extension in a real browser, with the colours of a theme and answers of the test's choosing. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { FromPage, ToPage } from '../../server/protocol/page.ts';
import type { NotificationType, ParamsOf, RequestType, ResultOf } from '../../server/protocol/request.ts';
import { type ThemeName, themes } from '../support/themes.ts';

const root = join(import.meta.dirname, '../..');

/** Where a browser may be; undefined where there is none, and pages cannot be tested. */
export const browserPath = [
  process.env.COLA_TEST_CHROMIUM,
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

/** Milliseconds that the browser and a page have for anything. */
const patience = 120_000;

type Answer = (params: never) => unknown;

/** Bundles pages once and opens them as often as tests want. */
export class Stage {
  private constructor(
    private readonly browser: Browser,
    private readonly folder: string,
  ) {}

  /** @param pages names of folders in `webview` */
  static async open(...pages: string[]): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'cola-pages-'));
    await build({
      absWorkingDir: root,
      entryPoints: Object.fromEntries(pages.map((name) => [name, `webview/${name}/main.ts`])),
      outdir: folder,
      bundle: true,
      format: 'esm',
      target: 'chrome128',
      loader: { '.ttf': 'file' },
      logLevel: 'error',
    });
    const args = ['--no-sandbox', '--allow-file-access-from-files', '--disable-gpu', '--disable-extensions'];
    const browser = await chromium.launch({ executablePath: browserPath ?? '', args, timeout: patience });
    return new Stage(browser, folder);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** @param state what an earlier page kept with `setState` */
  async show(name: string, theme: ThemeName, state?: unknown, size = { width: 1280, height: 900 }): Promise<Shown> {
    const { kind, variables } = themes[theme];
    const style = Object.entries(variables).map(([key, value]) => `--vscode-${key}: ${value};`);
    const html = `<!DOCTYPE html><html lang="en" style="${style.join(' ').replaceAll('"', "'")}"><head><meta charset="utf-8">
<link rel="stylesheet" href="${name}.css"></head><body class="${kind}"><div id="page"></div>
<script type="module" src="${name}.js"></script></body></html>`;
    const file = join(this.folder, `${name}-${theme}.html`);
    await writeFile(file, html);
    const page = await this.browser.newPage({ viewport: size });
    // A machine that is busy with a training run takes its time.
    page.setDefaultTimeout(patience);
    const shown = new Shown(page);
    await shown.start(pathToFileURL(file).href, state);
    return shown;
  }
}

/** A page on the stage. */
export class Shown {
  /** What went wrong in the page's script. */
  readonly errors: string[] = [];
  /** Requests of the page, in order. */
  readonly asked: { method: string; params: unknown }[] = [];
  /** What the page keeps. */
  kept: unknown;
  private readonly answers = new Map<string, Answer>();
  private url = '';

  constructor(readonly page: Page) {
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
  }

  answer<T extends RequestType>(type: T, answer: (params: ParamsOf<T>) => ResultOf<T> | Promise<ResultOf<T>>): this {
    this.answers.set(type.method, answer as Answer);
    return this;
  }

  /** Goes to the page; answers must be there before. */
  async load(): Promise<void> {
    await this.page.goto(this.url);
  }

  async tell<T extends NotificationType>(type: T, params: ParamsOf<T>): Promise<void> {
    await this.post({ kind: 'notification', method: type.method, params });
  }

  /** The text that can be seen. */
  text(selector = '#page'): Promise<string> {
    return this.page.locator(selector).innerText();
  }

  async start(url: string, state: unknown): Promise<void> {
    this.url = url;
    this.kept = state;
    await this.page.exposeFunction('fromPage', (message: FromPage) => this.receive(message));
    await this.page.exposeFunction('keepState', (value: unknown) => {
      this.kept = value;
    });
    // As text: what the loader of the tests makes of a function needs helpers that the page does not have.
    await this.page.addInitScript({
      content: `{
        let value = ${JSON.stringify(state ?? null)};
        window.acquireVsCodeApi = () => ({
          postMessage: (message) => window.fromPage(message),
          getState: () => value,
          setState: (next) => { value = next; window.keepState(next); },
        });
      }`,
    });
  }

  private async receive(message: FromPage): Promise<void> {
    if (message.kind === 'cancel') return;
    const { id, method, params } = message;
    this.asked.push({ method, params });
    const answer = this.answers.get(method);
    try {
      if (answer === undefined) throw { id: 'test.none', message: `no answer to ${method}`, remedy: 'Give one.' };
      await this.post({ kind: 'result', id, result: await answer(params as never) });
    } catch (error) {
      const { id: name = 'test', message: said = String(error), remedy = '' } = error as Record<string, string>;
      await this.post({ kind: 'failure', id, error: { id: name, message: said, remedy } });
    }
  }

  private async post(message: ToPage): Promise<void> {
    await this.page.evaluate((data) => window.postMessage(data, '*'), JSON.parse(JSON.stringify(message)) as unknown);
  }
}
