import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readActions, readLabels } from '../../server/cola/actions-file.ts';
import { isRude } from '../../server/cola/rude.ts';
import { labelActions } from '../../server/evaluate/actions/labels.ts';
import { readSpec } from '../../server/spec/document.ts';
import { startRun } from '../../server/train/run/job.ts';

const box = resolve('assets/nano');

describe('labels of latent actions', () => {
  it('are no rude words, though tokens may be', () => {
    for (const text of ['digit 9 / ass', 'part Fuck', 'word fucking']) assert.ok(isRude(text), text);
    for (const text of ['word class', 'part assistant', 'word pass', 'capital Scunthorpe'])
      assert.ok(!isRude(text), text);
    const token = (text: string, share: number) => ({ text, special: false, share });
    const [label] = labelActions([{ code: 3, usage: 0.1, tokens: [token('ass', 0.3), token('ets', 0.2)] }]);
    assert.ok(!isRude(label), label);
    assert.ok(readLabels(box, 64).every((each) => each === null || !isRude(each)));
  });

  it('go with the model that is tuned from one that has them', async function () {
    this.timeout(120_000);
    const root = mkdtempSync(join(tmpdir(), 'cola-test-'));
    try {
      const specFile = join(root, 'short.cola.yaml');
      const settings =
        '{ prompts: { task: countdown, format: compact }, reward: { countdown: { form: compact } }, steps: 1, batch: 1, group: 2, max_new: 4, evaluate_rows: 1, evaluate_samples: 1 }';
      writeFileSync(specFile, `model: builtin:nano\ndevice: cpu\nstages:\n  - reinforce: ${settings}\n`);
      const { signal } = new AbortController();
      const spec = readSpec(specFile);
      const { model } = await startRun({ root, runId: 'short', spec, specFile, signal, measure: async () => {} });
      assert.deepEqual(readActions(model, 64), readActions(box, 64));
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
