/** Runs that the system gives too little: one sentence, no exit code 0, and a run that goes on as if nothing had been. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRun } from '../../server/protocol/runs.ts';
import { runFolder } from '../../server/store/run.ts';
import { makeModel, makeSpec } from '../engine/tiny-model.ts';
import { bundle } from '../support/bundled.ts';
import { InProcess } from '../support/in-process.ts';

const linux = process.platform === 'linux';
const prlimit = '/usr/bin/prlimit';
const steps = 300;

describe('what the system allows', function () {
  this.timeout(180_000);
  let root = '';
  let tooLarge = '';

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-limits-'));
    const model = await makeModel(join(root, 'model'));
    const spec = await makeSpec(root, model, steps);
    tooLarge = join(root, 'large.cola.yaml');
    writeFileSync(join(root, 'short.cola.yaml'), readFileSync(spec, 'utf8').replace(`steps: ${steps}`, 'steps: 5'));
    // Far more than any machine has; and there are no data, so that it ends at once where it is begun all the same.
    const large = readFileSync(spec, 'utf8').replace('batch: 2, length: 16', 'batch: 200000, length: 1024');
    writeFileSync(tooLarge, large.replace('data: corpus.txt', 'data: nowhere.txt'));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  /** @param allowed what the shell is told first, such as `ulimit -n 40` */
  function start(args: readonly string[], allowed = ':', env: NodeJS.ProcessEnv = {}): ChildProcess {
    const command = `${allowed}; exec "$@"`;
    return spawn('/bin/sh', ['-c', command, 'sh', process.execPath, bundle('cola'), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_V8_COVERAGE: undefined, NODE_OPTIONS: '', ...env },
    });
  }

  /** The exit code, or the signal that ended it, and all that was said. */
  async function ended(child: ChildProcess): Promise<{ code: number | string | null; said: string }> {
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += text));
    return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code: code ?? signal, said })));
  }

  const train = (...args: string[]) => ended(start(['train', ...args]));

  /** Waits until a run has so many steps, or its process has ended. */
  async function reached(run: string, step: number, child: ChildProcess): Promise<void> {
    const file = join(runFolder(root, run), 'metrics.jsonl');
    while (child.exitCode === null && !(existsSync(file) && readFileSync(file, 'utf8').includes(`{"step":${step},`)))
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** What a run came to: its log without what depends on the clock and the memory, and its weights. */
  function outcome(run: string): string[] {
    const folder = runFolder(root, run);
    const metrics = readFileSync(join(folder, 'metrics.jsonl'), 'utf8');
    const weights = readdirSync(join(folder, 'model')).filter((name) => name.endsWith('.safetensors'));
    return [
      metrics.replace(/"(seconds|memory)[^,}]*,?/g, ''),
      ...weights.map((name) => readFileSync(join(folder, 'model', name)).toString('base64')),
    ];
  }

  /** Goes on with a run that was ended, and holds it against one that never was. */
  async function assertGoesOn(run: string): Promise<void> {
    const { code, said } = await train('--resume', run);
    assert.equal(code, 0, said);
    if (!existsSync(runFolder(root, 'whole'))) assert.equal((await train('tiny.cola.yaml', '--run', 'whole')).code, 0);
    assert.deepEqual(outcome(run), outcome('whole'));
  }

  it('refuses a run that takes more memory than is free, with the figures, and leaves nothing behind', async () => {
    const { code, said } = await train('large.cola.yaml', '--run', 'large');
    assert.equal(code, 2);
    assert.match(
      said,
      /not enough memory for this run: "clone: training 200000 x 1024" takes about \d+\.\d\d GB, and \d+\.\d\d GB are/,
    );
    assert.match(said, /cola train with --anyway/);
    assert.ok(!existsSync(runFolder(root, 'large')));
    const anyway = await train('large.cola.yaml', '--run', 'large', '--anyway');
    assert.match(anyway.said, /\[data\.missingFile\]/);
  });

  it('asks in the editor: the engine refuses unless it is told to begin anyway', async () => {
    const engine = new InProcess();
    const params = { root, run: 'asked', specFile: tooLarge };
    await assert.rejects(engine.ask(startRun, params), { id: 'train.tooLarge' });
    await engine.ask(startRun, { ...params, anyway: true });
    await engine.until(() => engine.events.some((event) => JSON.stringify(event).includes('nowhere.txt')));
    await engine.engine.close();
  });

  (linux ? it : it.skip)('says that too few files may be open, before anything is begun', async () => {
    for (const files of [24, 60, 100]) {
      const child = start(['train', 'tiny.cola.yaml', '--run', 'files'], `ulimit -n ${files}`);
      const { code, said } = await ended(child);
      assert.equal(code, 2, said);
      assert.match(
        said,
        /^The system lets this program have no more files open\.\n.*ulimit -n 1024.*\n\[limits\.openFiles\]\n$/,
      );
    }
    assert.ok(!existsSync(runFolder(root, 'files')));
  });

  (linux ? it : it.skip)('says that there are too few addresses, and what it says helps', async () => {
    const child = start(['train', 'short.cola.yaml', '--run', 'narrow'], 'ulimit -v 4000000');
    const { code, said } = await ended(child);
    assert.equal(code, 2, said);
    assert.match(said, /\[limits\.addresses\]\n$/);
    const [, name, value] = /`export (NODE_OPTIONS)=(\S+)`/.exec(said) ?? [];
    const second = start(['train', 'short.cola.yaml', '--run', 'narrow'], 'ulimit -v 4000000', { [name]: value });
    const { code: good, said: then } = await ended(second);
    assert.equal(good, 0, then);
  });

  (linux && existsSync(prlimit) ? it : it.skip)('loses nothing when files run out on the way', async () => {
    const child = start(['train', 'tiny.cola.yaml', '--run', 'fewer']);
    const end = ended(child);
    await reached('fewer', 12, child);
    execFileSync(prlimit, ['--pid', String(child.pid), '--nofile=10']);
    const { code, said } = await end;
    assert.equal(code, 2, said);
    assert.match(said, /\[limits\.openFiles\]\n$/);
    await assertGoesOn('fewer');
  });

  (linux && existsSync(prlimit) ? it : it.skip)('loses nothing when memory runs out on the way', async () => {
    // A run may come to its end with what it has: another is tried then.
    for (let attempt = 0; attempt < 6; attempt++) {
      const run = `less-${attempt}`;
      const child = start(['train', 'tiny.cola.yaml', '--run', run]);
      const end = ended(child);
      await reached(run, 2 + 2 * attempt, child);
      const [, kilobytes] = /VmSize:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      // Below what it has, so that the next request is refused, however small.
      execFileSync(prlimit, ['--pid', String(child.pid), `--as=${Number(kilobytes) * 512}`]);
      const { code, said } = await end;
      if (/^Model: /m.test(said)) continue;
      assert.notEqual(code, 0, said);
      // V8 ends its process, the runtime and node throw: whoever meets the end first.
      assert.match(said, /\[(limits\.memory|limits\.addresses|device\.outOfMemory|cli\.died)\]\n$/);
      await assertGoesOn(run);
      return;
    }
    assert.fail('no run needed memory that it did not have');
  });

  (linux ? it : it.skip)('says what became of the run where the process is given no time to', async () => {
    const child = start(['train', 'tiny.cola.yaml', '--run', 'killed']);
    const end = ended(child);
    await reached('killed', 12, child);
    child.kill('SIGKILL');
    const { code, said } = await end;
    assert.equal(code, 'SIGKILL');
    assert.match(said, /The run killed was ended from outside.*cola train --resume killed.*\[cli\.died\]\n$/);
    // As all do that are killed, of which other files have many.
    if (process.env.COLA_SLOW === '1') await assertGoesOn('killed');
  });
});
