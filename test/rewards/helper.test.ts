import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ColaError } from '../../server/errors.ts';
import { parseRewardSpec } from '../../server/rewards/index.ts';
import { Helper, HelperPool } from '../../server/rewards/process/helper.ts';
import { markOf, newMarkName } from '../../server/rewards/process/process-tree.ts';
import { bundle } from '../support/bundled.ts';

const helperFile = () => pathToFileURL(bundle('helper')).href;

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a helper process', () => {
  let folder: string;
  const module = (name: string, source: string): string => {
    const path = join(folder, name);
    writeFileSync(path, source);
    return path;
  };
  const open = (argument: string) => new Helper({ name: 'test', program: 'module-worker', argument, trusted: true });
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'helper-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('answers one question after the other, each with its own limit', async () => {
    const helper = open(
      module('wait.mjs', 'export default async (ms) => { await new Promise((r) => setTimeout(r, ms)); return ms }'),
    );
    const all = await Promise.all([10, 700, 20].map((ms) => helper.ask(ms, 500)));
    assert.deepEqual(all, [{ kind: 'answer', value: 10 }, { kind: 'late' }, { kind: 'answer', value: 20 }]);
    await helper.close();
  });

  it('is killed by an abort, and by closing', async () => {
    const helper = open(module('loop.mjs', 'export default (x) => { if (x) for (;;) {} return process.pid }'));
    const first = await helper.ask(0, 5000);
    assert.ok(first.kind === 'answer');
    const controller = new AbortController();
    const looping = helper.ask(1, 60_000, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await assert.rejects(looping, /enough/);
    assert.equal(alive(Number(first.value)), false);
    const second = await helper.ask(0, 5000);
    assert.ok(second.kind === 'answer' && second.value !== first.value);
    const closed = helper.ask(1, 60_000);
    await sleep(50);
    await helper.close();
    assert.equal((await closed).kind, 'ended');
    assert.equal(alive(Number(second.value)), false);
    await assert.rejects(helper.ask(0, 100), ColaError);
    await assert.rejects(open('x').ask(0, 100, AbortSignal.abort(new Error('before'))), /before/);
  });

  /** A module whose child and whose detached child, which has left the group, stay behind; it answers with their ids. */
  const spawning = `import { spawn } from 'node:child_process';
    const stay = (detached) => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore', detached }).pid;
    export default (x) => { if (x === 'loop') for (;;) {} if (x === 'exit') process.exit(3); if (x === 'abort') process.abort();
      return [process.pid, stay(false), stay(true)]; };`;

  it('has bits that no other process has: what had them would end with it', async function () {
    if (process.platform !== 'linux') this.skip();
    const bitsOf = (name: string) => Number(name.split(':')[1]);
    const other = spawn('/bin/sleep', ['600']);
    try {
      const bits = bitsOf(newMarkName());
      const { filter } = markOf(`x:${bits}`, other.pid, 'new');
      assert.equal(filter, bits);
      // As many as there are, in turn.
      const names = Array.from({ length: 512 }, newMarkName);
      assert.ok(new Set(names.map(bitsOf)).size > 400);
      assert.ok(!names.some((name) => bitsOf(name) === bits));
    } finally {
      other.kill();
      await once(other, 'exit');
    }
  });

  it('takes what has left it with an environment of its own, and whose parents have ended', async function () {
    if (process.platform !== 'linux') this.skip();
    const path = module(
      'leaving.mjs',
      `import { execFileSync } from 'node:child_process';
      export default (x) => { if (x === 'exit') process.exit(0);
        const run = (command, args) => execFileSync(command, args, { env: {}, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return Number(run('/usr/bin/setsid', ['/bin/sh', '-c', '/bin/sleep 600 > /dev/null & echo $!'])); };`,
    );
    for (const way of ['exit', 'close']) {
      const helper = open(path);
      const first = await helper.ask('start', 20_000);
      assert.ok(first.kind === 'answer' && alive(Number(first.value)), JSON.stringify(first));
      if (way === 'exit') assert.equal((await helper.ask('exit', 20_000)).kind, 'ended');
      await helper.close();
      await gone([Number(first.value)]);
    }
  });
  const pidsOf = async (helper: Helper): Promise<number[]> => {
    const first = await helper.ask('start', 20_000);
    assert.ok(first.kind === 'answer' && Array.isArray(first.value));
    await sleep(100);
    const pids = first.value.map(Number);
    assert.deepEqual(pids.map(alive), [true, true, true]);
    return pids;
  };
  const gone = async (pids: readonly number[]) => {
    for (let i = 0; i < 200 && pids.some(alive); i += 1) await sleep(50);
    assert.deepEqual(
      pids.map(alive),
      pids.map(() => false),
    );
  };

  for (const way of ['loop', 'exit', 'abort', 'close']) {
    it(`takes all that it started with it: ${way}`, async () => {
      const helper = open(module('spawning.mjs', spawning));
      const pids = await pidsOf(helper);
      if (way !== 'close') assert.notEqual((await helper.ask(way, 300)).kind, 'answer');
      await helper.close();
      await gone(pids);
    });
  }

  it('does not survive an engine that is killed while it is busy, and takes all that it started with it', async () => {
    const path = module('spawning.mjs', spawning);
    const engine = module(
      'killed.mjs',
      `import { Helper } from ${JSON.stringify(helperFile())};
      const helper = new Helper({ name: 'test', program: 'module-worker', argument: ${JSON.stringify(path)}, trusted: true });
      const { value } = await helper.ask('start', 20000);
      process.send(value);
      await helper.ask('loop', 600000);`,
    );
    const child = fork(engine, { execArgv: [] });
    const [pids] = await once(child, 'message');
    await sleep(200);
    assert.deepEqual(pids.map(alive), [true, true, true]);
    child.kill('SIGKILL');
    await gone(pids);
  });

  it('sees little of the environment, and what it is allowed to', async () => {
    const path = module('env.mjs', 'export default () => Object.keys(process.env)');
    process.env.COLA_TEST_SECRET = 'secret';
    process.env.COLA_TEST_KEY = 'key';
    try {
      const helper = new Helper({
        name: 'test',
        program: 'module-worker',
        argument: path,
        trusted: true,
        env: ['COLA_TEST_KEY', 'COLA_TEST_NOWHERE'],
      });
      const { value } = { value: undefined, ...(await helper.ask(0, 20_000)) };
      assert.ok(Array.isArray(value));
      assert.ok(value.includes('PATH') && value.includes('COLA_TEST_KEY'));
      assert.ok(!value.includes('COLA_TEST_SECRET') && !value.includes('COLA_TEST_NOWHERE'));
      await helper.close();
    } finally {
      delete process.env.COLA_TEST_SECRET;
      delete process.env.COLA_TEST_KEY;
    }
    assert.throws(() => parseRewardSpec({ module: { path: 'x.mjs', env: ['A=B'] } }), { id: 'reward.badSpec' });
  });

  it('in a pool does not hold up others', async () => {
    const argument = module('slow.mjs', 'export default (x) => { if (x === 0) for (;;) {} return x }');
    const pool = new HelperPool({ name: 'test', program: 'module-worker', argument, trusted: true }, 2);
    const enough = new AbortController();
    let over = false;
    const slow = pool.ask(0, 100_000, enough.signal).finally(() => {
      over = true;
    });
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map((x) => pool.ask(x, 20_000)));
    assert.equal(over, false);
    assert.deepEqual(
      others.map((outcome) => outcome.kind === 'answer' && outcome.value),
      [1, 2, 3, 4, 5, 6],
    );
    enough.abort(new Error('enough'));
    await assert.rejects(slow, /enough/);
    await pool.close();
  });

  it('does not keep an engine alive that has nothing left to do', async () => {
    const path = module('rest.mjs', 'export default (x) => x');
    const engine = module(
      'leave.mjs',
      `import { Helper } from ${JSON.stringify(helperFile())};
      const helper = new Helper({ name: 'test', program: 'module-worker', argument: ${JSON.stringify(path)}, trusted: true });
      await helper.ask(7, 5000);`,
    );
    const child = fork(engine, { execArgv: [] });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });
});
