/** Whatever a file that is called a run spec holds: the language server answers, and goes on. */
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { getStatus } from '../../server/protocol/status.ts';
import { hostile, large } from '../spec/hostile-texts.ts';
import { SpecClient } from './spec-client.ts';

/** Of a very busy machine: what it takes alone is measured by `npm run bench -- requests`. What is refused late takes minutes. */
const soon = 15_000;
const position = { line: 0, character: 1 };
const methods = ['codeLens', 'documentSymbol', 'completion', 'hover', 'documentLink', 'codeAction'];
const paramsOf = (method: string) =>
  method === 'codeAction'
    ? { range: { start: position, end: position }, context: { diagnostics: [] } }
    : method === 'completion' || method === 'hover'
      ? { position }
      : {};

describe('a run spec that is too much for a parser', function () {
  this.timeout(120_000);
  let client: SpecClient;
  before(async () => {
    client = await SpecClient.start();
  });
  after(async () => {
    assert.equal(await client.stop(), 0);
  });

  for (const [at, [name, text]] of Object.entries({ ...hostile, ...large }).entries()) {
    it(`gets answers: ${name}`, async () => {
      const uri = `file:///nowhere/${at}.cola.yaml`;
      await client.open(uri, text);
      for (const method of methods) {
        const { answer, took } = await client.ask(`textDocument/${method}`, uri, paramsOf(method));
        assert.ok(answer !== undefined && took < soon, `${method}: ${took} ms`);
        if (name in hostile && method !== 'completion') assert.deepEqual(answer ?? [], [], method);
      }
      const found = await client.underlined(uri);
      assert.ok(found.length >= 1 && found.length <= 200);
      await client.connection.sendNotification('textDocument/didClose', { textDocument: { uri } });
      assert.ok(client.running);
    });
  }

  it('can be typed into without a queue of work, and others are answered meanwhile', async () => {
    const uri = 'file:///nowhere/typed.cola.yaml';
    await client.open(uri, hostile['comments of 5 MB']!);
    const waits: number[] = [];
    const last = process.env.COLA_SLOW === '1' ? 101 : 41;
    for (let version = 2; version <= last; version++) {
      await client.type(uri, version, 'x');
      if (version % 20 === 0) {
        waits.push((await client.ask('textDocument/completion', uri, { position })).took);
        const from = performance.now();
        await client.connection.sendRequest(getStatus.method, {});
        waits.push(performance.now() - from);
      }
    }
    assert.ok(Math.max(...waits) < soon, waits.join());
    const [first] = await client.underlined(uri, last);
    assert.ok(String(first!.message).endsWith(`at most 131072 characters and has ${5_000_000 + last - 1}`));
  });
});
