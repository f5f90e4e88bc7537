import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Environment, World } from '../../server/environments/environment.ts';
import { BrokenLine, LineCutter, messagesIn } from '../../server/environments/mcp/lines.ts';
import { mcpEnvironment, mcpOptions } from '../../server/environments/mcp/mcp.ts';
import { writtenCall } from '../../server/environments/tools.ts';
import { createReward, type RewardSpec } from '../../server/rewards/index.ts';

const script = join(import.meta.dirname, '../support/mcp-server.mjs');
const seen = { side: 'seen' } as const;
const unseen = { side: 'unseen' } as const;
const tasks = {
  seen: [
    { prompt: 'What is 2 + 3?', row: { answer: '5' } },
    { prompt: 'What is 4 + 4?', row: { answer: '8' } },
  ],
  unseen: [{ prompt: 'What is 1 + 1?', row: {} }],
};

async function open(mischief: string, more: object = {}, reward: RewardSpec = 'numeric'): Promise<Environment> {
  const command = [process.execPath, script, ...(mischief === '' ? [] : [mischief])];
  const options = mcpOptions.parse({ command, prompts: 'tasks.jsonl', reward, ...more });
  return mcpEnvironment(options, import.meta.dirname, tasks, await createReward(reward));
}

async function started(environment: Environment): Promise<World> {
  const world = environment.open();
  await world.reset(0, seen);
  return world;
}

