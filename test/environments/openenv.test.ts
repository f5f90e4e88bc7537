import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { serverAddress } from '../../server/environments/openenv/address.ts';
import { openenvEnvironment, openenvOptions } from '../../server/environments/openenv/openenv.ts';
import { Sessions } from '../../server/environments/sessions.ts';
import { type Mischief, OpenenvServer } from '../support/openenv-server.ts';

const task = { side: 'seen' } as const;
const make = (url: string, more: object = {}) =>
  openenvEnvironment(openenvOptions.parse({ url, stepMs: 5000, ...more }));

describe('an environment of OpenEnv', function () {
  this.timeout(30_000);
  let server: OpenenvServer;
  beforeEach(async () => {
    server = await OpenenvServer.start();
  });
  afterEach(() => server.stop());

  it('is reset, stepped and closed by the messages of its protocol', async () => {
    const environment = make(server.url);
    const world = environment.open();
    assert.equal(await world.reset(3, task), 'Seed 6. Guess.');
    assert.deepEqual(await world.step('4 ½ “é”'), { observation: '2 away after 1.', reward: 0, done: false, info: {} });
    assert.deepEqual(await world.step('x'.repeat(70_000)), {
      observation: 'No number.',
      reward: 0,
      done: false,
      info: {},
    });
    assert.deepEqual(await world.step('6'), { observation: '0 away after 3.', reward: 1, done: true, info: {} });
    assert.equal(await world.reset(3, { side: 'unseen' }), 'Seed 7. Guess.');
    await environment.close();
    assert.deepEqual(server.asked.slice(0, 2), [
      { type: 'reset', data: { seed: 6 } },
      { type: 'step', data: { message: '4 ½ “é”' } },
    ]);
    assert.deepEqual(server.asked[4], { type: 'close' });
  });

  it('shows the only text of an observation, the field that is named, or all of it', async () => {
    const answers: Mischief = (_, connection) => {
      const observation = { board: 'x.o', hint: 'go on', moves: [1, 2], metadata: { secret: 1 } };
      connection.send(JSON.stringify({ type: 'observation', data: { observation, reward: true, done: false } }));
      return true;
    };
    server.mischief = answers;
    const seen = async (more: object) => {
      const environment = make(server.url, more);
      try {
        return await environment.open().reset(0, task);
      } finally {
        await environment.close();
      }
    };
    assert.equal(await seen({ observation: 'board' }), 'x.o');
    assert.equal(await seen({}), '{"board":"x.o","hint":"go on","moves":[1,2]}');
    await assert.rejects(seen({ observation: 'moves' }), { id: 'environment.openenvBroken' });
  });

  it('opens no more sessions at once than it may, and lets others in when an episode is over', async () => {
    const environment = make(server.url, { sessions: 2 });
    const rewards = await Promise.all(
      Array.from({ length: 7 }, async (_, i) => {
        const world = environment.open();
        await world.reset(i, task);
        await world.step('1');
        return (await world.step(String(2 * i))).reward;
      }),
    );
    assert.deepEqual(rewards, [1, 1, 1, 1, 1, 1, 1]);
    assert(server.most <= 2, `${server.most}`);
    await environment.close();
  });

  const flood: Mischief = (_, connection) => {
    for (let i = 0; i < 2000; i++) connection.send('{"type":"observation","data":{"observation":{"text":"a"}}}');
    return true;
  };
  const says =
    (text: string | Buffer): Mischief =>
    (_, connection) => {
      connection.send(text);
      return true;
    };
  const lies = (data: object) => says(JSON.stringify({ type: 'observation', data }));
  const hostile: Record<string, [mischief: Mischief, id: string]> = {
    'floods with messages': [flood, 'environment.openenvBroken'],
    'floods with pings': [
      (_, connection) => {
        for (let i = 0; i < 500; i++) connection.ping();
        return true;
      },
      'environment.openenvBroken',
    ],
    'sends a message that is too long': [says('x'.repeat(2 * 1024 * 1024)), 'environment.openenvBroken'],
    'sends a long message in pieces': [
      (_, connection) => {
        for (let i = 0; i < 40; i++) connection.send('x'.repeat(50_000), { fin: false });
        return true;
      },
      'environment.openenvBroken',
    ],
    'sends bytes': [says(Buffer.from([1, 2, 3])), 'environment.openenvBroken'],
    'sends no JSON': [says('hello'), 'environment.openenvBroken'],
    'nests without end': [says('['.repeat(300_000) + ']'.repeat(300_000)), 'environment.openenvBroken'],
    'answers with another type': [says('{"type":"state","data":{}}'), 'environment.openenvBroken'],
    'has an observation that is a list': [lies({ observation: ['a'] }), 'environment.openenvBroken'],
    'has a reward that is a word': [lies({ observation: { text: 'a' }, reward: 'much' }), 'environment.openenvBroken'],
    'has a reward without end': [
      says('{"type":"observation","data":{"observation":{"text":"a"},"reward":1e999}}'),
      'environment.openenvBroken',
    ],
    'is done in words': [lies({ observation: { text: 'a' }, done: 'yes' }), 'environment.openenvBroken'],
    refuses: [
      says('{"type":"error","data":{"message":"full","code":"CAPACITY_REACHED"}}'),
      'environment.openenvRefused',
    ],
    hangs: [() => true, 'environment.late'],
    'closes in the middle of a message': [
      (_, connection) => {
        connection.send('{"type":"observation",', { fin: false });
        setTimeout(() => connection.terminate(), 20);
        return true;
      },
      'environment.openenvAway',
    ],
    closes: [
      (_, connection) => {
        connection.close();
        return true;
      },
      'environment.openenvAway',
    ],
  };
  for (const [name, [mischief, id]] of Object.entries(hostile)) {
    it(`that ${name} ends that episode with an error of the catalogue, and the next one is played`, async () => {
      const environment = make(server.url, { stepMs: name === 'hangs' ? 200 : 5000 });
      const world = environment.open();
      await world.reset(1, task);
      server.mischief = mischief;
      // What was not asked for is found when something is asked again.
      await assert.rejects(async () => [await world.step('1'), await world.step('1')], { id });
      server.mischief = () => false;
      const next = environment.open();
      assert.equal(await next.reset(1, task), 'Seed 2. Guess.');
      await environment.close();
    });
  }

  it('that takes nobody says why, where nothing was asked yet', async () => {
    server.mischief = (asked, connection) => {
      if (asked.type === 'reset')
        connection.send('{"type":"error","data":{"message":"no room","code":"CAPACITY_REACHED"}}');
      return asked.type === 'reset';
    };
    const environment = make(server.url);
    await assert.rejects(environment.open().reset(1, task), /no room \(CAPACITY_REACHED\)/);
    await environment.close();
  });

  it('is stopped with the signal', async () => {
    server.mischief = () => true;
    const environment = make(server.url);
    const stop = new AbortController();
    const asked = environment.open().reset(1, task, stop.signal);
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(asked, { name: 'AbortError' });
    await environment.close();
  });

  it('that is no such server, or none at all, is said to be that', async () => {
    const site = createServer((_, response) => response.end('a page'));
    const lying = createServer();
    lying.on('upgrade', (_, socket) => {
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n',
      );
    });
    const elsewhere = createServer();
    elsewhere.on('upgrade', (_, socket) => {
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${server.url}/ws\r\nContent-Length: 0\r\n\r\n`);
    });
    for (const [other, id] of [
      [site, 'environment.openenvBroken'],
      [elsewhere, 'environment.openenvBroken'],
      [lying, 'environment.openenvBroken'],
    ] as const) {
      await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
      const { port } = other.address() as AddressInfo;
      await assert.rejects(make(`http://127.0.0.1:${port}`).open().reset(1, task), { id });
      await new Promise((done) => other.close(done));
      await assert.rejects(make(`http://127.0.0.1:${port}`).open().reset(1, task), { id: 'environment.openenvAway' });
    }
    assert.deepEqual(server.asked, [], 'where it sent us on to');
  });

  it('that says nothing at the door is not waited for', async () => {
    const silent = createServer();
    const held: Duplex[] = [];
    silent.on('upgrade', (_, socket) => held.push(socket));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const { port } = silent.address() as AddressInfo;
    const world = make(`ws://127.0.0.1:${port}`, { stepMs: 200 }).open();
    await assert.rejects(world.reset(1, task), { id: 'environment.late' });
    for (const socket of held) socket.destroy();
    await new Promise((done) => silent.close(done));
  });
});

