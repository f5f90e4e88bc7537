import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { z } from 'zod';
import { Engine } from '../../server/engine/engine.ts';
import { knownErrorIds } from '../../server/errors.ts';
import { type Message, message as travelling } from '../../server/protocol/channel/channel.ts';
import type { RequestType } from '../../server/protocol/channel/request.ts';
import { fromWire, toWire } from '../../server/protocol/errors.ts';
import * as protocol from '../../server/protocol/index.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

const runs = process.env.COLA_SLOW === undefined ? 150 : 5000;

const isRequest = (value: unknown): value is RequestType =>
  typeof value === 'object' && value !== null && 'result' in value && 'method' in value;
const requests: RequestType[] = (Object.values(protocol) as unknown[]).filter(isRequest);
/** Those that the language server answers itself. */
const elsewhere = [
  'cola/status',
  'cola/configure',
  'cola/engine/restart',
  'cola/data/files',
  'cola/data/inspect',
  'cola/run/list',
  'cola/run/name',
  'cola/model/list',
  'cola/model/current',
  'cola/run/details',
  'cola/run/note',
  'cola/run/metrics',
  'cola/run/samples',
  'cola/run/compare',
  'cola/feedback/note',
  'cola/feedback/list',
  'cola/feedback/correct',
  'cola/feedback/erase',
  'cola/feedback/action',
  'cola/feedback/path',
  'cola/policy/prefer',
  'cola/spec/docs',
  'cola/versions/list',
  'cola/versions/choose',
];
const methods = requests
  .map(({ method }) => method)
  // What a page asks is answered by the extension.
  .filter((method) => !elsewhere.includes(method) && !method.startsWith('page/'));

describe('requests', () => {
  it('name no folder by an empty text, which would be the one that the server was started in', () => {
    let folders = 0;
    for (const { method, params } of requests) {
      if (!(params instanceof z.ZodObject)) continue;
      const { root, roots } = params.shape as Record<string, z.ZodType | undefined>;
      for (const [schema, value] of [
        [root, ''],
        [roots, ['']],
      ] as const) {
        if (schema === undefined) continue;
        folders++;
        assert.equal(schema.safeParse(value).success, false, method);
      }
    }
    assert.ok(folders >= 10, `${folders}`);
  });
});