const call = (world: World, name: string, given: object = {}) => world.step(writtenCall(name, { ...given }));

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('an environment of MCP tools', function () {
  this.timeout(60_000);

  describe('of a server that keeps to the protocol', () => {
    let environment: Environment;
    let folder = '';
    before(async () => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), 'cola-mcp-')));
      process.env.COLA_TEST_SEEN = 'yes';
      process.env.COLA_TEST_HIDDEN = 'no';
      environment = await open('', { folder, env: ['COLA_TEST_SEEN'] });
    });
    after(async () => {
      await environment.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it('has its tools, from all pages, with the schemas of their arguments', () => {
      assert.deepEqual(
        environment.tools.map(({ name }) => name),
        ['add', 'count', 'fail', 'show', 'figures', 'environment', 'heard', 'flood', 'child'],
      );
      assert.deepEqual(environment.tools[0], {
        name: 'add',
        description: 'Adds two numbers.',
        parameters: {
          type: 'object',
          properties: { a: { type: 'number' }, b: { type: 'number' } },
          required: ['a', 'b'],
        },
      });
      assert.equal(environment.name, `${basename(process.execPath)} ${script}`);
    });

    it('begins with the prompt of a row, passes calls on, and judges the answer by the reward', async () => {
      assert.deepEqual([environment.tasks, environment.range], [tasks, [0, 1]]);
      const world = environment.open();
      assert.equal(await world.reset(3, seen), 'What is 4 + 4?');
      assert.deepEqual(await call(world, 'add', { a: 4, b: 4 }), {
        observation: '8',
        reward: 0,
        done: false,
        info: { possible: true },
      });
      assert.deepEqual(await world.step('So it is 8.'), {
        observation: 'Right.',
        reward: 1,
        done: true,
        info: { solved: true },
      });
      assert.equal((await world.step('8')).done, true);
      assert.equal(await world.reset(0, seen), 'What is 2 + 3?');
      assert.deepEqual(await world.step('6'), {
        observation: 'Reward 0.',
        reward: 0,
        done: true,
        info: { solved: false },
      });
      // It is told its task where it has not the file.
      assert.equal(await world.reset(0, { ...seen, written: { prompt: 'Seven?', row: { answer: 7 } } }), 'Seven?');
      assert.equal((await world.step('7')).reward, 1);
      assert.equal(await world.reset(5, unseen), 'What is 1 + 1?');
      await assert.rejects(world.step('2'), { id: 'environment.unjudged' });
      await world.close();
    });

    it('says to the agent what it may not call and what went wrong, and goes on', async () => {
      const world = await started(environment);
      const said = async (text: string) => (await world.step(text)).observation;
      assert.match(await said(writtenCall('divide', {})), /^There is no such tool\. There are: add, count, /);
      assert.match(await said('<tool_call>{"name": add}</tool_call>'), /cannot be read/);
      assert.deepEqual(await call(world, 'add', { a: 'four' }), {
        observation: 'Error: These are no such arguments.',
        reward: 0,
        done: false,
        info: { possible: false },
      });
      assert.equal((await call(world, 'fail')).observation, 'It went wrong.');
      assert.equal((await call(world, 'show')).observation, 'one\n(image, which is not shown)\ntwo\nfile:///three');
      assert.equal((await call(world, 'figures')).observation, '{"sum":3}');
      await world.close();
    });

    it('is greeted once, asks for roots in vain, and has its pings answered', async () => {
      const world = await started(environment);
      await call(world, 'count');
      const heard = JSON.parse((await call(world, 'heard')).observation);
      assert.deepEqual(heard, [
        { protocolVersion: '2025-06-18', capabilities: {} },
        'notifications/initialized',
        { id: 'p', result: {} },
        { id: 'r', code: -32_601 },
      ]);
      await world.close();
    });

    it('sees few variables and those that are named, in its own folder', async () => {
      const world = await started(environment);
      const [variables, cwd] = JSON.parse((await call(world, 'environment')).observation);
      assert.equal(cwd, folder);
      assert.equal(variables.COLA_TEST_SEEN, 'yes');
      assert.equal(variables.COLA_TEST_HIDDEN, undefined);
      assert.equal(variables.PATH, process.env.PATH);
      await world.close();
    });

    it('is a new one for every episode, and ends with all that it started', async () => {
      const [first, second] = [await started(environment), await started(environment)];
      const counts = async (world: World) => (await call(world, 'count')).observation;
      assert.deepEqual([await counts(first), await counts(first), await counts(second)], ['1', '2', '1']);
      await first.reset(0, seen);
      assert.equal(await counts(first), '1');
      const file = join(folder, 'pid');
      await call(first, 'child', { file });
      const pid = Number(readFileSync(file, 'utf8'));
      assert(alive(pid));
      await first.close();
      // The system takes a moment to bury it.
      for (let i = 0; alive(pid) && i < 100; i++) await sleep(20);
      assert(!alive(pid));
      await second.close();
    });
  });

  it('is the example of the documentation', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/environments.md'), 'utf8');
    const [, example] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'cola-mcp-'));
    writeFileSync(join(folder, 'shop.mjs'), example);
    const environment = await open('', { command: ['node', 'shop.mjs'], folder });
    const world = await started(environment);
    assert.equal((await call(world, 'price', { thing: 'bread' })).observation, '5');
    await environment.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('may go on with a server that another episode has left, and has no more of them than are allowed', async () => {
    const environment = await open('', { reuse: true, servers: 1, tools: ['count'] });
    try {
      assert.deepEqual(
        environment.tools.map(({ name }) => name),
        ['count'],
      );
      const [first, second] = [await started(environment), await started(environment)];
      assert.match((await call(first, 'add', { a: 1, b: 1 })).observation, /no such tool/);
      assert.equal((await call(first, 'count')).observation, '1');
      // The second waits for it.
      const waiting = call(second, 'count');
      await first.step('5');
      assert.equal((await waiting).observation, '2');
    } finally {
      await environment.close();
    }
  });

  it('counts the tokens of an answer where a model wrote it', async () => {
    const reward = { length: { max: 5 } } as const;
    const environment = await open('', {}, reward);
    const world = await started(environment);
    assert.equal((await world.step('five', undefined, { tokens: 6, finished: true })).reward, 0);
    await world.reset(0, seen);
    assert.equal((await world.step('five', undefined, { tokens: 5, finished: true })).reward, 1);
    await environment.close();
  });

  describe('of a server that is not as it should be', () => {
    const atStart: Record<string, [id: string, said: RegExp]> = {
      'initialize:hang': ['environment.mcpStart', /it was not ready after 400 ms/],
      'initialize:end': ['environment.mcpStart', /exit code 3, and it said: I have had enough/],
      'initialize:print': ['environment.mcpBroken', /something else than a message: Starting up!/],
      'initialize:refuse': ['environment.mcpBroken', /it refused initialize: No such thing/],
      'initialize:revision': ['environment.mcpBroken', /speaks the revision 1999-01-01/],
      'tools/list:pages': ['environment.mcpBroken', /its list of tools has no end/],
      'tools/list:crowd': ['environment.mcpTools', /has 65 tools/],
      'tools/list:refuse': ['environment.mcpBroken', /it refused tools\/list/],
    };
    for (const [mischief, [id, said]] of Object.entries(atStart)) {
      it(`${mischief}: is refused`, async () => {
        const startMs = mischief.endsWith('hang') ? 400 : 30_000;
        await assert.rejects(open(mischief, { startMs }), (error: Error & { id: string }) => {
          assert.equal(error.id, id);
          assert.match(error.message, said);
          return true;
        });
      });
    }

    it('that there is not, in a folder that there is not, or without the tool that is named, is refused', async () => {
      await assert.rejects(open('', { command: ['cola-no-such-program'] }), { id: 'environment.mcpStart' });
      await assert.rejects(open('', { command: ['node', 'a\0b'] }), { id: 'environment.mcpStart' });
      for (const folder of ['nowhere', 'mcp.test.ts'])
        await assert.rejects(open('', { folder }), { id: 'environment.mcpFolder' });
      await assert.rejects(open('', { tools: ['add', 'subtract'] }), /has no tool called "subtract"/);
    });

    it('is found by a path that begins in its folder, and no shell reads its arguments', async () => {
      const node = `./${basename(process.execPath)}`;
      const command = [node, script, '$(touch x); "a b" > c'];
      const environment = await open('', { command, folder: dirname(process.execPath) });
      await environment.close();
    });

    const later: Record<string, string> = {
      hang: 'environment.late',
      end: 'environment.mcpEnded',
      print: 'environment.mcpBroken',
      long: 'environment.mcpBroken',
      endless: 'environment.mcpBroken',
      many: 'environment.mcpBroken',
      number: 'environment.mcpBroken',
      words: 'environment.mcpBroken',
      other: 'environment.late',
    };
    for (const [mischief, id] of Object.entries(later)) {
      it(`${mischief}: costs its episode an error of the catalogue, and the next is begun`, async () => {
        const environment = await open(mischief, { stepMs: id.endsWith('late') ? 300 : 30_000, servers: 1 });
        try {
          const world = await started(environment);
          await assert.rejects(call(world, 'add', { a: 1, b: 1 }), { id });
          // There is room for another.
          const next = await started(environment);
          if (mischief === 'hang') await assert.rejects(call(next, 'add', { a: 1, b: 1 }), { id });
          assert.equal((await next.step('5')).reward, 1);
        } finally {
          await environment.close();
        }
      });
    }

    it('is stopped with the signal', async () => {
      const environment = await open('hang');
      const world = await started(environment);
      const stop = new AbortController();
      const asked = world.step(writtenCall('count', {}), stop.signal);
      setTimeout(() => stop.abort(), 50);
      await assert.rejects(asked, { name: 'AbortError' });
      await environment.close();
    });
  });
});

