import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Uri, Webview } from 'vscode';
import { z } from 'zod';
import { knownErrorIds } from '../../server/errors.ts';
import { type Message, request, message as travelling } from '../../server/protocol/index.ts';
import { PageHost } from '../../src/panels/page-host.ts';
import type { Studio } from '../../src/studio.ts';

const runs = process.env.COLA_SLOW === undefined ? 200 : 10_000;

/** A place on disk as the editor has it, as far as a page's document needs one. */
const uri = (path: string): Uri =>
  ({ path, with: (change: { path: string }) => uri(change.path), toString: () => `file://${path}` }) as unknown as Uri;

/** What the editor gives a page: what the extension sends is kept, what a page sends is given to {@link send}. */
class Editor {
  readonly sent: Message[] = [];
  readonly logged: string[] = [];
  private listener: (message: unknown) => void = () => {};
  html = '';
  options = {};
  readonly cspSource = 'https://page.example';
  readonly asWebviewUri = (place: Uri) => place;
  readonly onDidReceiveMessage = (listener: (message: unknown) => void) => {
    this.listener = listener;
    return { dispose: () => {} };
  };

  readonly postMessage = async (message: unknown) => {
    this.sent.push(travelling.parse(JSON.parse(JSON.stringify(message))));
    return true;
  };

  send(message: unknown): void {
    this.listener(message);
  }

  open(title = 'Page'): PageHost {
    const log = { info: (text: string) => this.logged.push(text), warn: (text: string) => this.logged.push(text) };
    const studio = { log, context: { extensionUri: uri('/extension') } } as unknown as Studio;
    return new PageHost(studio, this as unknown as Webview, 'tree', title);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const double = request('test/double', z.strictObject({ number: z.number() }), z.object({ number: z.number() }));
const wait = request('test/wait', z.strictObject({}), z.object({}));

describe('the host of a page', () => {
  it('answers what it knows, each question once', async () => {
    const editor = new Editor();
    editor.open().answer(double, async ({ number }) => ({ number: 2 * number }));
    for (const id of [0, 1]) editor.send({ kind: 'request', id, method: double.method, params: { number: 21 + id } });
    await settle();
    assert.deepEqual(editor.sent, [
      { kind: 'result', id: 0, result: { number: 42 } },
      { kind: 'result', id: 1, result: { number: 44 } },
    ]);
  });

  it('cancels the question it is told to, and all of them when the page closes', async () => {
    const editor = new Editor();
    const ended: string[] = [];
    const host = editor.open();
    host.answer(wait, (_, signal) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          ended.push('aborted');
          reject(signal.reason);
        });
      });
    });
    for (const id of [0, 1]) editor.send({ kind: 'request', id, method: wait.method, params: {} });
    editor.send({ kind: 'cancel', id: 1 });
    await settle();
    assert.deepEqual(
      editor.sent.map((message) => message.kind === 'failure' && [message.id, message.error.id]),
      [[1, 'protocol.cancelled']],
    );
    host.dispose();
    await settle();
    assert.equal(ended.length, 2);
    assert.equal(editor.sent.length, 1, 'a page that is gone is sent nothing');
  });

  it('takes no message for more than it is', async () => {
    const method = fc.oneof(fc.constantFrom(double.method, wait.method, 'page/none', '__proto__'), fc.string());
    const message = fc.oneof(
      fc.anything({ withNullPrototype: true, withBigInt: true, withTypedArray: true }),
      fc.record(
        { kind: fc.constantFrom('request', 'cancel', 'result'), id: fc.anything(), method, params: fc.anything() },
        { requiredKeys: [] },
      ),
      fc.record({ kind: fc.constant('request'), id: fc.nat(), method, params: fc.anything() }),
      fc.record({ kind: fc.constant('cancel'), id: fc.nat() }),
    );
    const known = new Set(knownErrorIds());
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 5 }), async (messages) => {
        const editor = new Editor();
        const host = editor.open();
        host.answer(double, async ({ number }) => ({ number: 2 * number }));
        host.answer(wait, async () => ({}));
        for (const each of messages) editor.send(each);
        await settle();
        for (const answer of editor.sent) {
          if (answer.kind === 'failure') assert.ok(known.has(answer.error.id), answer.error.id);
        }
        editor.sent.length = 0;
        editor.send({ kind: 'request', id: 7, method: double.method, params: { number: 4 } });
        await settle();
        assert.deepEqual(editor.sent, [{ kind: 'result', id: 7, result: { number: 8 } }]);
        host.dispose();
      }),
      { numRuns: runs },
    );
  });

  it('lets nothing into the document but scripts with its nonce, and text as text', () => {
    const editor = new Editor();
    editor.open('<script>alert(1)</script> & more');
    assert.match(editor.html, /default-src 'none'/);
    const nonce = /script-src 'nonce-([^']+)'/.exec(editor.html)?.[1];
    assert.ok(nonce !== undefined && nonce.length >= 22);
    assert.deepEqual(editor.html.match(/<script[^>]*nonce="([^"]+)"/g)?.length, 1);
    assert.equal(editor.html.match(/<script/g)?.length, 1);
    assert.ok(editor.html.includes('&#60;script>alert(1)&#60;/script> &#38; more'));
    assert.ok(!/https?:\/\/(?!page\.example)/.test(editor.html));
  });
});