describe('messages to the engine', () => {
  let folder = '';
  let engine: Engine;
  const sent: Message[] = [];
  let arrived = () => {};

  before(async () => {
    folder = await temporaryFolder();
    engine = new Engine((message) => {
      // As it arrives on the other side.
      sent.push(travelling.parse(JSON.parse(JSON.stringify(message))));
      arrived();
    });
    const params = { folder: await makeModel(join(folder, 'model')), device: 'cpu', threads: 1 };
    engine.receive({ kind: 'request', id: 0, method: 'cola/model/load', params });
    await answer((message) => message.kind === 'result' && message.id === 0);
  });
  after(async () => {
    await engine.close();
    await removeFolder(folder);
  });

  async function answer(wanted: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const at = sent.findIndex(wanted);
      if (at >= 0) return sent.splice(at, 1)[0];
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
  }

  /** Names of the values a request takes. */
  const fieldsOf = (schema: z.ZodType) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []);

  const known = (message: Message) => {
    assert.equal(message.kind, 'failure');
    if (message.kind !== 'failure') return;
    assert.ok(knownErrorIds().includes(message.error.id), message.error.id);
    assert.notEqual(message.error.id, 'protocol.internal', message.error.message);
    assert.ok(message.error.message.length > 0 && message.error.remedy.length > 0);
  };

  it('has a name of its own for each request, and an answer for each', async () => {
    const names = requests.map(({ method }) => method);
    assert.equal(new Set(names).size, names.length);
    for (const [i, method] of methods.entries()) {
      // None of them is happy with a text, and none is unknown.
      engine.receive({ kind: 'request', id: 100 + i, method, params: 'text' });
      const found = await answer((message) => message.kind === 'failure' && message.id === 100 + i);
      known(found);
      assert.ok(found.kind === 'failure' && found.error.id === 'protocol.params', method);
    }
  });

  it('answers garbage with an error of the catalogue', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything({ withNullPrototype: true, withBigInt: false }), async (garbage) => {
        if (travelling.safeParse(garbage).success) return;
        sent.length = 0;
        engine.receive(garbage);
        known(await answer((message) => message.kind === 'failure'));
      }),
      { numRuns: runs },
    );
  });

  it('answers every request with garbage inside once, with a result or an error of the catalogue', async () => {
    let id = 1000;
    let results = 0;
    const key = fc.record({ run: fc.constantFrom('r', ''), search: fc.constantFrom('s', 's2', '../s') });
    const small = fc.integer({ min: -1, max: 9 });
    const rewards = fc.oneof(fc.constantFrom('repetition', 'exact', 'none'), fc.jsonValue({ maxDepth: 2 }));
    const options = fc.oneof(fc.record({ max_new: small, breadth: small }, { requiredKeys: [] }), fc.jsonValue());
    const ownFields = {
      prefix: fc.string(),
      prompt: fc.string(),
      specFile: fc.constantFrom('none.yaml', ''),
      reward: rewards,
      options,
      node: small,
      action: small,
      mark: fc.constantFrom('force', 'ban', 'release', 'x'),
      simulations: fc.integer({ min: 0, max: 3 }),
      score: fc.oneof(fc.constant(null), fc.double()),
    };
    const shapes = new Map(requests.map(({ method, params }) => [method, fieldsOf(params)]));
    // Only what leaves the disk and the model alone.
    const harmless = methods.filter((method) => !/model\/(un)?load$/.test(method));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...harmless), fc.record(ownFields), fc.jsonValue(), key, async (...drawn) => {
        const [method, fields, garbage, names] = drawn;
        const own = id++;
        const root = join(folder, 'none');
        // Mostly what the request takes, so that it gets past the schema; at times anything.
        const fitting = Object.fromEntries(
          Object.entries({ ...names, ...fields, root }).filter(([name]) => shapes.get(method)?.includes(name)),
        );
        const merged = own % 4 === 0 ? garbage : fitting;
        engine.receive({ kind: 'request', id: own, method, params: merged });
        const first = await answer((message) => message.kind !== 'notification' && message.id === own);
        if (first.kind === 'failure') known(first);
        else results++;
        assert.ok(!sent.some((message) => message.kind !== 'notification' && message.id === own), 'answered twice');
      }),
      { numRuns: runs },
    );
    assert.ok(results > runs / 20, `only ${results} requests got past the first check`);
  });

  it('refuses a number that is in use, and takes word of a request nobody knows', async () => {
    const params = { prefix: 'const a = ', maxTokens: 64 };
    engine.receive({ kind: 'request', id: 7, method: 'cola/complete', params });
    engine.receive({ kind: 'request', id: 7, method: 'cola/complete', params });
    known(await answer((message) => message.kind === 'failure' && message.id === null));
    engine.receive({ kind: 'cancel', id: 999_999 });
    await answer((message) => message.kind === 'result' && message.id === 7);
  });

  it('breaks a request off when word comes that nobody waits for it', async () => {
    engine.receive({ kind: 'request', id: 8, method: 'cola/complete', params: { prefix: 'a', maxTokens: 512 } });
    engine.receive({ kind: 'cancel', id: 8 });
    const found = await answer((message) => message.kind !== 'notification' && message.id === 8);
    assert.ok(found.kind === 'failure' && found.error.id === 'protocol.cancelled');
  });

  it('carries errors unchanged', () => {
    const error = fromWire({ id: 'a.b', message: 'What happened.', remedy: 'What to do.' });
    assert.deepEqual(toWire(error), { id: 'a.b', message: 'What happened.', remedy: 'What to do.' });
    assert.equal(toWire(new TypeError('x is not a function')).id, 'protocol.internal');
  });
});
