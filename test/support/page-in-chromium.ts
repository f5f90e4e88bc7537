/** Built pages in a real browser, with the extension's own host on the other side, as the editor would show them. */
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type ConsoleMessage, chromium, type Page } from 'playwright-core';
import type { Uri, Webview } from 'vscode';
import { bundlePages } from '../../scripts/bundles.mjs';
import { findChromium, noChromium } from '../../scripts/tests/chromium.mjs';
import type {
  NotificationType,
  ParamsOf,
  ReceivedOf,
  RequestType,
  ResultOf,
} from '../../server/protocol/channel/request.ts';
import { PageHost } from '../../src/panels/page-host.ts';
import type { Studio } from '../../src/studio.ts';
import { type Theme, type ThemeName, themes } from './themes.ts';

const chromiumFile = findChromium();

/** Why no page can be opened; undefined where it can. */
export const chromiumMissing = (): string | undefined => (chromiumFile === undefined ? noChromium : undefined);

const origin = 'http://page.test';
/** What a page that is closed shows. */
const nothing = `${origin}/nothing`;
const types: Readonly<Record<string, string>> = { js: 'text/javascript', css: 'text/css', ttf: 'font/ttf' };
/** A busy machine may take its time, in milliseconds. */
const patience = { start: 180_000, step: 120_000 };

export function launchChromium(): Promise<Browser> {
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: chromiumFile ?? '',
    timeout: patience.start,
    args: ['--disable-gpu', ...(root ? ['--no-sandbox'] : [])],
  });
}

interface Size {
  readonly width: number;
  readonly height: number;
}

interface ShowOptions {
  readonly theme?: Theme | undefined;
  readonly size?: Size | undefined;
  readonly reducedMotion?: boolean | undefined;
  /** What an earlier page kept with `setState`. */
  readonly state?: unknown;
  /** Gives the host its answers. Called again after a reload. */
  readonly attach?: ((host: PageHost) => void) | undefined;
}

export interface PageOptions extends ShowOptions {
  /** Folder of the bundle, and its name. */
  readonly folder: string;
  readonly name: string;
  readonly attach: (host: PageHost) => void;
}

let shared: Promise<Stage> | undefined;

/** One browser with all pages, which opens them as often as tests want. */
export class Stage {
  /** Pages that were closed: to load another in one of them takes half as long as to make one. */
  private readonly idle: Page[] = [];

  private constructor(
    private readonly browser: Browser,
    private readonly folder: string,
    private readonly temporary: boolean,
  ) {}

  /** @param folder where the pages have been bundled to; without, they are bundled now */
  static async open(folder?: string): Promise<Stage> {
    const own = folder ?? (await mkdtemp(join(tmpdir(), 'cola-pages-')));
    if (folder === undefined) await bundlePages(own);
    return new Stage(await launchChromium(), own, folder === undefined);
  }

  /** That of the process, which its test files have one after the other; it ends with the process. */
  static async shared(): Promise<Stage> {
    if ((await shared)?.browser.isConnected() !== true) {
      shared = Stage.open();
      const { folder } = await shared;
      process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    }
    return shared as Promise<Stage>;
  }

  /** A page that has its theme, and is not loaded yet: it can be given answers. */
  async show(name: string, theme: ThemeName, state?: unknown, size?: Size): Promise<PageInChromium> {
    return this.prepare(name, { theme: themes[theme], state, size });
  }

  /** As {@link show}, with everything that can be chosen. */
  async prepare(name: string, options: ShowOptions): Promise<PageInChromium> {
    const page = this.idle.pop() ?? (await (await this.browser.newContext()).newPage());
    await page.setViewportSize(options.size ?? { width: 1280, height: 800 });
    await page.emulateMedia({ reducedMotion: options.reducedMotion === true ? 'reduce' : 'no-preference' });
    const leave = () => void this.idle.push(page);
    const shown = new PageInChromium(page, join(this.folder, 'webview'), name, options, leave);
    await shown.prepare();
    return shown;
  }

  async close(): Promise<void> {
    await this.browser.close();
    if (this.temporary) await rm(this.folder, { recursive: true, force: true });
  }
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
  /** Requests of the page, in order. */
  readonly asked: { readonly method: string; readonly params: unknown }[] = [];
  host!: PageHost;
  private readonly answers: ((host: PageHost) => void)[] = [];
  private receive: (message: unknown) => void = () => {};
  private stage: Stage | undefined;
  private closed = false;
  /** What was put into the page for this one. */
  private readonly parts: { dispose(): Promise<void> }[] = [];

  private readonly failed = (error: Error) => this.errors.push(error.stack ?? String(error));
  private readonly said = (message: ConsoleMessage) => {
    if (message.type() === 'error') this.errors.push(message.text());
  };

