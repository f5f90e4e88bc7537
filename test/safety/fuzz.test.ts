/**
 * A million messages in the slow form, to the engine, the language server and the host of pages: each request is answered once,
 * with a result or an error of the catalogue, none is a mistake of ours, and afterwards everything works as before. `COLA_SEED` takes
 * another seed; it stands in the name of each test.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Uri, Webview } from 'vscode';
import { Engine } from '../../server/engine/engine.ts';
import { protocolErrors } from '../../server/protocol/errors.ts';
import * as protocol from '../../server/protocol/index.ts';
import { Random } from '../../server/random.ts';
import { PageHost } from '../../src/panels/page-host.ts';
import type { Studio } from '../../src/studio.ts';
import { AnyMessage } from './any-message.ts';
import { needKnown, requests, serverAndClient } from './other-sides.ts';
import { record } from './results.ts';
import { settled } from './settled.ts';

const slow = process.env.COLA_SLOW === '1';
const seed = Number(process.env.COLA_SEED ?? 7);
const perChannel = Number(process.env.COLA_MESSAGES ?? (slow ? 340_000 : 2_000));
const batch = 200;
/** Code of JSON-RPC for a method that nobody answers: some requests are for another part. */
const notThere = -32601;

describe(`${3 * perChannel} messages, with seed ${seed}`, function () {
  this.timeout(3 * 3_600_000);
  let scratch = '';
  const before_ = process.cwd();
  before(() => {
    scratch = realpathSync(mkdtempSync(join(tmpdir(), 'cola-fuzz-')));
    // Names that are made up lead into this folder.
    process.chdir(scratch);
  });
  after(() => {
    process.chdir(before_);
    rmSync(scratch, { recursive: true, force: true });
  });

  /** What was written on the way: nothing but what a person could have asked for by name. */
  function assertLittleWritten(): void {
    const files = readdirSync(scratch, { recursive: true, encoding: 'utf8' });
    const bytes = files.reduce(
      (sum, file) => sum + (statSync(join(scratch, file), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
    assert.ok(bytes < 1e6, `${bytes} bytes in ${files.slice(0, 20).join(', ')}`);
  }

  const note = (part: string) => {
    if (slow) record(`fuzz ${part}`, { messages: perChannel, seed, mistakes: 0 });
  };

  it('to the engine', async () => {
    const any = new AnyMessage(new Random(seed));
    const answers = new Map<number, protocol.Message[]>();
    let nobodys = 0;
    const engine = new Engine((message) => {
      if (message.kind === 'notification') return;
      if (message.kind === 'progress') {
        assert.ok(!answers.has(message.id), 'what is under way has no answer yet');
        return;
      }
      if (message.id === null) nobodys++;
      else answers.set(message.id, [...(answers.get(message.id) ?? []), message]);
    });
    for (let sent = 0; sent < perChannel; ) {
      answers.clear();
      const asked = new Map<number, unknown>();
      for (let i = 0; i < batch; i++, sent++) {
        if (any.chance(0.15)) {
          engine.receive(
            any.chance(0.5)
              ? any.value()
              : { kind: any.pick(['request', 'cancel', 'result', 1]), id: any.value(1), method: any.value(1) },
          );
          continue;
        }
        const type = any.pick(requests);
        const message = {
          kind: 'request',
          id: sent + 1_000_000,
          method: any.chance(0.02) ? any.value(0) : type.method,
          params: any.like(type.params),
        };
        asked.set(message.id, message);
        engine.receive(message);
        if (any.chance(0.1)) engine.receive({ kind: 'cancel', id: message.id });
      }
      await settled(() => [...asked.keys()].filter((id) => !answers.has(id)).length);
      for (const [id, message] of asked) {
        const given = answers.get(id) ?? [];
        assert.equal(given.length, 1, `${given.length} answers to ${JSON.stringify(message).slice(0, 500)}`);
        if (given[0].kind === 'failure') needKnown(given[0].error.id, message);
      }
    }
    assert.ok(nobodys > 0, 'what is no request is answered to nobody');
    answers.clear();
    engine.receive({ kind: 'request', id: 1, method: protocol.ping.method, params: {} });
    await setImmediate();
    assert.equal(answers.get(1)?.[0].kind, 'result');
    await engine.close();
    assertLittleWritten();
    note('engine');
  });

  it('to the language server, about documents and all else', async () => {
    const any = new AnyMessage(new Random(seed + 1));
    const { client, close } = serverAndClient();
    await client.sendRequest('initialize', {
      processId: null,
      capabilities: {},
      rootUri: null,
      initializationOptions: { trusted: false },
    });
    await client.sendNotification('initialized', {});
    const uris = ['file:///a.cola.yaml', 'untitled:x', 'file:///dev/zero', 'x', `file://${scratch}/b.yaml`];
    const spec =
      'model: builtin:nano\nstages:\n  - clone: { data: a.txt, steps: 3 }\n  - reinforce:\n      prompts: b.jsonl\n      reward: { sum: [exact] }\n';
    const about = [
      'hover',
      'completion',
      'definition',
      'documentSymbol',
      'codeLens',
      'codeAction',
      'documentLink',
      'foldingRange',
      'formatting',
    ];
    const position = () => ({ line: any.random.integer(8), character: any.random.integer(30) });
    // What walks the folder of a workspace, and what starts the engine, is met by the engine's own test.
    const own = requests.filter(({ method }) => !/restart|shutdown|configure/.test(method));
    let version = 1;
    for (let sent = 0; sent < perChannel; ) {
      const waiting: Promise<void>[] = [];
      for (let i = 0; i < batch; i++, sent++) {
        const uri = any.pick(uris);
        const kind = any.random.integer(10);
        if (kind < 3) {
          const cut = any.random.integer(spec.length);
          const text = any.chance(0.3)
            ? String(any.value(0))
            : spec.slice(0, cut) + String(any.value(0)).slice(0, 80) + spec.slice(cut + any.random.integer(5));
          const changes = any.chance(0.5)
            ? [{ text }]
            : [{ range: { start: position(), end: position() }, text: text.slice(0, 20) }];
          const params =
            kind === 0
              ? { textDocument: { uri, languageId: 'cola-spec', version: version++, text } }
              : { textDocument: { uri, version: version++ }, contentChanges: changes };
          await client.sendNotification(
            kind === 0 ? 'textDocument/didOpen' : 'textDocument/didChange',
            any.chance(0.03) ? { a: any.value() } : params,
          );
        } else {
          const type = any.pick(own);
          const [method, params]: [string, unknown] =
            kind < 7
              ? [
                  `textDocument/${any.pick(about)}`,
                  any.chance(0.05)
                    ? { a: any.value() }
                    : {
                        textDocument: { uri },
                        position: position(),
                        range: { start: position(), end: position() },
                        context: { diagnostics: [] },
                      },
                ]
              : [type.method, any.like(type.params)];
          // JSON has no word for some of it.
          const question = client.sendRequest(method, JSON.parse(JSON.stringify(params ?? null)) as object).then(
            () => undefined,
            (error: { code?: number; message?: string; data?: { id?: unknown } }) => {
              if (method.startsWith('cola/') && error.code !== notThere) needKnown(error.data?.id, { method, params });
              // Its library's own: a method that is not there, and parameters that are none.
              else
                assert.ok(
                  [-32601, -32602, -32603, -32802, -32800].includes(error.code ?? 0),
                  JSON.stringify({ method, params, error }),
                );
            },
          );
          waiting.push(question);
        }
      }
      await Promise.all(waiting);
    }
    const text = 'stages: 3\n';
    await client.sendNotification('textDocument/didOpen', {
      textDocument: { uri: 'file:///last.cola.yaml', languageId: 'cola-spec', version: 1, text },
    });
    const status = await client.sendRequest(protocol.getStatus.method, {});
    protocol.getStatus.result.parse(status);
    await close();
    assertLittleWritten();
    note('language server');
  });

  it('to the host of pages', async () => {
    const any = new AnyMessage(new Random(seed + 2));
    const sent: protocol.Message[] = [];
    let listener: (message: unknown) => void = () => {};
    const uri = (path: string): Uri =>
      ({ path, with: (change: { path: string }) => uri(change.path), toString: () => path }) as unknown as Uri;
    const webview = {
      html: '',
      options: {},
      cspSource: 'x',
      asWebviewUri: (place: Uri) => place,
      onDidReceiveMessage: (own: (message: unknown) => void) => {
        listener = own;
        return { dispose() {} };
      },
      postMessage: async (message: protocol.Message) => {
        sent.push(message);
        return true;
      },
    } as unknown as Webview;
    let logged = 0;
    const log = { info: () => logged++, warn: () => logged++ };
    const host = new PageHost(
      { log, context: { extensionUri: uri('/x') } } as unknown as Studio,
      webview,
      'tree',
      'Tree',
    );
    let handled = 0;
    for (const type of requests)
      host.answer(type, async (params, signal) => {
        // What comes through is as the schema says, whoever asks.
        type.params.parse(params);
        handled++;
        if (handled % 3 === 0) throw protocolErrors.cancelled();
        signal.throwIfAborted();
        return {};
      });
    for (let count = 0; count < perChannel; ) {
      sent.length = 0;
      const asked = new Set<number>();
      for (let i = 0; i < batch; i++, count++) {
        const type = any.pick(requests);
        if (any.chance(0.2))
          listener(
            any.chance(0.5)
              ? any.value()
              : { kind: any.pick(['request', 'cancel', 'x']), id: any.value(1), method: any.value(1) },
          );
        else {
          asked.add(count + 1_000_000);
          listener({ kind: 'request', id: count + 1_000_000, method: type.method, params: any.like(type.params) });
        }
      }
      for (let i = 0; i < 4; i++) await setImmediate();
      for (const id of asked) assert.equal(sent.filter((each) => 'id' in each && each.id === id).length, 1);
      for (const each of sent) if (each.kind === 'failure') needKnown(each.error.id, each);
    }
    assert.ok(handled > perChannel / 20, `${handled} got through to a handler`);
    assert.ok(logged > 0);
    host.dispose();
    note('host of pages');
  });
});
