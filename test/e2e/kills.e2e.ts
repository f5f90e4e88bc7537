import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from './support/eventually.ts';
import { processesOf } from './support/processes.ts';
import { vscode } from './support/session.ts';
import { writeForRuns } from './support/small-model.ts';
import { reinforceSpec } from './support/spec.ts';

/** `npm run test:slow` kills more often, and in a longer run. */
const slow = process.env.COLA_SLOW !== undefined;
const kills = slow ? 100 : 1;
const steps = slow ? 480 : 10;

const spec = reinforceSpec({ steps, maxNew: 8, evaluateEvery: 5, checkpointEvery: 3, slowly: true });

/** Figures that tell of the machine and not of the run. */
const ofMachine = /second|memory|time/;

describe('a training run whose engine is killed in VS Code', () => {
  const session = vscode({ examples: true, kept: true });
  before(() => writeForRuns(session));

  const metrics = (run: string): Record<string, unknown>[] => {
    const file = join(session.folder, '.cola/runs', run, 'metrics.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  };
  const figures = (run: string) =>
    metrics(run).map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !ofMachine.test(name))));
  const last = (run: string) => Number(metrics(run).findLast(({ evaluation }) => evaluation !== true)?.step ?? 0);

  /** Starts a run of the spec under a name of its own. */
  async function start(name: string): Promise<void> {
    session.write(`${name}.cola.yaml`, spec);
    await session.workbench.openFile(`${name}.cola.yaml`);
    await session.workbench.command('CoLA: Run Spec');
    await eventually(`${name} has begun`, () => assert.ok(metrics(name).length > 0));
  }
  /** The model is written when all is done. */
  const ends = (name: string) =>
    eventually(
      `${name} has ended`,
      () => assert.ok(existsSync(join(session.folder, '.cola/runs', name, 'model/config.json')), `step ${last(name)}`),
      slow ? 1800 : 120,
    );

  it('ends with the same metrics as one that is left alone', async function () {
    this.timeout(slow ? 5_400_000 : 300_000);
    await start('calm');
    await ends('calm');
    await start('killed');
    const script = join(session.extension, 'dist/engine.js');
    const moments: string[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const before = last('killed');
      await eventually('it makes steps', () => assert.ok(last('killed') > before || last('killed') >= steps - 1), 120);
      await delay(1500 * Math.random());
      const [engine] = processesOf(script);
      moments.push(`at step ${last('killed')}`);
      process.kill(engine, 'SIGKILL');
      await eventually('another engine is there', () => {
        const [another] = processesOf(script);
        assert.ok(another !== undefined && another !== engine);
      });
    }
    await ends('killed');
    assert.equal(last('calm'), steps);
    assert.deepEqual(figures('killed'), figures('calm'), `it was killed ${moments.join(', ')}`);
  });
});
