import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ColaError } from '../../server/errors.ts';
import { Helper } from '../../server/rewards/helper.ts';

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const helperFile = new URL('../../server/rewards/helper.ts', import.meta.url).href;

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

  it('does not survive an engine that is killed while it is busy', async () => {
    const path = module('busy.mjs', 'export default (x) => { if (x) for (;;) {} return process.pid }');
    const engine = module(
      'engine.mjs',
      `import { Helper } from ${JSON.stringify(helperFile)};
      const helper = new Helper({ name: 'test', program: 'module-worker', argument: ${JSON.stringify(path)}, trusted: true });
      const { value } = await helper.ask(0, 5000);
      process.send(value);
      await helper.ask(1, 600000);`,
    );
    const child = fork(engine, { execArgv: ['--import', tsx] });
    const [pid] = await once(child, 'message');
    await sleep(100);
    assert.equal(alive(pid), true);
    child.kill('SIGKILL');
    for (let i = 0; i < 100 && alive(pid); i += 1) await sleep(50);
    assert.equal(alive(pid), false);
  });

  it('does not keep an engine alive that has nothing left to do', async () => {
    const path = module('rest.mjs', 'export default (x) => x');
    const engine = module(
      'leave.mjs',
      `import { Helper } from ${JSON.stringify(helperFile)};
      const helper = new Helper({ name: 'test', program: 'module-worker', argument: ${JSON.stringify(path)}, trusted: true });
      await helper.ask(7, 5000);`,
    );
    const child = fork(engine, { execArgv: ['--import', tsx] });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });
});
