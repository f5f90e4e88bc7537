/**
 * Messages to the handlers of all pages, as they are in the extension, with a real language server behind them and an editor
 * that notes what they make it do (editor/vscode.ts): each request is answered once, with a result or an error of the catalogue;
 * nothing is written but what a person chose, no command is run but those that pages have.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { node } from '../../scripts/bundles.mjs';
import type * as protocol from '../../server/protocol/index.ts';
import { Random } from '../../server/random.ts';
import { AnyMessage } from './any-message.ts';
import type * as editorModule from './editor/vscode.ts';
import { needKnown, requests, serverAndClient } from './other-sides.ts';
import { record } from './results.ts';
import { settled } from './settled.ts';

const slow = process.env.COLA_SLOW === '1';
const seed = Number(process.env.COLA_SEED ?? 7);
const perPage = Number(process.env.COLA_MESSAGES ?? (slow ? 85_000 : 2_000));
const batch = 100;
/** What pages make the editor do, and nothing else. */
const pageCommands = /^(cola\.(openTree|play|showActions|openDashboard|tuneFromPath)|revealFileInOS)$/;

type Parts = typeof import('./editor/handlers.ts');

describe(`${5 * perPage} messages to the handlers of pages, with seed ${seed}`, function () {
  this.timeout(3 * 3_600_000);
  let place = '';
  let project = '';
  let parts: Parts;
  let editor: typeof editorModule;
  let studio: unknown;
  let close = async () => {};
  const counts: Record<string, number> = {};

  before(async () => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'cola-page-fuzz-')));
    project = join(place, 'project');
    mkdirSync(project);
    const settings = { ...node, format: 'cjs', sourcemap: false } as const;
    const stand = join(place, 'node_modules/vscode/index.js');
    await build({ ...settings, entryPoints: ['test/safety/editor/vscode.ts'], outfile: stand });
    // The client of the language server is no part of a handler, and needs a whole editor.
    const bundled = join(place, 'handlers.cjs');
    const external = ['vscode', 'vscode-languageclient'];
    await build({ ...settings, external, entryPoints: ['test/safety/editor/handlers.ts'], outfile: bundled });
    await build({
      ...settings,
      stdin: { contents: 'module.exports = new Proxy({}, { get: () => class {} });', loader: 'js' },
      outfile: join(place, 'node_modules/vscode-languageclient/node.js'),
    });
    const load = createRequire(join(place, 'x.cjs'));
    editor = load('vscode') as typeof editorModule;
    parts = load('./handlers.cjs') as Parts;
    editor.openFolder(project);
    const server = serverAndClient();
    close = server.close;
    await server.client.sendRequest('initialize', {
      processId: null,
      capabilities: {},
      rootUri: null,
      initializationOptions: { trusted: true },
    });
    await server.client.sendNotification('initialized', {});
    studio = studioOn(server.client);
  });
  after(async () => {
    await close();
    rmSync(place, { recursive: true, force: true });
    if (slow) record('fuzz page handlers', { messages: 5 * perPage, seed, requestsOf: counts, mistakes: 0 });
  });

  /** As much of the extension as handlers know of: it asks the server, and has a log. */
  function studioOn(client: ReturnType<typeof serverAndClient>['client']): unknown {
    const quiet = () => {};
    const never = () => new editor.Disposable();
    return {
      log: { info: quiet, warn: quiet, error: quiet },
      context: {
        extensionUri: editor.Uri.file('/extension'),
        subscriptions: [],
        asAbsolutePath: (path: string) => path,
      },
      on: never,
      onServerUp: never,
      onStatus: never,
      onConnection: never,
      status: undefined,
      async request(type: protocol.RequestType, params: unknown) {
        try {
          // What JSON cannot say does not travel.
          const told = JSON.parse(JSON.stringify(params ?? null)) as object;
          return type.result.parse(await client.sendRequest(type.method, told));
        } catch (error) {
          const { data, message } = error as { data?: { id: string; remedy: string }; message: string };
          throw data === undefined ? error : parts.fromWire({ ...data, message });
        }
      },
    };
  }

  const run = () => ({ root: project, run: 'one' });
  const choice = () => ({ one: async () => run(), several: async () => [run(), { root: project, run: 'two' }] });
  const pages: Readonly<Record<string, () => void>> = {
    tree: () =>
      new parts.TreePanels(studio as never).show({
        key: { root: project, search: 's' },
        draft: { prompt: '', row: {}, language: '' },
      }),
    run: () =>
      void parts.runPanels(studio as never, choice() as never, { compare() {}, conversation() {} }).show(run()),
    actions: () => parts.actionsPanels(studio as never, { mark: async () => {} } as never).show(null),
    conversation: () =>
      void parts.conversationPanels(studio as never).show({
        kind: 'play',
        setup: { root: project, environment: 'guess-the-rule', seed: 1, side: 'seen', model: null },
        model: null,
      }),
    compare: () => void parts.comparePanels(studio as never, choice() as never).show([run()]),
  };

  for (const [index, [name, open]] of Object.entries(pages).entries()) {
    it(`of ${name}`, async () => {
      const any = new AnyMessage(new Random(seed + index));
      open();
      const page = editor.panels[editor.panels.length - 1];
      let id = 0;
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      type Answer = { kind: string; id?: number | null; error?: { id: string; message: string } };
      const answersTo = async (asked: readonly number[]): Promise<Map<number, Answer[]>> => {
        const answered = () => {
          const found = new Map<number, Answer[]>();
          for (const each of page.sent as unknown as Answer[])
            if (typeof each.id === 'number') found.set(each.id, [...(found.get(each.id) ?? []), each]);
          return found;
        };
        await settled(() => {
          const found = answered();
          return asked.filter((each) => !found.has(each)).length;
        });
        await turn();
        return answered();
      };
      // Which of all requests the page answers, it says itself.
      const own: protocol.RequestType[] = [];
      for (const type of requests) {
        page.sent.length = 0;
        page.receive({ kind: 'request', id: ++id, method: type.method, params: 7 });
        const [answer] = (await answersTo([id])).get(id) ?? [];
        if (answer?.error?.id !== 'protocol.method') own.push(type);
      }
      assert.ok(own.length >= 5, `${own.length} requests`);
      counts[name] = own.length;
      const ids = new Set(parts.knownErrorIds());
      let understood = 0;
      for (let sent = 0; sent < perPage; ) {
        page.sent.length = 0;
        const asked: number[] = [];
        for (let i = 0; i < batch; i++, sent++) {
          if (any.chance(0.1)) {
            page.receive(
              any.chance(0.5) ? any.value() : { kind: any.pick(['request', 'cancel', 'result']), id: any.value(1) },
            );
            continue;
          }
          const type = any.pick(own);
          page.receive({ kind: 'request', id: ++id, method: type.method, params: any.like(type.params) });
          asked.push(id);
          if (any.chance(0.05)) page.receive({ kind: 'cancel', id });
        }
        const answers = await answersTo(asked);
        for (const each of asked) assert.equal(answers.get(each)?.length, 1, `request ${each}`);
        for (const [answer] of answers.values()) {
          if (answer.kind === 'failure') needKnown(answer.error?.id, answer, ids);
          else understood++;
        }
      }
      assert.ok(understood > 0, 'some are understood');
    });
  }

  it('had the editor do nothing else', () => {
    const { journal } = editor;
    assert.deepEqual(
      [...new Set(journal.commands)].filter((name) => !pageCommands.test(name)),
      [],
    );
    assert.deepEqual(
      journal.written.filter((file) => !file.startsWith(`${project}/chosen-`)),
      [],
    );
    for (const { args } of journal.tasks)
      assert.ok(Array.isArray(args) && args.every((arg) => typeof arg === 'string'));
    assert.deepEqual(
      readdirSync(project).filter((name) => name !== '.cola'),
      [],
    );
  });
});
