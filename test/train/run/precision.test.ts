import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaModel } from '../../../server/cola/model.ts';
import { complete } from '../../../server/completion/complete.ts';
import { LoadedModel } from '../../../server/completion/loaded-model.ts';
import { Device } from '../../../server/device/device.ts';
import { fingerprintOf } from '../../../server/feedback/model.ts';
import { baseStepper, LanguageModel } from '../../../server/model/language-model.ts';
import { widened } from '../../../server/model/weights/quantise.ts';
import { WeightShelf } from '../../../server/model/weights/shelf.ts';
import { completionParams } from '../../../server/protocol/completion.ts';
import { precisions } from '../../../server/protocol/precision.ts';
import { Scheduler } from '../../../server/schedule/scheduler.ts';
import { readSpec } from '../../../server/spec/document.ts';
import { type RunSpec, runSpec, toRunSpec } from '../../../server/spec/schema.ts';
import { RunView, runFolder } from '../../../server/store/run.ts';
import { makeModel } from '../../engine/tiny-model.ts';
import { linesOf, makeCola, resume, specOf, stages, start, tinyBase, writeData } from '../../support/runs.ts';
import { inMemory } from '../../support/stored.ts';

/** Rows of whole blocks. */
const base = { ...tinyBase, hidden: 32, intermediate: 64 };
const narrow = precisions.filter((precision) => precision !== 'f32');

describe('a base that is kept in fewer bits', function () {
  this.timeout(180_000);
  const scheduler = new Scheduler();
  let root = '';
  let pretrained = '';
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-precision-'));
    writeData(root);
    pretrained = await start({ root, id: 'base' }, specOf(base, makeCola.slice(0, 1)));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const spec = (precision: string, model: string, list: readonly object[]): RunSpec =>
    toRunSpec(runSpec.parse({ model, base: { precision }, device: 'cpu', threads: 1, stages: list }));

  for (const precision of narrow) {
    it(`of ${precision} decodes as one with the same weights in float32`, async () => {
      const device = await Device.open('cpu', { threads: 1 });
      const stored = await LanguageModel.load(pretrained, { precision });
      assert.equal(stored.stored.size, stored.config.layers * 7 + 1);
      const plain = await LanguageModel.load(pretrained);
      for (const [name, weight] of stored.stored) plain.weights.get(name)!.set(widened(inMemory(weight)));
      const logits = async (model: LanguageModel, exact: boolean) => {
        const stepper = baseStepper(model.on(device, exact), model);
        const cache = await stepper.cache(2, 60);
        // Forty tokens in one run read the one copy, the next ones have their own.
        const many = Int32Array.from({ length: 40 }, (_, i) => 5 + (i % 30));
        const out: Float32Array[] = [];
        for (const tokens of [
          [many, many.slice(3)],
          [[7], [9]],
          [
            [8, 3],
            [4, 5],
          ],
        ]) {
          const { logits } = await stepper.advance(cache, tokens);
          out.push((await logits.readFloats()).slice());
          logits.release();
        }
        cache.dispose();
        await stepper.dispose();
        return out;
      };
      const wanted = await logits(plain, true);
      const most = Math.max(...wanted.flatMap((row) => Array.from(row, Math.abs)));
      for (const [exact, limit] of [
        [true, 1e-5],
        [false, 0.03],
      ] as const) {
        const found = await logits(stored, exact);
        for (const [i, row] of found.entries()) {
          const error = row.reduce((worst, x, j) => Math.max(worst, Math.abs(x - wanted[i][j])), 0);
          assert(error <= limit * most, `${precision}, exact ${exact}, run ${i}: ${error} of ${most}`);
        }
      }
      await device.dispose();
    });

    // Blocks of four bits are read as those of eight are: which is tried above.
    if (precision === 'int8' && process.env.COLA_SLOW !== '1') continue;
    it(`of ${precision} goes the whole way, and comes out as it was`, async () => {
      const list = [makeCola[1], makeCola[2], stages(4).grpo];
      const id = `way-${precision}`;
      const model = await start({ root, id }, spec(precision, pretrained, list));
      const [before, tuned] = [await LanguageModel.load(pretrained), await ColaModel.load(model)];
      for (const [name, values] of before.weights) assert.deepEqual(tuned.base.weights.get(name), values, name);
      const losses = linesOf(root, id, 'metrics').filter(
        ({ stage, loss }) => stage === 'control' && loss !== undefined,
      );
      assert(Number(losses.at(-1)!.loss) < Number(losses[0].loss), 'the world model has learned');
      const figures = linesOf(root, id, 'metrics').filter(({ sampled_reward: reward }) => reward !== undefined);
      assert(figures.length > 0 && figures.every(({ sampled_reward: reward }) => Number.isFinite(Number(reward))));
      assert.deepEqual(readSpec(join(runFolder(root, id), 'spec.yaml')).base, { precision });
      // The rest of a run is the same when it is done again.
      const last = linesOf(root, id, 'metrics');
      const [{ step }] = RunView.view(runFolder(root, id)).checkpoints();
      assert(step < Number(last.at(-1)!.step));
      await resume({ root, id }, { from: step });
      assert.deepEqual(linesOf(root, id, 'metrics'), last);
    });

    it(`of ${precision} completes, and feedback on it is of the same model`, async () => {
      const folder = await makeModel(join(root, `model-${precision}`), { hidden: 32, intermediate: 64 });
      const load = (form: typeof precision | 'f32') =>
        LoadedModel.load({ folder, device: 'cpu', threads: 1, precision: form });
      const [stored, plain] = [await load(precision), await load('f32')];
      assert(stored.cola.base.stored.size > 0);
      const params = completionParams.parse({ prefix: 'const value = ', suffix: '', maxTokens: 6, fill: false });
      const { done } = scheduler.submit('interactive', (signal) => complete(stored, params, signal));
      const said = await done;
      assert(said.alternatives.length > 0 && said.alternatives[0].text.length > 0);
      assert.equal(fingerprintOf(stored.cola), fingerprintOf(plain.cola));
      await stored.release();
      await plain.release();
      assert.deepEqual({ ...stored.device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    });
  }

  it('may come out of a GGUF file', async () => {
    const fixtures = join(import.meta.dirname, '../../fixtures');
    for (const precision of narrow) {
      const here = await LanguageModel.load(join(fixtures, 'gguf/llama.gguf'), { precision });
      const there = await LanguageModel.load(join(fixtures, 'hf/llama-tied-bf16'), { precision });
      assert(here.stored.size > 0);
      assert.deepEqual(here.stored, there.stored);
      const names = here.tensors.map(({ name }) => name);
      assert.deepEqual(here.sample(names, 64), there.sample(names, 64));
    }
  });

  it('is on the shelf once for each form', async () => {
    const shelf = new WeightShelf();
    const [one, two, other] = [
      await LanguageModel.load(pretrained, { shelf, precision: 'int4' }),
      await LanguageModel.load(pretrained, { shelf, precision: 'int4' }),
      await LanguageModel.load(pretrained, { shelf, precision: 'int8' }),
    ];
    const name = 'model.embed_tokens.weight';
    assert.equal(one.stored.get(name), two.stored.get(name));
    assert.notEqual(one.stored.get(name), other.stored.get(name));
  });
});
