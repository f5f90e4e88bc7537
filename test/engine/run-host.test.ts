import assert from 'node:assert/strict';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Patience } from '../../server/engine/patience.ts';
import { RunHost } from '../../server/engine/run-host.ts';
import { type RunEvent, resumeRun } from '../../server/protocol/runs.ts';
import { EngineClosing } from '../../server/schedule/closing.ts';
import { Scheduler } from '../../server/schedule/scheduler.ts';
import { RunView, runFolder } from '../../server/store/run.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('a run of the engine whose files were changed', () => {
  let root = '';
  const events: RunEvent[] = [];
  const scheduler = new Scheduler(() => {});
  const host = new RunHost(scheduler, new Patience(), (event) => events.push(event));
  const key = () => ({ root, run: 'tiny' });
  const states = () => events.flatMap(({ event }) => (event.kind === 'state' ? [event.state] : []));

  before(async () => {
    root = await temporaryFolder();
    await makeModel(join(root, 'model'));
    await host.start(key(), await makeSpec(root, './model', 5000), undefined);
    while (events.filter(({ event }) => event.kind === 'checkpoint').length < 3)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await host.stop(key());
  });
  after(async () => {
    await scheduler.close(new DOMException('done', 'AbortError'));
    await removeFolder(root);
  });

  it('is refused before anybody hears that it runs, and goes on from the checkpoint that is asked for', async () => {
    const view = RunView.view(runFolder(root, 'tiny'));
    const [before, latest] = view.checkpoints().slice(-2);
    truncateSync(join(latest!.path, 'weights.safetensors'), 100);
    events.length = 0;
    await assert.rejects(host.resume(key(), {}), {
      id: 'store.damaged',
      remedy: new RegExp(`--from ${before!.step}$`),
    });
    assert.deepEqual(states(), []);
    const { root: _, run: __, ...choice } = resumeRun.params.parse({ ...key(), from: before!.step });
    await host.resume(key(), choice);
    assert.deepEqual(states(), ['running']);
    await assert.rejects(host.resume(key(), choice), { id: 'engine.runActive' });
    await host.stop(key());
  });

  it('with lost metrics, goes on as it is when that is asked for', async () => {
    rmSync(join(runFolder(root, 'tiny'), 'metrics.jsonl'));
    await assert.rejects(host.resume(key(), {}), { id: 'train.changed', message: /metrics\.jsonl/ });
    events.length = 0;
    await host.resume(key(), { asIs: true });
    await host.stop(key());
    assert.ok(events.some(({ event }) => event.kind === 'message' && /metrics\.jsonl/.test(event.text)));
  });

  it('says in its log whether somebody stopped it, or the engine was closed under it', async () => {
    const view = RunView.view(runFolder(root, 'tiny'));
    const last = () => view.readLog().at(-1)?.kind;
    assert.deepEqual([last(), view.interrupted], ['stopped', false]);
    await host.resume(key(), { asIs: true });
    assert.equal(view.interrupted, true);
    await scheduler.close(new EngineClosing());
    assert.deepEqual([last(), view.interrupted], ['interrupted', true]);
  });
});
