/** The extension's side of a page: its document, and typed messages both ways. */
import { randomBytes } from 'node:crypto';
import type { Disposable, Uri, Webview } from 'vscode';
import { protocolErrors, toWire } from '../../server/protocol/errors.ts';
import {
  fromPage,
  type NotificationType,
  type ParamsOf,
  pageLog,
  type ReceivedOf,
  type RequestType,
  type ResultOf,
  type ToPage,
} from '../../server/protocol/index.ts';
import type { Studio } from '../studio.ts';

type Handler = (params: unknown, signal: AbortSignal) => Promise<unknown>;

/** Answers what a page asks. A message that cannot be understood is answered with an error and harms nothing. */
export class PageHost implements Disposable {
  private readonly handlers = new Map<string, { readonly type: RequestType; readonly handler: Handler }>();
  private readonly waiting = new Map<number, AbortController>();
  private readonly listening: Disposable;
  private disposed = false;

  /** @param page name of the bundle, `dist/webview/<page>.js` with its style beside it */
  constructor(
    private readonly studio: Studio,
    private readonly webview: Webview,
    page: string,
    title: string,
  ) {
    const root = below(studio.context.extensionUri, 'dist/webview');
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    this.listening = webview.onDidReceiveMessage((message: unknown) => void this.receive(message));
    this.answer(pageLog, async ({ text }) => {
      studio.log.info(`page ${page}: ${text}`);
      return {};
    });
    webview.html = documentOf(webview, root, page, title);
  }

  answer<T extends RequestType>(
    type: T,
    handler: (params: ReceivedOf<T>, signal: AbortSignal) => Promise<ResultOf<T>>,
  ): void {
    this.handlers.set(type.method, { type, handler: handler as Handler });
  }

  tell<T extends NotificationType>(type: T, params: ParamsOf<T>): void {
    this.post({ kind: 'notification', method: type.method, params });
  }

  dispose(): void {
    this.disposed = true;
    for (const controller of this.waiting.values()) controller.abort();
    this.waiting.clear();
    this.listening.dispose();
  }

  /** A page that is gone hears nothing. */
  private post(message: ToPage): void {
    if (!this.disposed) void this.webview.postMessage(message);
  }

  private async receive(message: unknown): Promise<void> {
    const parsed = fromPage.safeParse(message);
    if (!parsed.success) {
      this.studio.log.warn(`A message of a page cannot be understood: ${parsed.error.message}`);
      return;
    }
    const { kind, id } = parsed.data;
    if (kind === 'cancel') {
      this.waiting.get(id)?.abort(protocolErrors.cancelled());
      return;
    }
    const controller = new AbortController();
    this.waiting.set(id, controller);
    try {
      const known = this.handlers.get(parsed.data.method);
      if (known === undefined) throw protocolErrors.method(parsed.data.method);
      const params = known.type.params.safeParse(parsed.data.params ?? {});
      if (!params.success) {
        const [issue] = params.error.issues;
        throw protocolErrors.params(parsed.data.method, issue.path.join('.'), issue.message);
      }
      this.post({ kind: 'result', id, result: await known.handler(params.data, controller.signal) });
    } catch (error) {
      this.post({ kind: 'failure', id, error: toWire(error) });
    } finally {
      // A page may have used the number again.
      if (this.waiting.get(id) === controller) this.waiting.delete(id);
    }
  }
}

const below = (folder: Uri, path: string) => folder.with({ path: `${folder.path}/${path}` });

/** Scripts and styles of the extension alone, by nonce; nothing from anywhere else. */
function documentOf(webview: Webview, root: Uri, page: string, title: string): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string) => webview.asWebviewUri(below(root, name)).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource} 'unsafe-inline'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data:`,
    'worker-src blob:',
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title.replace(/[&<]/g, (char) => `&#${char.charCodeAt(0)};`)}</title>
<link rel="stylesheet" href="${file(`${page}.css`)}">
</head>
<body>
<div id="page"></div>
<script type="module" nonce="${nonce}" src="${file(`${page}.js`)}"></script>
</body>
</html>`;
}
