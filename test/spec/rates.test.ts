/** Learning rates that a spec does not name follow the width of what learns. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readSpec } from '../../server/spec/document.ts';
import { rateAt, ratedStage } from '../../server/spec/rates.ts';
import { type RunSpec, runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { runFolder } from '../../server/store/run.ts';
import { ratedSpec } from '../../server/train/run/rated.ts';
import { linesOf, settingsOf, specOf, start, tinyBase, tokenizerFolder, writeData } from '../support/runs.ts';

const stageOf = (stage: object) => toRunSpec(runSpec.parse({ model: 'x', stages: [stage] })).stages[0];
const ratesOf = ({ settings }: RunSpec['stages'][number]) =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => name.endsWith('learning_rate')));

describe('learning rates that a spec does not name', () => {
  const text = { data: 'a.txt' };
  const at = (stage: object, base: number, modules = base) =>
    ratesOf(ratedStage(stageOf(stage), { base, modules })).learning_rate;

  it('are those that were tuned up to the width of the model in the box, and fall as 1 / width behind it', () => {
    assert.deepEqual(
      [1, 320, 640, 896, 4096].map((width) => rateAt(2e-3, width)),
      [2e-3, 2e-3, 1e-3, 7.14e-4, 1.56e-4],
    );
  });

  it("are within a factor of 2.5 of the paper's at its width", () => {
    const prompts = { prompts: 'a.jsonl', reward: 'exact' };
    for (const [stage, low, high] of [
      [{ control: text }, 1e-4, 1e-4],
      [{ clone: text }, 1e-4, 1e-4],
      [{ guide: { data: 'a.jsonl' } }, 5e-6, 5e-6],
      [{ reinforce: prompts }, 5e-7, 1e-5],
      [{ feedback: {} }, 5e-7, 1e-5],
    ] as const) {
      const rate = Number(at(stage, 4096));
      assert(rate > low / 2.5 && rate < high * 2.5, `${JSON.stringify(stage)} has ${rate}`);
    }
  });

  it('are by the width of the modules or of the base, whichever learns', () => {
    assert.equal(at({ control: text }, 4096, 640), 1e-3);
    assert.equal(at({ pretrain: text }, 640, 320), 1e-3);
    const guide = { data: 'a.jsonl' };
    assert.deepEqual(ratesOf(ratedStage(stageOf({ guide }), { base: 3200, modules: 640 })), {
      learning_rate: 1e-5,
      reclone_learning_rate: 5e-4,
    });
    // That of an adapter does not depend on the width.
    assert.equal(at({ guide: { ...guide, lora: {} } }, 3200, 640), 1e-4);
  });

  it('leave one that is named as it is', () => {
    assert.equal(at({ control: { ...text, learning_rate: 2e-3 } }, 4096), 2e-3);
  });

  it('are worked out from the configuration of the model, and from the width that a stage makes', async () => {
    const sizes = { intermediate: 32, layers: 1, heads: 2, context: 64, tokenizer: tokenizerFolder };
    const list = [{ control: text }, { control: { ...text, width: 400 } }, { clone: text }, { pretrain: text }];
    const { stages } = await ratedSpec(specOf({ ...sizes, hidden: 1280 }, list), resolve('x.cola.yaml'));
    assert.deepEqual(
      stages.map((stage) => ratesOf(stage).learning_rate),
      [5e-4, 1.6e-3, 1.6e-3, 5e-4],
    );
  });

  it('stand in the spec of a run, which goes on with them', async function () {
    this.timeout(60_000);
    const root = mkdtempSync(join(tmpdir(), 'cola-test-'));
    try {
      writeData(root);
      const pretrain = { ...settingsOf('pretrain', 2), warmup: 0, floor: 1 };
      await start({ root, id: 'run' }, specOf({ ...tinyBase, hidden: 640 }, [{ pretrain }]));
      const { stages } = readSpec(join(runFolder(root, 'run'), 'spec.yaml'));
      assert.deepEqual(stages.map(ratesOf), [{ learning_rate: 1e-3 }]);
      const steps = linesOf(root, 'run', 'metrics').filter(({ evaluation }) => evaluation !== true);
      assert.deepEqual(
        steps.map(({ learning_rate }) => learning_rate),
        [1e-3, 1e-3],
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
