import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareRuns, describeRun, differingSettings } from '../../server/language/runs/history.ts';
import { stringifySpec } from '../../server/spec/document.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { Run } from '../../server/store/run.ts';
import { logText } from '../../server/store/run-log.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const specOf = (stages: readonly object[], more: object = {}) =>
  stringifySpec(toRunSpec(runSpec.parse({ model: 'm', stages, ...more })));

describe('runs beside each other', () => {
  const scratch = scratchFolder();

  async function make(run: string, spec: string): Promise<{ root: string; run: string }> {
    (await Run.create(scratch(), run, spec)).close();
    return { root: scratch(), run };
  }

  const reinforce = (settings: object) => ({ reinforce: { prompts: 'p.jsonl', reward: 'exact', ...settings } });

  it('differ in the settings that were given differently, defaults included', async () => {
    const a = await make('a', specOf([reinforce({ kl: 0.01 })]));
    const b = await make('b', specOf([reinforce({ kl: 0.01, group: 16 })], { seed: 8 }));
    const c = await make('c', specOf([{ clone: { data: 'd.txt', steps: 5 } }, reinforce({ kl: 0 })]));
    const { differing, same } = compareRuns([a, b, c]);
    const values = new Map(differing.map((row) => [row.name, row.values]));
    assert.deepEqual(values.get('seed'), ['7', '8', '7']);
    assert.deepEqual(values.get('reinforce.group'), ['8', '16', '8']);
    assert.deepEqual(values.get('reinforce.kl'), ['0.01', '0.01', '0']);
    assert.deepEqual(values.get('clone.steps'), [null, null, '5']);
    assert.ok(!values.has('reinforce.learning_rate') && !values.has('model'));
    assert.ok(same > 20);
    assert.deepEqual(compareRuns([a]).differing, []);
  });

  it('have stages of equal names beside each other', async () => {
    const twice = await make('twice', specOf([reinforce({ steps: 5 }), reinforce({ steps: 6 })]));
    const once = await make('once', specOf([reinforce({ steps: 6 })]));
    const values = new Map(compareRuns([twice, once]).differing.map((row) => [row.name, row.values]));
    assert.deepEqual(values.get('reinforce.steps'), ['5', '6']);
    assert.deepEqual(values.get('reinforce 2.steps'), ['6', null]);
  });

  it('say nothing of a spec that cannot be read', async () => {
    const odd = await make('odd', 'model: [\n');
    const good = await make('good', specOf([reinforce({})]));
    assert.ok(compareRuns([odd, good]).differing.every(({ values: [first] }) => first === null));
    assert.deepEqual(describeRun(odd).stages, []);
    assert.deepEqual(differingSettings([]), { differing: [], same: 0 });
  });

  it('are described by what is in their folders', async () => {
    const key = await make('d', specOf([{ clone: { data: 'd.txt' } }, reinforce({})]));
    const path = join(scratch(), '.cola', 'runs', 'd');
    const run = await Run.open(path);
    run.log(logText('device', 'webgpu'));
    await run.saveCheckpoint(4, { files: {}, state: {} }, { keep: 2, best: true });
    await run.saveCheckpoint(8, { files: {}, state: {} }, { keep: 2 });
    run.close();
    mkdirSync(join(path, 'best'));
    writeFileSync(join(path, 'best', 'config.json'), '{}');
    const { stages, checkpoints, models, log, model } = describeRun(key);
    assert.deepEqual(stages, ['clone', 'reinforce']);
    assert.deepEqual(checkpoints, [
      { step: 4, best: true },
      { step: 8, best: false },
    ]);
    assert.deepEqual(models, [{ name: 'best', folder: join(path, 'best') }]);
    assert.deepEqual([model, log.map(({ kind, text }) => [kind, text])], ['m', [['device', 'webgpu']]]);
    assert.throws(() => describeRun({ root: scratch(), run: 'absent' }), errorOf('store.noRun', /absent/));
  });
});
