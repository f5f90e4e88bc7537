/** Adapters against PEFT: the folders in fixtures/peft were written by it, with what it computes from them. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportModel } from '../../server/cola/export.ts';
import type { Device } from '../../server/device/device.ts';
import { ColaError } from '../../server/errors.ts';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { gradient } from '../../server/graph/gradient.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { isAdapterTensor } from '../../server/model/adapter/adapter.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { generate } from '../../server/model/generate.ts';
import { baseStepper, LanguageModel, type WeightMap } from '../../server/model/language-model.ts';
import { widened } from '../../server/model/weights/quantise.ts';
import { itOnce, onEachDevice } from '../support/devices.ts';
import { inMemory } from '../support/stored.ts';

const fixtures = join(import.meta.dirname, '../fixtures/peft');
const base = join(import.meta.dirname, '../fixtures/hf/llama-gqa');
/** Places of which the logits are kept. */
const places = [0, 1, 11, 23];

function close(found: Float32Array, wanted: Float32Array, what: string, limit = 1e-4): void {
  assert.equal(found.length, wanted.length, what);
  const scale = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  assert(scale > 0, what);
  const worst = found.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i])), 0);
  assert(worst < limit * scale, `${what}: off by ${worst} of ${scale}`);
}

/** Logits, loss, and the gradients of A and B. */
async function compute(device: Device, model: LanguageModel, ids: Int32Array, weights: WeightMap = model.weights) {
  const { config } = model;
  const graph = new Graph();
  const tokens = graph.input('ids', 'int32', [2, 24]);
  const { h } = hiddenStates(graph, config, tokens, causalContext(graph, config, 2, 24));
  const logits = languageHead(graph, config, h);
  const loss = nextTokenLoss(logits, tokens);
  const learned = [...graph.parameters].filter(([name]) => isAdapterTensor(name));
  const gradients = gradient(
    loss,
    learned.map(([, parameter]) => parameter),
  );
  const outputs = Object.fromEntries(learned.map(([name], i) => [`grad.${name}`, gradients[i]]));
  const program = await model.on(device).compile({ logits, loss, ...outputs }, { frozen: weights });
  const results = await program.run({ ids });
  const values = new Map<string, Float32Array>();
  for (const [name, buffer] of Object.entries(results)) {
    values.set(name, (await buffer.readFloats()).slice());
    buffer.release();
  }
  await program.dispose();
  return values;
}

/** The model with every stored weight as the float32 numbers it stands for. */
async function asFloats(stored: LanguageModel, folder: string): Promise<LanguageModel> {
  const plain = await LanguageModel.load(folder);
  for (const [name, weight] of stored.stored) plain.weights.get(name)?.set(widened(inMemory(weight)));
  return plain;
}

async function answer(device: Device, model: LanguageModel): Promise<number[]> {
  const stepper = baseStepper(device, model);
  const [{ ids }] = await generate(stepper, model, [[5, 9, 14, 20]], { maxNewTokens: 12 });
  await stepper.dispose();
  return [...ids];
}

onEachDevice((device, on) => {
  describe('adapters', () => {
    for (const name of ['plain', 'varied']) {
      const test = name === 'varied' ? itOnce.bind(null, on) : it;
      test(`${name}: logits, loss and gradients of A and B are those of PEFT`, async () => {
        const model = await LanguageModel.load(join(fixtures, name));
        using expected = SafetensorsFile.open(join(fixtures, name, 'expected.safetensors'));
        const found = await compute(device(), model, expected.readInt32('ids'));
        const v = model.config.vocabSize;
        const rows = [0, 1].flatMap((b) =>
          places.map((t) => found.get('logits')!.slice((b * 24 + t) * v, (b * 24 + t + 1) * v)),
        );
        close(Float32Array.from(rows.flatMap((row) => [...row])), expected.readFloat32('logits'), 'logits');
        close(found.get('loss')!, expected.readFloat32('loss'), 'loss', 1e-5);
        const gradients = expected.names.filter((n) => n.startsWith('grad.'));
        assert.deepEqual([...found.keys()].filter((n) => n.startsWith('grad.')).sort(), [...gradients].sort());
        for (const n of gradients) close(found.get(n)!, expected.readFloat32(n), n);
        const merged = model.merged().weights.get('model.layers.0.self_attn.q_proj.weight')!;
        close(merged, expected.readFloat32('merged'), 'merged', 1e-6);
      });
    }

    for (const precision of ['f16', 'int8', 'int4'] as const) {
      itOnce(
        on,
        `beside a base in ${precision}: gradients are those beside the numbers that it stands for`,
        async () => {
          const folder = join(fixtures, 'plain');
          const stored = await LanguageModel.load(folder, { precision });
          assert(stored.stored.size > 20 && [...stored.stored.keys()].every((name) => !isAdapterTensor(name)));
          using expected = SafetensorsFile.open(join(folder, 'expected.safetensors'));
          const ids = expected.readInt32('ids');
          const found = await compute(device(), stored, ids);
          const wanted = await compute(device(), await asFloats(stored, folder), ids);
          assert.equal(found.size, wanted.size);
          for (const [name, values] of found) close(values, wanted.get(name)!, name);
        },
      );
    }

    itOnce(on, 'decode alike whether they are merged or not, and as their base where they are new', async () => {
      const model = await LanguageModel.load(join(fixtures, 'plain'));
      const plain = await answer(device(), await LanguageModel.load(base));
      const apart = await answer(device(), model);
      assert.deepEqual(await answer(device(), model.merged()), apart);
      assert.notDeepEqual(apart, plain);
      const fresh = (await LanguageModel.load(base)).adapted({ rank: 4, alpha: 8, targets: ['q_proj'] }, 7);
      assert.deepEqual(await answer(device(), fresh!), plain);
    });
  });
});

