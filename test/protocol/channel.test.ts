import assert from 'node:assert/strict';
import { z } from 'zod';
import type { ColaError } from '../../server/errors.ts';
import { serverErrors } from '../../server/language/errors.ts';
import { Channel, type Message, mostUnderWay, nothing, notification, request } from '../../server/protocol/index.ts';

/** One of the catalogue, as they go over a channel. */
const refusal = serverErrors.untrusted('A shelf');
const number = z.strictObject({ number: z.number() });
const double = request('test/double', number, number);
const count = request('test/count', number, nothing, number);
const wait = request('test/wait', nothing, nothing);
const happened = notification('test/happened', number);

/** Two ends, with JSON between them. */
class Pair {
  readonly sent: Message[] = [];
  readonly logged: string[] = [];
  readonly asking: Channel = this.end(() => this.answering);
  readonly answering: Channel = this.end(() => this.asking);

  end(other: () => Channel, first = 0): Channel {
    return new Channel({
      send: (message) => {
        this.sent.push(message);
        const text = JSON.stringify(message);
        queueMicrotask(() => other().receive(JSON.parse(text)));
      },
      log: ({ id }: ColaError) => this.logged.push(id),
      first,
    });
  }
}

const failsWith = (id: string) => (error: unknown) => (error as ColaError).id === id;

describe('a channel', () => {
  it('asks and answers in both directions at once', async () => {
    const { asking, answering } = new Pair();
    answering.answer(double, async ({ number: n }) => ({ number: 2 * n }));
    asking.answer(double, async ({ number: n }) => ({ number: 3 * n }));
    const both = [asking.ask(double, { number: 7 }), answering.ask(double, { number: 7 })];
    assert.deepEqual(await Promise.all(both), [{ number: 14 }, { number: 21 }]);
    assert.equal(asking.busy, false);
  });

  it('carries an error with its sentence and its remedy', async () => {
    const { asking, answering } = new Pair();
    answering.answer(wait, async () => {
      throw refusal;
    });
    const error = await asking.ask(wait, {}).then(
      () => assert.fail('it was answered'),
      (thrown: ColaError) => thrown,
    );
    assert.deepEqual([error.id, error.message, error.remedy], [refusal.id, refusal.message, refusal.remedy]);
  });

  it('refuses what has no answer, what is asked wrongly, and an answer that is none', async () => {
    const { asking, answering } = new Pair();
    await assert.rejects(asking.ask(wait, {}), failsWith('protocol.method'));
    answering.answer(double, async () => ({ number: 'many' }) as never);
    await assert.rejects(asking.ask(double, { number: 'x' as never }), failsWith('protocol.params'));
    await assert.rejects(asking.ask(double, { number: 1 }), failsWith('protocol.result'));
  });

  it('says how far an answer is, to whoever asked and before the answer', async () => {
    const pair = new Pair();
    const { asking, answering } = pair;
    answering.answer(count, async ({ number: n }, _signal, tell) => {
      for (let i = 1; i <= n; i++) tell({ number: i });
      return {};
    });
    const heard: number[] = [];
    const others = asking.ask(count, { number: 2 });
    await asking.ask(count, { number: 3 }, { progress: ({ number: n }) => heard.push(n) });
    await others;
    assert.deepEqual(heard, [1, 2, 3]);
    asking.receive({ kind: 'progress', id: 99, progress: { number: 1 } });
    assert.deepEqual(pair.logged, []);
  });

  it('breaks off what nobody waits for, with the reason of whoever asked', async () => {
    const { asking, answering } = new Pair();
    let ended: unknown;
    answering.answer(
      wait,
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            ended = signal.reason;
            reject(signal.reason);
          });
        }),
    );
    const controller = new AbortController();
    const asked = asking.ask(wait, {}, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(asked, /enough/);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(failsWith('protocol.cancelled')(ended));
    await assert.rejects(asking.ask(wait, {}, { signal: controller.signal }), /enough/);
  });

  it('tells everyone who listens, once checked, until they stop', () => {
    const pair = new Pair();
    const heard: number[] = [];
    const stop = pair.asking.on(happened, ({ number: n }) => heard.push(n));
    pair.asking.on(happened, ({ number: n }) => heard.push(10 * n));
    pair.asking.receive({ kind: 'notification', method: happened.method, params: { number: 1 } });
    pair.asking.receive({ kind: 'notification', method: happened.method, params: { number: 'no' } });
    stop();
    pair.asking.receive({ kind: 'notification', method: happened.method, params: { number: 2 } });
    pair.asking.receive({ kind: 'notification', method: 'test/unknown', params: {} });
    assert.deepEqual(heard, [1, 10, 20]);
    assert.deepEqual(pair.logged, ['protocol.params']);
  });

  it('tells whoever waits why it was closed, and is silent from then on', async () => {
    const pair = new Pair();
    const { asking, answering } = pair;
    let aborted = false;
    answering.answer(wait, (_, signal) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason);
        });
      });
    });
    const asked = asking.ask(wait, {});
    await new Promise((resolve) => setImmediate(resolve));
    const before = pair.sent.length;
    asking.close(refusal);
    await assert.rejects(asked, failsWith('server.untrusted'));
    await assert.rejects(asking.ask(wait, {}), failsWith('server.untrusted'));
    answering.close(refusal);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(aborted);
    assert.equal(pair.sent.length, before);
  });

  it('has a bound on what is under way', async () => {
    const sent: Message[] = [];
    const channel = new Channel({ send: (message) => sent.push(message), log() {} });
    channel.answer(wait, () => new Promise(() => {}));
    for (let id = 0; id < mostUnderWay; id++) channel.receive({ kind: 'request', id, method: wait.method, params: {} });
    assert.equal(sent.length, 0);
    channel.receive({ kind: 'request', id: mostUnderWay, method: wait.method, params: {} });
    assert.equal(sent[0].kind === 'failure' && sent[0].error.id, 'protocol.tooMany');
    channel.receive({ kind: 'request', id: 0, method: wait.method, params: {} });
    assert.ok(sent[1].kind === 'failure' && sent[1].id === null, 'a number in use');
  });

  it('takes no answer for one that an end before it had asked for', async () => {
    const pair = new Pair();
    const answers: (() => void)[] = [];
    pair.answering.answer(double, ({ number: n }) => {
      return new Promise((resolve) => answers.push(() => resolve({ number: n })));
    });
    let page = pair.end(() => pair.answering, 1000);
    (pair as { asking: Channel }).asking = page;
    page.ask(double, { number: 1 }).catch(() => {});
    // The page is loaded anew, and begins elsewhere.
    page = pair.end(() => pair.answering, 5000);
    (pair as { asking: Channel }).asking = page;
    const asked = page.ask(double, { number: 2 });
    await new Promise((resolve) => setImmediate(resolve));
    for (const answer of answers) answer();
    assert.deepEqual(await asked, { number: 2 });
  });
});
