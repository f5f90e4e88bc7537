import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from './support/eventually.ts';
import { processesOf } from './support/processes.ts';
import { vscode } from './support/session.ts';
import { writeForRuns } from './support/small-model.ts';
import { reinforceSpec } from './support/spec.ts';

/** Many short steps. */
const spec = reinforceSpec({
  steps: 100_000,
  maxNew: 4,
  evaluateEvery: 1000,
  checkpointEvery: 2,
  slowly: true,
});

describe('a training run in VS Code', () => {
  const session = vscode({ examples: true, kept: true });
  before(() => {
    writeForRuns(session);
    session.write('short.cola.yaml', spec);
  });

  after(async () => {
    // Nothing may train beside the tests that come next.
    if (!(await status().innerText()).includes('step')) return;
    await session.workbench.command('CoLA: Stop Run');
    await status().filter({ hasNotText: 'step' }).waitFor();
  });

  const run = () => join(session.folder, '.cola/runs/short');

  /** Steps of the run's metrics on the disk, in their order. */
  function steps(): number[] {
    const file = join(run(), 'metrics.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as { step?: number; evaluation?: boolean });
    return parsed.flatMap(({ step, evaluation }) => (step === undefined || evaluation === true ? [] : [step]));
  }
  const last = () => steps().at(-1) ?? 0;
  const reaches = (step: number) =>
    eventually(`the run reaches step ${step}`, () => assert.ok(last() >= step, `it is at step ${last()}`), 120);
  const status = () => session.workbench.statusItem('cola.status');

  it('is started from the palette, and the status bar counts its steps', async () => {
    await session.workbench.openFile('short.cola.yaml');
    await session.workbench.command('CoLA: Run Spec');
    await status()
      .filter({ hasText: /step\s[1-9]\d*\/100000/ })
      .waitFor();
    await reaches(3);
  });

  it('stands still while it is paused from the list behind the status bar, and goes on', async () => {
    await status().click();
    const pause = session.workbench.pick('Pause');
    await pause.waitFor();
    await session.look('status-list');
    await pause.click();
    await status().filter({ hasText: 'paused' }).waitFor();
    await session.workbench.command('CoLA: Resume Run…');
    await session.workbench.pick('short').click();
    await status()
      .filter({ hasText: /step\s\d+/ })
      .filter({ hasNotText: 'paused' })
      .waitFor();
    await reaches(last() + 3);
  });

  it('goes on from its latest checkpoint after kill -9 of the engine', async () => {
    const script = join(session.extension, 'dist/engine.js');
    const [engine, ...others] = processesOf(script);
    assert.deepEqual(others, []);
    const before = last();
    process.kill(engine, 'SIGKILL');
    await eventually('another engine is there', () => {
      const [another] = processesOf(script);
      assert.ok(another !== undefined && another !== engine);
    });
    await reaches(before + 3);
    assert.deepEqual(
      steps(),
      Array.from({ length: steps().length }, (_, i) => i + 1),
      'no step is missing, and none is written twice',
    );
    await session.workbench.notification('engine').waitFor();
  });

  it('is listed in the side bar, and saved when it is stopped', async () => {
    await session.workbench.openSideBar();
    await session.workbench.treeItem(/^Run short/).waitFor();
    await session.workbench.command('CoLA: Stop Run');
    await session.workbench.notification(/short: saved at step \d+, resume any time/).waitFor();
    await status().filter({ hasNotText: 'step' }).waitFor();
    const stopped = last();
    assert.ok(existsSync(join(run(), 'checkpoints')));
    await session.workbench.command('CoLA: Resume Run…');
    await session.workbench.pick('short').click();
    await reaches(stopped + 1);
  });

  it('goes on from the checkpoint before the one that a bad disk has changed', async () => {
    await session.workbench.command('CoLA: Stop Run');
    await status().filter({ hasNotText: 'step' }).waitFor();
    const stopped = last();
    const folders = join(run(), 'checkpoints');
    const [before, latest] = readdirSync(folders).sort().slice(-2);
    const damaged = readdirSync(join(folders, latest), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.safetensors'))
      .map((entry) => join(entry.parentPath, entry.name))[0];
    const bytes = readFileSync(damaged);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(damaged, bytes);
    // VS Code shows three notices in 0.8 s at most, and puts what comes then behind its bell: a person is never that fast.
    await delay(1000);
    await session.workbench.command('CoLA: Resume Run…');
    await session.workbench.pick('short').click();
    const notice = session.workbench.notification(/checkpoint/);
    await notice.getByRole('button', { name: 'Earlier Checkpoint…' }).click();
    const step = Number(/\d+$/.exec(before)?.[0]);
    await session.workbench.pick(`Step ${step}`).first().click();
    await reaches(stopped + 1);
    assert.deepEqual(
      steps(),
      Array.from({ length: steps().length }, (_, i) => i + 1),
      'no step is missing, and none is written twice',
    );
  });
});