describe('addresses of OpenEnv servers', () => {
  it('are on this machine, or allowed by name', () => {
    for (const [written, url] of [
      ['ws://127.0.0.1:8000', 'ws://127.0.0.1:8000/ws'],
      ['http://localhost:8000/', 'ws://localhost:8000/ws'],
      ['https://[::1]:1/env/ws', 'wss://[::1]:1/env/ws'],
    ])
      assert.equal(serverAddress(written, {}).href, url);
    for (const host of ['example.org', '127.0.0.1.example.org', '0.0.0.0', '192.168.0.1', '[::2]', 'localhost.example'])
      assert.throws(() => serverAddress(`ws://${host}:80`, {}), { id: 'environment.openenvHost' });
    const allowed = { COLA_OPENENV_HOSTS: 'other, Example.org' };
    assert.equal(serverAddress('wss://example.ORG', allowed).href, 'wss://example.org/ws');
    assert.throws(() => serverAddress('wss://a.example.org', allowed), { id: 'environment.openenvHost' });
    for (const wrong of ['', 'nothing', 'file:///etc/passwd', 'ftp://127.0.0.1', 'ws://me:secret@127.0.0.1'])
      assert.throws(() => serverAddress(wrong, {}), { id: 'environment.openenvAddress' });
  });
});

describe('sessions', () => {
  it('are given to who waits, in turn, and never to who has left', async () => {
    const sessions = new Sessions(1);
    const leave = await sessions.enter();
    const stop = new AbortController();
    const gone = sessions.enter(stop.signal);
    const next = sessions.enter();
    stop.abort();
    await assert.rejects(gone, { name: 'AbortError' });
    leave();
    leave();
    (await next)();
    (await sessions.enter())();
  });
});
