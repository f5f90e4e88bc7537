import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  listRuns,
  pauseRun,
  type RunEvent,
  resumeRun,
  runEvent,
  startRun,
  stopRun,
} from '../../server/protocol/runs.ts';
import { RunView, runFolder } from '../../server/store/run.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { Client, failsWith } from './client.ts';

describe('a run that outlives its window', function () {
  this.timeout(240_000);
  let folder = '';
  let specFile = '';
  before(async () => {
    folder = await temporaryFolder();
    specFile = await makeSpec(folder, await makeModel(join(folder, 'model')), 1_000_000);
  });
  after(() => removeFolder(folder));

  const options = { device: 'cpu', threads: 1, trusted: true, outliveWindow: true };
  const key = () => ({ root: folder, run: 'long' });
  const view = () => RunView.view(runFolder(folder, 'long'));
  const steps = () => readFileSync(join(view().path, 'metrics.jsonl'), 'utf8').split('\n').length;
  const events = (client: Client) =>
    client.notifications
      .filter(({ method }) => method === runEvent.method)
      .map(({ params }) => (params as RunEvent).event);
  const takesAStep = (client: Client) => client.until(() => events(client).some(({ kind }) => kind === 'step'));
  const state = (client: Client, wanted: string) =>
    client.until(() => events(client).some((event) => event.kind === 'state' && event.state === wanted));

  it('goes on when the window is killed, is found by the next one, and stopped there', async () => {
    const first = await Client.start(options);
    await first.ask(startRun, { ...key(), specFile });
    await takesAStep(first);
    const pid = view().holder?.pid ?? 0;
    assert.ok(pid > 0);
    await first.kill();
    const before = steps();
    while (steps() < before + 20) await delay(100);
    assert.equal(view().holder?.pid, pid);

    const second = await Client.start({ ...options, outliveWindow: false });
    try {
      const [found] = (await second.ask(listRuns, { roots: [folder] })).runs;
      assert.deepEqual([found.run, found.state, found.elsewhere], ['long', 'running', false]);
      await takesAStep(second);
      const stage = events(second).find((event) => event.kind === 'stage');
      assert.deepEqual(stage && [stage.name, stage.index, stage.count, stage.steps], ['clone', 0, 1, 1_000_000]);
      await assert.rejects(second.ask(pauseRun, key()), failsWith('engine.outliving'));
      const { step } = await second.ask(stopRun, key());
      assert.ok((step ?? 0) > 20, `${step}`);
      assert.equal(view().holder, undefined);
      await state(second, 'stopped');
      const [stopped] = (await second.ask(listRuns, { roots: [folder] })).runs;
      assert.deepEqual([stopped.state, stopped.checkpoint], ['stopped', step]);
      assert.equal(view().interrupted, false, 'somebody asked for it');
      while (isAlive(pid)) await delay(100);
    } finally {
      await second.stop();
    }
  });

  it('is paused, resumed and stopped in its own window; its process killed, it is resumed from its checkpoint', async () => {
    const client = await Client.start(options);
    try {
      await client.ask(resumeRun, key());
      await takesAStep(client);
      await client.ask(pauseRun, key());
      await state(client, 'paused');
      await client.ask(resumeRun, key());
      const before = steps();
      while (steps() < before + 10) await delay(100);
      process.kill(view().holder?.pid ?? 0, 'SIGKILL');
      await state(client, 'failed');
      assert.match(JSON.stringify(events(client)), /The process of the run long ended \(ended by SIGKILL\)/);
      await client.ask(resumeRun, key());
      assert.ok(((await client.ask(stopRun, key())).step ?? 0) > 20);
    } finally {
      await client.stop();
    }
    assert.equal(view().holder, undefined);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
