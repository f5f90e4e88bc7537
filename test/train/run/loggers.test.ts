import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { peerPython } from '../../../bench/peer.ts';
import { type MetricLine, scalarsOf } from '../../../server/store/metric-names.ts';
import { runFolder } from '../../../server/store/run.ts';
import { needs, outputOf } from '../../support/peers.ts';
import { linesOf, makeCola, settingsOf, specOf, start, tinyBase, writeData } from '../../support/runs.ts';

describe('a run whose spec asks for metrics in other tools', function () {
  this.timeout(120_000);
  let root = '';
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'cola-logged-'));
    writeData(root);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it('has them beside metrics.jsonl, with the same figures, and its frozen spec says so', async () => {
    const model = await start({ root, id: 'made' }, specOf(tinyBase, makeCola));
    const spec = specOf(model, [{ reinforce: settingsOf('grpo', 4) }]);
    await start({ root, id: 'logged' }, { ...spec, log: ['csv', 'tensorboard'] });
    const folder = runFolder(root, 'logged');
    const rewards = linesOf(root, 'logged', 'metrics').flatMap(({ step, reward }) =>
      typeof reward === 'number' ? [`${step},reinforce,train/reward,${reward}`] : [],
    );
    assert.equal(rewards.length, 4);
    const rows = readFileSync(join(folder, 'metrics.csv'), 'utf8').split('\n');
    assert.deepEqual(
      rows.filter((row) => row.includes(',train/reward,')),
      rewards,
    );
    assert.equal(readdirSync(folder).filter((name) => name.includes('tfevents')).length, 1);
    const frozen = parse(readFileSync(join(folder, 'spec.yaml'), 'utf8')) as { log: unknown };
    assert.deepEqual(frozen.log, ['csv', 'tensorboard']);
    assert.deepEqual(
      readdirSync(runFolder(root, 'made')).filter((name) => /csv|tfevents/.test(name)),
      [],
    );
  });

  it('are opened by TensorBoard: every scalar of metrics.jsonl, and no other', async function () {
    needs(this, 'TensorBoard itself', peerPython, ['-c', 'import tensorboard']);
    const folder = runFolder(root, 'logged');
    const reader = join(import.meta.dirname, 'tensorboard_scalars.py');
    const { version, scalars } = JSON.parse(await outputOf(peerPython, [reader, folder])) as {
      version: string;
      scalars: Record<string, [step: number, value: number][]>;
    };
    const expected: typeof scalars = {};
    for (const text of readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')) {
      const line = JSON.parse(text) as MetricLine;
      for (const [name, value] of scalarsOf(line)) {
        expected[name] = [...(expected[name] ?? []), [line.step, Math.fround(value)]];
      }
    }
    const names = Object.keys(expected).sort();
    assert.ok(names.includes('train/reward') && names.includes('eval/greedy_reward'), names.join(' '));
    const sorted = (from: typeof scalars) => Object.fromEntries(names.map((name) => [name, from[name]]));
    assert.deepEqual(Object.keys(scalars).sort(), names);
    assert.deepEqual(sorted(scalars), sorted(expected));
    const count = Object.values(expected).flat().length;
    console.log(`    TensorBoard ${version}: ${count} values of ${names.length} scalars`);
  });
});
