import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { runFolder } from '../../../server/store/run.ts';
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
});
