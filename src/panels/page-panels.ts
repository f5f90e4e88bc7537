/** Pages in the editor area: opened once a subject, found again, and back after the window was reloaded. */
import { type Disposable, Uri, ViewColumn, type WebviewPanel, window } from 'vscode';
import { z } from 'zod';
import type { Studio } from '../studio.ts';
import { PageHost } from './page-host.ts';

/** What a kind of page is. `S` is what a page is about, and must outlive a reload as JSON. */
export interface PageKind<S> {
  /** Also the name in the editor's list of panels that come back: `cola.tree`. Declare it in `activationEvents`. */
  readonly viewType: string;
  /** Bundle, `dist/webview/<page>.js`. */
  readonly page: string;
  /** Checks what the page has kept. Where it does not fit any more the page opens with {@link nothing}. */
  readonly subject: z.ZodType<S>;
  readonly nothing: S;
  title(subject: S): string;
  /** Two subjects with the same key share a page. undefined: always a page of its own. */
  key(subject: S): string | undefined;
  /** Answers the page. What is returned ends with it. */
  attach(page: OpenPage<S>): Disposable;
}

/** A page that is open. */
export interface OpenPage<S> {
  readonly host: PageHost;
  readonly panel: WebviewPanel;
  subject: S;
  /** Gives the page another subject: its title follows, and it is found by the new key. */
  turnTo(subject: S): void;
}

/** What a page keeps with `setState`: what it is about, and how it shows it. */
const kept = z.object({ subject: z.unknown() });

/**
 * The pages of one kind. State lives in the page's `setState`, not in a hidden page: a page that is hidden is gone, and asks
 * for everything again when it is shown.
 */
export class PagePanels<S> {
  private readonly open = new Set<OpenPage<S>>();

  constructor(
    private readonly studio: Studio,
    private readonly kind: PageKind<S>,
  ) {
    const serializer = {
      deserializeWebviewPanel: async (panel: WebviewPanel, state: unknown) => {
        const subject = kind.subject.safeParse(kept.safeParse(state).data?.subject);
        this.attach(panel, subject.success ? subject.data : kind.nothing);
      },
    };
    studio.context.subscriptions.push(window.registerWebviewPanelSerializer(kind.viewType, serializer));
  }

  /** Every page that is open. */
  get pages(): readonly OpenPage<S>[] {
    return [...this.open];
  }

  /** The page of the subject, brought to the front; a new one where there is none. */
  show(subject: S, column: ViewColumn = ViewColumn.Active): OpenPage<S> {
    const key = this.kind.key(subject);
    const found = key === undefined ? undefined : this.pages.find((page) => this.kind.key(page.subject) === key);
    if (found !== undefined) {
      found.panel.reveal();
      return found;
    }
    const { viewType, title } = this.kind;
    return this.attach(window.createWebviewPanel(viewType, title(subject), column, {}), subject);
  }

  private attach(panel: WebviewPanel, subject: S): OpenPage<S> {
    const { studio, kind } = this;
    const title = kind.title(subject);
    panel.title = title;
    // An image of a tab is not coloured by the theme.
    const icon = (ground: 'light' | 'dark') =>
      Uri.joinPath(studio.context.extensionUri, 'assets', `page-${ground}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    const host = new PageHost(studio, panel.webview, kind.page, title);
    const page: OpenPage<S> = {
      host,
      panel,
      subject,
      turnTo(next) {
        page.subject = next;
        panel.title = kind.title(next);
      },
    };
    this.open.add(page);
    const attached = kind.attach(page);
    panel.onDidDispose(() => {
      this.open.delete(page);
      attached.dispose();
      host.dispose();
    });
    return page;
  }
}
