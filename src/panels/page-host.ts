/** The extension's side of a page: its document, and typed messages both ways. */
import { randomBytes } from 'node:crypto';
import type { Disposable, Uri, Webview } from 'vscode';
import { protocolErrors } from '../../server/protocol/errors.ts';
import {
  type Answering,
  Channel,
  type Handler,
  type NotificationType,
  type ParamsOf,
  type RequestType,
} from '../../server/protocol/index.ts';
import type { Studio } from '../studio.ts';

/** Answers what a page asks. A message that cannot be understood is answered with an error and harms nothing. */
export class PageHost implements Answering, Disposable {
  private readonly channel: Channel;
  private readonly listening: Disposable;

  /** @param page name of the bundle, `dist/webview/<page>.js` with its style beside it */
  constructor(studio: Studio, webview: Webview, page: string, title: string) {
    const root = below(studio.context.extensionUri, 'dist/webview');
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    this.channel = new Channel({
      send: (message) => void webview.postMessage(message),
      log: (error) => studio.log.warn(`page ${page}: ${error.describe()}`),
    });
    this.listening = webview.onDidReceiveMessage((message: unknown) => this.channel.receive(message));
    webview.html = documentOf(webview, root, page, title);
  }

  answer<T extends RequestType>(type: T, handler: Handler<T>): void {
    this.channel.answer(type, handler);
  }

  tell<T extends NotificationType>(type: T, params: ParamsOf<T>): void {
    this.channel.tell(type, params);
  }

  /** A page that is gone hears nothing. */
  dispose(): void {
    this.channel.close(protocolErrors.cancelled());
    this.listening.dispose();
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
