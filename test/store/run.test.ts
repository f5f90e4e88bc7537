import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { Random } from '../../server/random.ts';
import { listRuns } from '../../server/store/all-runs.ts';
import { Run, RunView, runFolder } from '../../server/store/run.ts';
import { program } from '../support/bundled.ts';
import { errorOf, scratchFolder } from './scratch.ts';
import { EVERY, KEEP, metricAt, momentsAt, policyAt } from './trainer.ts';

const KILLS = process.env.COLA_SLOW ? 50 : 6;
const SPEC = 'name: test\nstages: []\n';
const lineSchema = z.looseObject({ step: z.number() });

function weight(value: number) {
  return {
    files: { policy: [{ name: 'w', dtype: 'F32', shape: [1], data: Float32Array.of(value) } as const] },
    state: { value },
  };
}

/** Starts the trainer and waits until it has opened the run. */
async function startTrainer(path: string, last: number, mode = 'train'): Promise<ChildProcess> {
  const args = [program('trainer'), path, String(last), mode];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await once(child.stdout!, 'data');
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

describe('runs', () => {
  const scratch = scratchFolder();

  it('begin with their folder, spec and nothing else', async () => {
    const run = await Run.create(scratch(), 'first', SPEC);
    assert.equal(run.path, scratch('.cola', 'runs', 'first'));
    assert.equal(run.path, runFolder(scratch(), 'first'));
    assert.equal(readFileSync(join(run.path, 'spec.yaml'), 'utf8'), SPEC);
    assert.deepEqual(
      [run.id, run.spec, run.checkpoints(), run.latestCheckpoint(), run.bestCheckpoint()],
      ['first', SPEC, [], null, null],
    );
    run.log('hello');
    assert.match(readFileSync(join(run.path, 'log.txt'), 'utf8'), /^\d{4}-\d\d-\d\dT.*Z hello\n$/);
    run.close();
    await assert.rejects(Run.create(scratch(), 'first', SPEC), errorOf('store.runExists', /first/));
    await assert.rejects(Run.open(scratch('absent')), errorOf('store.noRun', /absent/));
  });

  it('of the same name cannot both be created', async () => {
    const results = await Promise.allSettled([1, 2, 3].map((n) => Run.create(scratch(), 'same', `n: ${n}\n`)));
    const made = results.filter((result) => result.status === 'fulfilled');
    assert.equal(made.length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.match(result.reason.id, /^store\.(runExists|locked)$/);
    }
    made[0]!.value.close();
    assert.deepEqual(readdirSync(scratch('.cola', 'runs')), ['same']);
  });

  it('have names that are plain on every system', async () => {
    for (const id of [
      '',
      '..',
      '.x',
      'a/b',
      'a\\b',
      'a b',
      'a.',
      'con',
      'NUL.txt',
      'x'.repeat(101),
      'ä',
      'r.tmp-0123456789ab',
    ]) {
      await assert.rejects(Run.create(scratch(), id, SPEC), errorOf('store.runId'), id);
    }
  });

  it('are listed by name, without what is no run', async () => {
    assert.deepEqual(listRuns(scratch()), []);
    for (const id of ['b', 'a-1']) (await Run.create(scratch(), id, SPEC)).close();
    mkdirSync(runFolder(scratch(), 'empty'));
    mkdirSync(runFolder(scratch(), 'c.tmp-0123456789ab'));
    writeFileSync(runFolder(scratch(), 'file'), '');
    assert.deepEqual(
      listRuns(scratch()).map(({ id }) => id),
      ['a-1', 'b'],
    );
  });

  it('keep the newest checkpoints and the best one', async () => {
    const run = await Run.create(scratch(), 'r', SPEC);
    for (const step of [1, 2, 3, 9, 10]) await run.saveCheckpoint(step, weight(step), { keep: 2, best: step === 2 });
    assert.deepEqual(
      run.checkpoints().map(({ step }) => step),
      [2, 9, 10],
    );
    assert.equal(run.bestCheckpoint()?.step, 2);
    await run.saveCheckpoint(11, weight(11), { keep: 1, best: true });
    assert.deepEqual(
      run.checkpoints().map(({ step }) => step),
      [11],
    );
    assert.deepEqual([run.bestCheckpoint()?.step, run.latestCheckpoint()?.step], [11, 11]);
    const latest = run.checkpoint(11);
    assert.deepEqual(latest.files, ['policy']);
    assert.deepEqual(latest.state(z.object({ value: z.number() })), { value: 11 });
    assert.throws(() => latest.state(z.object({ other: z.number() })), errorOf('store.json', /"other".*missing/));
    assert.throws(() => run.checkpoint(10), errorOf('store.noCheckpoint', /step 10/));
    run.close();
  });

  it('replace a checkpoint of the same step, and keep it if that fails', async () => {
    const run = await Run.create(scratch(), 'r', SPEC);
    await run.saveCheckpoint(5, weight(1), { keep: 1 });
    await run.saveCheckpoint(5, weight(2), { keep: 1 });
    const failing = {
      files: { a: [], b: [{ name: 'x', dtype: 'F32', shape: [2], data: new Float32Array(1) } as const] },
      state: 0,
    };
    await assert.rejects(run.saveCheckpoint(5, failing, { keep: 1 }), RangeError);
    await assert.rejects(run.saveCheckpoint(6, { files: { '../x': [] }, state: 0 }, { keep: 1 }), RangeError);
    assert.deepEqual(run.latestCheckpoint()?.open('policy').readFloat32('w'), Float32Array.of(2));
    assert.deepEqual(readdirSync(join(run.path, 'checkpoints')), ['5']);
    run.close();
  });

  it('do not show a checkpoint that is not complete', async () => {
    const run = await Run.create(scratch(), 'r', SPEC);
    await run.saveCheckpoint(1, weight(1), { keep: 3 });
    await run.saveCheckpoint(2, weight(2), { keep: 3 });
    run.close();
    const folder = join(run.path, 'checkpoints');
    renameSync(join(folder, '2'), join(folder, '2.tmp-0123456789ab'));
    mkdirSync(join(folder, '3'));
    mkdirSync(join(folder, '04'));
    assert.deepEqual(
      RunView.view(run.path)
        .checkpoints()
        .map(({ step }) => step),
      [1],
    );
    (await Run.open(run.path)).close();
    assert.ok(!existsSync(join(folder, '2.tmp-0123456789ab')));
  });

  it('go back to an earlier checkpoint as if nothing had followed', async () => {
    const run = await Run.create(scratch(), 'r', SPEC);
    for (let step = 0; step < 6; step++) {
      run.metrics.append({ step, loss: step });
      run.samples.append({ step, text: '' });
      await run.saveCheckpoint(step, weight(step), { keep: 10, best: step === 4 });
    }
    assert.equal((await run.rewind(2)).step, 2);
    assert.deepEqual(
      run.checkpoints().map(({ step }) => step),
      [0, 1, 2],
    );
    assert.deepEqual(
      run.readMetrics(lineSchema).map(({ step }) => step),
      [0, 1, 2],
    );
    assert.deepEqual(
      run.readSamples(lineSchema).map(({ step }) => step),
      [0, 1, 2],
    );
    assert.equal(run.bestCheckpoint(), null);
    await assert.rejects(run.rewind(4), errorOf('store.noCheckpoint'));
    run.close();
  });
});

describe('the lock of a run', () => {
  const scratch = scratchFolder();

  async function makeRun(): Promise<string> {
    const run = await Run.create(scratch(), 'r', SPEC);
    run.close();
    return run.path;
  }

  it('refuses a second writer, in this process too, until the first is closed', async () => {
    const path = await makeRun();
    const run = await Run.open(path);
    await assert.rejects(Run.open(path), errorOf('store.locked', new RegExp(`process ${process.pid}\\)\\.`)));
    assert.equal(RunView.view(path).spec, SPEC);
    run.close();
    (await Run.open(path)).close();
  });

  it('names the process that holds it, and passes on when that is killed', async () => {
    const path = await makeRun();
    const child = await startTrainer(path, 0, 'hold');
    await assert.rejects(Run.open(path), errorOf('store.locked', new RegExp(`process ${child.pid}\\)\\.`)));
    child.kill('SIGKILL');
    await ended(child);
    (await Run.open(path)).close();
    assert.ok(!readdirSync(path).some((name) => name.startsWith('lock')));
  });

  it('is taken from a process of the same number that began later, and from rubbish', async () => {
    const path = await makeRun();
    const holder = { pid: process.pid, started: 'another boot:1', host: hostname(), token: 'x' };
    const rubbish = ['', '{', '[]'];
    // Only where the system tells when a process began can the two be told apart.
    for (const content of process.platform === 'linux' ? [JSON.stringify(holder), ...rubbish] : rubbish) {
      writeFileSync(join(path, 'lock'), content);
      (await Run.open(path)).close();
    }
  });

  it('of another computer is respected', async () => {
    const path = await makeRun();
    const holder = { pid: 1, started: null, host: 'elsewhere', token: 'x' };
    writeFileSync(join(path, 'lock'), JSON.stringify(holder));
    await assert.rejects(Run.open(path), errorOf('store.locked', /process 1 on the computer elsewhere/));
  });

  it('goes to one of many who find it abandoned', async () => {
    const path = await makeRun();
    const dead = spawn(process.execPath, ['-e', '']);
    await ended(dead);
    for (const name of ['lock', 'lock.next']) {
      writeFileSync(join(path, name), JSON.stringify({ pid: dead.pid, started: null, host: hostname(), token: name }));
    }
    const children = await Promise.allSettled(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, [program('trainer'), path, '0', 'hold'], {
          env: { ...process.env, NODE_OPTIONS: '' },
        });
        const [first] = await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')]);
        const won = String(first).startsWith('open');
        if (!won) await ended(child);
        return { child, won };
      }),
    );
    const winners = children
      .filter((result) => result.status === 'fulfilled')
      .map(({ value }) => value)
      .filter(({ won }) => won);
    for (const { child } of winners) child.kill('SIGKILL');
    await Promise.all(winners.map(({ child }) => ended(child)));
    assert.equal(winners.length, 1);
  });
});

