/** Reward models against transformers: the folders in fixtures/scores were written by it, with what it computes from them. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../../server/device/device.ts';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { saveScores, scoredPlace, scores } from '../../server/model/scores.ts';
import { errorOf } from '../store/scratch.ts';
import { itOnce, onEachDevice } from '../support/devices.ts';

const fixtures = join(import.meta.dirname, '../fixtures/scores');
const names = ['llama', 'mistral', 'qwen2', 'qwen3', 'smollm3'] as const;

async function scoresOf(device: Device, model: LanguageModel, ids: Int32Array, batch: number): Promise<Float32Array> {
  const length = ids.length / batch;
  const graph = new Graph();
  const tokens = graph.input('ids', 'int32', [batch, length]);
  const found = scores(graph, model.config, tokens, graph.input('places', 'int32', [batch]));
  const program = await device.compile({ found }, { frozen: model.weights });
  const places = Int32Array.from({ length: batch }, (_, b) => {
    const row = ids.subarray(b * length, (b + 1) * length);
    return b * length + scoredPlace(row, model.config.padTokenId);
  });
  const out = await program.run({ ids, places });
  const values = Float32Array.from(await out.found.readFloats());
  out.found.release();
  await program.dispose();
  return values;
}

const load = (folder: string) => LanguageModel.load(folder, { form: 'scores' });

onEachDevice((device, on) => {
  describe('reward models', () => {
    let scratch = '';
    before(() => {
      scratch = mkdtempSync(join(tmpdir(), 'cola-scores-'));
    });
    after(() => rmSync(scratch, { recursive: true }));

    for (const name of names) {
      // Between families only biases and norms differ, which others try on every device.
      const test = name === 'qwen3' ? it : itOnce.bind(null, on);
      test(`of ${name} give the scores that transformers gives, also after they were saved`, async () => {
        const model = await load(join(fixtures, name));
        using expected = SafetensorsFile.open(join(fixtures, name, 'expected.safetensors'));
        const ids = expected.readInt32('ids');
        const wanted = expected.readFloat32('scores');
        const found = await scoresOf(device(), model, ids, wanted.length);
        for (const [i, score] of wanted.entries())
          assert(Math.abs(found[i] - score) < 1e-4, `row ${i}: ${found[i]} instead of ${score}`);
        const saved = join(scratch, name);
        await saveScores(model, model.weights, saved);
        const again = await load(saved);
        assert.deepEqual(await scoresOf(device(), again, ids, wanted.length), found);
        assert.equal(again.config.padTokenId, 3);
      });
    }

    itOnce(on, 'of several labels, or without a head for scores, are refused by name', async () => {
      const changed = (change: (config: Record<string, unknown>) => void): string => {
        const folder = mkdtempSync(join(scratch, 'changed-'));
        cpSync(join(fixtures, 'llama'), folder, { recursive: true });
        const file = join(folder, 'config.json');
        const config = JSON.parse(readFileSync(file, 'utf8'));
        change(config);
        writeFileSync(file, JSON.stringify(config));
        return folder;
      };
      const classes = changed((config) => {
        config.id2label = { 0: 'good', 1: 'bad' };
      });
      await assert.rejects(load(classes), errorOf('config.labels', /has 2 labels/));
      const silent = changed((config) => {
        config.architectures = undefined;
      });
      await assert.rejects(load(silent), errorOf('config.noScores', /"llama", which gives no scores/));
      const wider = changed((config) => {
        config.hidden_size = 32;
        config.head_dim = 8;
      });
      await assert.rejects(load(wider), { id: 'weights.shape' });
    });
  });
});