  /** @param leave what becomes of the page when this one is closed */
  constructor(
    readonly page: Page,
    private readonly folder: string,
    private readonly name: string,
    private readonly options: ShowOptions,
    private readonly leave: () => void,
  ) {
    page.setDefaultTimeout(patience.step);
    page.on('pageerror', this.failed);
    page.on('console', this.said);
  }

  /** A page that is loaded, in a browser of its own. */
  static async open({ folder, name, ...options }: PageOptions): Promise<PageInChromium> {
    const stage = await Stage.open(folder);
    const opened = await stage.prepare(name, options);
    opened.stage = stage;
    await opened.load();
    return opened;
  }

  answer<T extends RequestType>(type: T, answer: (params: ReceivedOf<T>) => ResultOf<T> | Promise<ResultOf<T>>): this {
    this.answers.push((host) => host.answer(type, async (params) => answer(params)));
    return this;
  }

  tell<T extends NotificationType>(type: T, params: ParamsOf<T>): void {
    this.host.tell(type, params);
  }

  /** Goes to the page; answers must be there before. */
  async load(): Promise<void> {
    await this.page.goto(`${origin}/`, { timeout: patience.start, waitUntil: 'commit' });
  }

  /** As when the window is reloaded: a new document, a new host, the state that was kept. */
  async reload(): Promise<void> {
    await this.page.reload();
  }

  /** As when the person chooses another theme while the page is open. */
  async wear(theme: ThemeName): Promise<void> {
    const { kind, variables } = themes[theme];
    const kinds = Object.values(themes).map((each) => each.kind);
    await this.page.evaluate(
      ([bodyClass, values, all]) => {
        const { style } = document.documentElement;
        for (const name of [...style]) if (name.startsWith('--vscode-')) style.removeProperty(name);
        for (const [name, value] of Object.entries(values)) style.setProperty(`--vscode-${name}`, value);
        document.body.classList.remove(...all);
        document.body.classList.add(bodyClass);
        // What is drawn in the theme's colours is drawn again in the next frame.
        return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      },
      [kind, variables, kinds] as const,
    );
  }

  /** The text that can be seen. */
  text(selector = '#page'): Promise<string> {
    return this.page.locator(selector).innerText();
  }

  /** What the page keeps, as JSON. */
  kept(): Promise<string | null> {
    return this.page.evaluate(() => sessionStorage.getItem('state'));
  }

  async close(): Promise<void> {
    const { page } = this;
    this.closed = true;
    this.host?.dispose();
    page.off('pageerror', this.failed);
    page.off('console', this.said);
    if (this.stage !== undefined) return this.stage.close();
    await page.goto(nothing);
    await page.evaluate(() => sessionStorage.clear());
    // It may stand over what is shown next.
    await page.mouse.move(0, 0);
    for (const part of this.parts) await part.dispose();
    this.leave();
  }

  /** Everything that must be there before the page is. */
  async prepare(): Promise<void> {
    const { page } = this;
    const sendToEditor = (message: unknown) => {
      const { kind, method, params } = message as { kind: string; method: string; params: unknown };
      if (kind === 'request') this.asked.push({ method, params });
      this.receive(message);
    };
    // What compiles the tests names functions with a helper that the page has not.
    this.parts.push(await page.addInitScript('globalThis.__name ??= (each) => each;'));
    this.parts.push(await page.exposeFunction('sendToEditor', sendToEditor), await this.playEditor());
    const served = page.route(`${origin}/**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname === '/' || this.closed) {
        await route.fulfill({ contentType: 'text/html', body: this.closed ? '' : this.document() });
        return;
      }
      const file = join(this.folder, pathname.replace('/dist/webview/', ''));
      const body = await readFile(file).catch(() => undefined);
      const contentType = types[file.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
      await (body === undefined ? route.fulfill({ status: 404 }) : route.fulfill({ contentType, body }));
    });
    this.parts.push(await served);
  }

  /** What the editor gives a page: its interface, the theme's variables, and the class of the body. */
  private playEditor(): Promise<{ dispose(): Promise<void> }> {
    const { kind, variables } = this.options.theme ?? themes.dark;
    return this.page.addInitScript(
      ([bodyClass, values, before]) => {
        const state = () => sessionStorage.getItem('state') ?? before;
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
      [kind, variables, this.options.state === undefined ? null : JSON.stringify(this.options.state)] as const,
    );
  }

  /** The document as the extension writes it, with a host that answers it. */
  private document(): string {
    const { page, options } = this;
    this.host?.dispose();
    let html = '';
    const webview = {
      cspSource: origin,
      asWebviewUri: (place: Uri) => place,
      onDidReceiveMessage: (listener: (message: unknown) => void) => {
        this.receive = listener;
        return { dispose: () => {} };
      },
      postMessage: async (message: unknown) => {
        if (this.closed || page.isClosed()) return false;
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
    this.host = new PageHost(studio, webview as unknown as Webview, this.name, 'Page');
    for (const answer of this.answers) answer(this.host);
    options.attach?.(this.host);
    return html;
  }
}