const latestOf = (path: string) => RunView.view(path).latestCheckpoint()?.step ?? -1;

describe('a run whose process is killed', () => {
  const scratch = scratchFolder();

  /** What must hold at any moment, whoever was killed when. Returns the step of the latest checkpoint. */
  function check(path: string): number {
    const view = RunView.view(path);
    const steps = view.checkpoints().map(({ step }) => step);
    for (const checkpoint of view.checkpoints()) {
      assert.deepEqual(checkpoint.files, ['optimiser', 'policy']);
      assert.equal(checkpoint.state(z.object({ next: z.number() })).next, checkpoint.step + 1);
      for (const [name, tensor, value] of [
        ['policy', 'w', policyAt(checkpoint.step)],
        ['optimiser', 'm', momentsAt(checkpoint.step)],
      ] as const) {
        const file = checkpoint.open(name);
        assert.deepEqual(file.readFloat32(tensor), value);
        file.close();
      }
    }
    // One more than is kept where the kill came before the old one was deleted, and the best.
    assert.ok(steps.length <= KEEP + 2, `checkpoints ${steps}`);
    const latest = steps.at(-1) ?? -1;
    const best = view.bestCheckpoint()?.step ?? 0;
    assert.ok(latest < 0 || best === latest - (latest % (4 * EVERY)), `best ${best} of ${steps}`);
    const metrics = view.readMetrics(z.object({ step: z.number(), loss: z.number(), text: z.string() }));
    assert.deepEqual(
      metrics,
      metrics.map((_, step) => metricAt(step)),
    );
    assert.ok(metrics.length > latest, `${metrics.length} metrics, checkpoint ${latest}`);
    return latest;
  }

  it(`is readable after each of ${KILLS} kills, and ends as if there had been none`, async () => {
    const random = new Random(42);
    const killed = await Run.create(scratch(), 'killed', SPEC);
    killed.close();
    let reached = -1;
    for (let kill = 0; kill < KILLS; kill++) {
      const child = await startTrainer(killed.path, 1_000_000);
      // Every other kill waits for checkpoints, however slow the machine is: else all could come before there are any.
      if (kill % 2 === 1) while (latestOf(killed.path) < reached + 2 * EVERY) await setTimeout(2);
      await setTimeout(random.uniform() * 120);
      child.kill('SIGKILL');
      await ended(child);
      assert.equal(child.signalCode, 'SIGKILL');
      const now = check(killed.path);
      assert.ok(now >= reached);
      reached = now;
    }
    assert.ok(reached > 10, `the kills came too early to mean anything: step ${reached}`);

    const whole = await Run.create(scratch(), 'whole', SPEC);
    whole.close();
    for (const { path } of [killed, whole]) {
      const child = await startTrainer(path, reached + 7);
      await ended(child);
      assert.equal(child.exitCode, 0);
    }
    const files = (path: string) =>
      readdirSync(path, { recursive: true, encoding: 'utf8' })
        .filter((name) => statSync(join(path, name)).isFile())
        .sort()
        .map((name) => [name, readFileSync(join(path, name)).toString('base64')]);
    assert.deepEqual(files(killed.path), files(whole.path));
  }).timeout(600_000);
});