describe('lines of JSON-RPC', () => {
  it('are cut where they end, however they arrive, and refused where they are too long', () => {
    const bytes = Buffer.from('{"a":"é"}\r\n\n[1]\nrest');
    for (let size = 1; size <= bytes.length; size++) {
      const cutter = new LineCutter(11);
      const lines: string[] = [];
      for (let from = 0; from < bytes.length; from += size)
        lines.push(...cutter.cut(bytes.subarray(from, from + size)));
      assert.deepEqual(lines, ['{"a":"é"}', '[1]'], `${size}`);
      assert.deepEqual([...cutter.cut(Buffer.from('\n'))], ['rest']);
    }
    assert.throws(() => [...new LineCutter(3).cut(Buffer.from('abcd'))], BrokenLine);
  });

  it('hold one message, or several', () => {
    assert.equal(messagesIn('[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","id":1,"result":{}}]').length, 2);
    for (const wrong of [
      ...['1', 'null', '{}', '[1]', '{', 'hello', '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","id":1}'],
      ...['{"jsonrpc":"1.0","id":1,"result":{}}', '{"jsonrpc":"2.0","id":{},"result":{}}'],
      ...['{"jsonrpc":"2.0","id":1,"result":["a"]}', '{"jsonrpc":"2.0","id":1,"error":"no"}'],
      `{"jsonrpc":"2.0","id":1,"result":{"a":${'['.repeat(5000)}${']'.repeat(5000)}}}`,
    ])
      assert.throws(() => messagesIn(wrong), BrokenLine, wrong);
  });

  it('are messages or broken, whatever is in them', () => {
    const valid = fc.constantFrom<unknown>('2.0', 1, null, { code: 1, message: 'a' }, [], {}, 'tools/call');
    const key = fc.constantFrom('jsonrpc', 'id', 'method', 'params', 'result', 'error', 'other');
    const one = fc.dictionary(key, fc.oneof(valid, fc.jsonValue()));
    const line = fc.oneof(
      fc.string(),
      fc.oneof(one, fc.array(one), fc.jsonValue()).map((each) => JSON.stringify(each)),
    );
    fc.assert(
      fc.property(line, (text) => {
        try {
          for (const message of messagesIn(text)) assert.equal(message.jsonrpc, '2.0');
        } catch (error) {
          assert(error instanceof BrokenLine);
        }
      }),
    );
  });
});
