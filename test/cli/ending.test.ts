/** The command as a process that is ended from outside: by signals, and by those who read what it says. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunView, runFolder } from '../../server/store/run.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { program } from '../support/bundled.ts';

describe('cola as a process', function () {
  this.timeout(60_000);
  let folder = '';

  before(async function () {
    if (process.platform === 'win32') this.skip();
    folder = await temporaryFolder();
    await makeModel(join(folder, 'model'));
    await makeSpec(folder, './model', 5000);
  });
  after(() => removeFolder(folder));

  function begin(id: string, stdout: 'pipe' | number = 'pipe'): ChildProcess {
    const env = { ...process.env, NODE_OPTIONS: '' };
    const args = [program('cola'), 'train', 'tiny.cola.yaml', '--run', id];
    return spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', stdout, 'pipe'], env });
  }

  async function ended(child: ChildProcess): Promise<{ code: number | null; said: string }> {
    let said = '';
    child.stderr?.on('data', (text) => (said += text));
    const [code] = await once(child, 'exit');
    return { code, said };
  }

  /** Waits for the first checkpoint. */
  async function underWay(id: string): Promise<void> {
    const checkpoints = join(runFolder(folder, id), 'checkpoints');
    while (!existsSync(checkpoints) || readdirSync(checkpoints).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** The checkpoint is of the last step that was made. */
  function assertSaved(id: string): void {
    const path = runFolder(folder, id);
    const last = JSON.parse(readFileSync(join(path, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').at(-1)!);
    assert.equal(RunView.view(path).latestCheckpoint()?.step, last.step);
    assert.ok(!existsSync(join(path, 'model')));
    assert.ok(!existsSync(join(path, 'lock')));
  }

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    it(`saves on ${signal} and ends with ${code}`, async () => {
      const child = begin(signal);
      child.stdout?.resume();
      const end = ended(child);
      await underWay(signal);
      child.kill(signal);
      const { code: given, said } = await end;
      assert.equal(given, code);
      assert.match(said, new RegExp(`cola train --resume ${signal}`));
      assertSaved(signal);
    });
  }

  it('goes on to save when the signal comes twice, as from a shell and its terminal', async () => {
    const child = begin('twice');
    child.stdout?.resume();
    const end = ended(child);
    await underWay('twice');
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    child.kill('SIGHUP');
    // Which of two that come at once is seen first is the system's affair.
    const { code } = await end;
    assert.ok(code === 129 || code === 143, String(code));
    assertSaved('twice');
  });

  it('saves when nobody reads its output any more, and does not end well', async () => {
    const child = begin('head');
    const end = ended(child);
    child.stdout?.destroy();
    const { code } = await end;
    assert.equal(code, 74);
    assertSaved('head');
  });

  it('saves when nobody reads anything any more', async () => {
    const child = begin('silent');
    child.stdout?.destroy();
    child.stderr?.destroy();
    const [code] = await once(child, 'exit');
    assert.equal(code, 74);
    assertSaved('silent');
  });

  it('goes on when only its notes find no reader, and saves on SIGTERM', async () => {
    const child = begin('notes');
    child.stdout?.resume();
    child.stderr?.destroy();
    await underWay('notes');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    assert.equal(code, 143);
    assertSaved('notes');
  });

  it('saves when its output finds no room, and says so', async () => {
    if (!existsSync('/dev/full')) return;
    const full = openSync('/dev/full', 'w');
    const { code, said } = await ended(begin('full', full));
    closeSync(full);
    assert.equal(code, 74);
    assert.match(said, /ENOSPC.*\[cli\.output\]/);
    assertSaved('full');
  });
});