/** What a folder is refused with. */
async function refusal(folder: string): Promise<ColaError> {
  const error: unknown = await LanguageModel.load(folder).catch((thrown: unknown) => thrown);
  assert(error instanceof ColaError, String(error));
  return error;
}

describe('folders of adapters', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cola-peft-'));
    cpSync(join(fixtures, 'plain'), join(root, 'a'), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const change = (values: Record<string, unknown>) => {
    const file = join(root, 'a/adapter_config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...values }));
  };

  it('are written as PEFT writes them, and read again bit for bit', async () => {
    const model = await LanguageModel.load(join(fixtures, 'varied'));
    await model.save(join(root, 'copy'));
    using written = SafetensorsFile.open(join(root, 'copy/adapter_model.safetensors'));
    using original = SafetensorsFile.open(join(fixtures, 'varied/adapter_model.safetensors'));
    assert.deepEqual([...written.names].sort(), [...original.names].sort());
    assert(written.names.includes('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight'));
    for (const name of original.names) assert.deepEqual(written.readFloat32(name), original.readFloat32(name));
    const settings = JSON.parse(readFileSync(join(root, 'copy/adapter_config.json'), 'utf8'));
    const before = JSON.parse(readFileSync(join(fixtures, 'varied/adapter_config.json'), 'utf8'));
    assert.deepEqual(settings, { ...before, base_model_name_or_path: base });
    // transformers would take a folder with a config.json for a whole model.
    assert(!existsSync(join(root, 'copy/config.json')));
    const again = await LanguageModel.load(join(root, 'copy'));
    assert.deepEqual(again.config, model.config);
    assert.deepEqual(again.weights, model.weights);
  });

  it('are merged on export, and otherwise exported as they are', async () => {
    change({ base_model_name_or_path: base });
    await exportModel(join(root, 'a'), join(root, 'merged'), 'F32', { merge: true });
    await exportModel(join(root, 'a'), join(root, 'apart'), 'F32');
    const [model, merged, apart] = await Promise.all(
      ['a', 'merged', 'apart'].map((name) => LanguageModel.load(join(root, name))),
    );
    assert.equal(merged.adapter, undefined);
    assert.deepEqual(merged.weights, model.merged().weights);
    assert.deepEqual(apart.weights, model.weights);
  });

  it('need their base, which a spec may name', async () => {
    change({ base_model_name_or_path: 'someone/a-model' });
    const error = await refusal(join(root, 'a'));
    assert.equal(error.id, 'adapter.base');
    assert.match(error.message, /someone\/a-model/);
    assert.match(error.remedy, /base_model_name_or_path.*base: \{model: FOLDER\}/);
    const model = await LanguageModel.load(join(root, 'a'), { base });
    assert.equal(model.folder, base);
    change({ base_model_name_or_path: null });
    assert.match((await refusal(join(root, 'a'))).message, /does not say of which model/);
    change({ base_model_name_or_path: join(fixtures, 'varied') });
    assert.equal((await refusal(join(root, 'a'))).id, 'adapter.chained');
    // A path that Windows would ask another machine for, though it is there on others.
    change({ base_model_name_or_path: `/${base}` });
    assert.equal((await refusal(join(root, 'a'))).id, 'adapter.base');
  });

  for (const [what, values, id] of [
    ['another method', { peft_type: 'IA3' }, 'adapter.feature'],
    ['DoRA', { use_dora: true }, 'adapter.feature'],
    ['biases', { bias: 'all' }, 'adapter.feature'],
    ['layers of its own', { modules_to_save: ['lm_head'] }, 'adapter.feature'],
    ['a scale for every layer', { alpha_pattern: { q_proj: 2 } }, 'adapter.feature'],
    ['a base that was changed', { init_lora_weights: 'pissa' }, 'adapter.feature'],
    ['a task of its own', { task_type: 'SEQ_CLS' }, 'adapter.feature'],
    ['a rank that is no number', { r: 'four' }, 'adapter.value'],
    ['another rank than its weights', { r: 8 }, 'adapter.shape'],
  ] as const)
    it(`with ${what} are refused by name`, async () => {
      change({ base_model_name_or_path: base, ...values });
      assert.equal((await refusal(join(root, 'a'))).id, id);
    });

  it('whose weights are not those of an adapter of the base are refused', async () => {
    change({ base_model_name_or_path: base });
    const write = (name: string, shape: number[], value = 0) =>
      writeSafetensors(join(root, 'a/adapter_model.safetensors'), [
        { name, shape, dtype: 'F32', data: new Float32Array(shape[0] * shape[1]).fill(value) },
      ]);
    const layer = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
    await write('base_model.model.lm_head.lora_A.weight', [4, 32]);
    assert.equal((await refusal(join(root, 'a'))).id, 'adapter.layer');
    await write(layer, [4, 32]);
    assert.equal((await refusal(join(root, 'a'))).id, 'adapter.half');
    await write(layer, [4, 40]);
    assert.equal((await refusal(join(root, 'a'))).id, 'adapter.shape');
    rmSync(join(root, 'a/adapter_model.safetensors'));
    assert.equal((await refusal(join(root, 'a'))).id, 'adapter.noWeights');
  });
});
