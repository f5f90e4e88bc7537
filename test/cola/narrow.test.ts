/** Modules that are narrower than their base: derivatives by differences, decoding, folders, and every stage with them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headConfig, moduleWeights } from '../../server/cola/config.ts';
import { Decoder } from '../../server/cola/decoder.ts';
import { exportModel } from '../../server/cola/export.ts';
import { cloneLoss } from '../../server/cola/losses.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { codebook, headOn, worldModel, worldModelAll } from '../../server/cola/modules.ts';
import { lossUnder } from '../../server/cola/saying.ts';
import { gradient } from '../../server/graph/gradient.ts';
import * as ops from '../../server/graph/ops.ts';
import { size } from '../../server/graph/tensor.ts';
import { hiddenStates } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { LanguageModel, uploadWeights } from '../../server/model/language-model.ts';
import { argmaxOf } from '../../server/model/sampling.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { prepareModules } from '../../server/train/run/initialise.ts';
import { specParts } from '../../server/train/run/spec-memory.ts';
import { errorOf } from '../store/scratch.ts';
import { itMainly, onEachDevice } from '../support/devices.ts';
import { assertClose } from '../support/reference.ts';
import { Bench, settingsOf, specOf, stages, tinyBase } from '../support/runs.ts';

const fixture = join(import.meta.dirname, '../fixtures/cola/n8-plain/base');
const sizes = { data: 'x.txt', codes: 8, idm_layers: 1, policy_layers: 2, merge_layers: 2 };
const controlOf = (settings: object) =>
  toRunSpec(runSpec.parse({ model: 'x', stages: [{ control: { ...sizes, ...settings } }] })).stages[0];

/** Fresh modules of half the width, on the base of a fixture. */
async function narrowModel(): Promise<ColaModel> {
  const base = await LanguageModel.load(fixture);
  const model = prepareModules(controlOf({ width: base.config.hiddenSize / 2 }), base, undefined, 5);
  assert(model !== undefined);
  return model;
}

const [rows, length] = [2, 6];
const ids = Int32Array.from({ length: rows * length }, (_, i) => 3 + ((7 * i) % 29));

onEachDevice((device, name) => {
  describe('modules of half the width of their base', function () {
    this.timeout(300_000);

    // Of what it is made of, `graph/ops` and `check` try the gradients on every device.
    itMainly(name, 'have the gradients that differences have', async () => {
      const model = await narrowModel();
      const { config, base } = { config: model.config, base: model.base.config };
      const learned = [...model.tensorsOf('policy'), ...model.tensorsOf('world')];
      const names = learned.map(({ name }) => name);
      for (const name of ['policy.narrow.weight', 'merge.narrow.weight', 'merge.widen.weight', 'codebook.weight'])
        assert(names.includes(name), name);
      const graph = device().graph();
      const tokens = graph.input('ids', 'int32', [rows, length]);
      const context = causalContext(graph, base, rows, length);
      const h = ops.stopGradient(hiddenStates(graph, base, tokens, context).h);
      const actions = graph.constant(
        Int32Array.from({ length: rows * (length - 1) }, (_, i) => (3 * i) % config.numCodes),
        'int32',
        [rows, length - 1],
      );
      const world = lossUnder({ graph, config: base, cola: config, ids: tokens, h, context }, actions);
      const logits = headOn(graph, base, config, 'policy', h, context);
      const loss = ops.add(ops.mean(world), cloneLoss(logits, actions));
      const parameters = names.map((name) => graph.parameters.get(name)!);
      const gradients = gradient(loss, parameters);
      const outputs = Object.fromEntries(names.map((name, i) => [`grad.${name}`, gradients[i]]));
      const program = await device().compile({ loss, ...outputs });
      const weights = new Map(model.allWeights);
      const state = await uploadWeights(device(), weights, [...model.base.tensors, ...model.tensors]);
      const run = async () => {
        const results = await program.run({ ids }, { states: [state] });
        const values = new Map<string, Float32Array>();
        for (const [name, buffer] of Object.entries(results)) {
          values.set(name, (await buffer.readFloats()).slice());
          buffer.release();
        }
        return values;
      };
      const here = await run();
      for (const { name, shape } of learned) {
        const slope = here.get(`grad.${name}`)!;
        const norm = Math.sqrt(slope.reduce((sum, x) => sum + x * x, 0));
        assert(norm > 1e-4, `${name} has no gradient`);
        // Steps that change the loss by about a hundredth, so that float32 has three digits of it.
        const step = Math.min(0.02, 5e-3 / norm);
        const own = weights.get(name)!;
        const lossAt = async (sign: number) => {
          const moved = own.map((x, i) => x + (sign * step * slope[i]) / norm);
          state.set(name, await device().upload(moved, 'float32', shape));
          return (await run()).get('loss')![0];
        };
        const difference = ((await lossAt(1)) - (await lossAt(-1))) / (2 * step);
        assertClose([difference], [norm], 0.02 * norm + 2e-4, name);
        state.set(name, await device().upload(own.slice(), 'float32', shape));
      }
      state.dispose();
      await program.dispose();
    });

    it('decode as whole sequences have it, and all codes at once as each by itself', async () => {
      const model = await narrowModel();
      const { config, base } = { config: model.config, base: model.base.config };
      const n = config.numCodes;
      const decoder = new Decoder(device(), model, { parts: { preview: true } });
      const cache = await decoder.cache(1, 16);
      const steps: { policy: number[]; tokens: number[] }[] = [];
      for (const id of ids.subarray(0, length)) {
        const { policyLogits, action, token, nextTokens } = await decoder.step(cache, [[id]]);
        assert.equal(action[0], argmaxOf(policyLogits, 0, n));
        assert.equal(token[0], nextTokens?.[action[0]]);
        steps.push({ policy: [...policyLogits], tokens: [...nextTokens!] });
      }
      cache.dispose();
      await decoder.dispose();

      const graph = device().graph();
      const tokens = graph.input('ids', 'int32', [1, length]);
      const context = causalContext(graph, base, 1, length);
      const { h } = hiddenStates(graph, base, tokens, context);
      const states = ops.reshape(h, [length, base.hiddenSize]);
      const all = worldModelAll(graph, base, config, states);
      const each = Array.from({ length: n }, (_, code) => {
        const codes = graph.constant(new Int32Array(length).fill(code), 'int32', [length]);
        return worldModel(graph, base, config, states, ops.gather(codebook(graph, base, config), codes));
      });
      const outputs = { policy: headOn(graph, base, config, 'policy', h, context), all };
      const program = await device().compile({ ...outputs, each: ops.concat(each, 1), best: ops.argmax(all) });
      const state = await uploadWeights(device(), model.allWeights, [...model.base.tensors, ...model.tensors]);
      const results = await program.run({ ids: ids.slice(0, length) }, { states: [state] });
      const [policy, together, apart] = await Promise.all(
        ['policy', 'all', 'each'].map(async (name) => [...(await results[name].readFloats())]),
      );
      assertClose(together, apart, 1e-4, 'all codes');
      assertClose(
        policy,
        steps.flatMap((each) => each.policy),
        1e-4,
        'policy',
      );
      assert.deepEqual(
        [...(await results.best.readInts())],
        steps.flatMap((each) => each.tokens),
      );
      for (const buffer of Object.values(results)) buffer.release();
      state.dispose();
      await program.dispose();
    });
  });
});

describe('a width of the modules', function () {
  this.timeout(180_000);
  const bench = Bench.forTests();
  const half = tinyBase.hidden / 2;
  let narrow: string;

  before(async () => {
    const control = { ...settingsOf('control', 2), width: half };
    narrow = await bench.run([{ control }, stages(2).clone], bench.cola);
  });

  it('is in the folder, which loads as it was saved and is exported', async () => {
    const model = await ColaModel.load(narrow);
    assert.equal(model.config.width, half);
    const shapes = new Map(model.tensors.map(({ name, shape }) => [name, shape]));
    const { intermediateSize, heads, headDim } = model.base.config;
    assert.deepEqual(shapes.get('policy.narrow.weight'), [half, tinyBase.hidden]);
    assert.deepEqual(shapes.get('policy.blocks.0.self_attn.q_proj.weight'), [heads * headDim, half]);
    assert.deepEqual(shapes.get('policy.blocks.0.mlp.up_proj.weight'), [intermediateSize / 2, half]);
    assert.deepEqual(shapes.get('merge.widen.weight'), [tinyBase.hidden, half]);
    const target = join(bench.root, 'half');
    assert((await exportModel(narrow, target, 'F16')).largest < 1e-2);
    const copy = await ColaModel.load(target);
    assert.deepEqual(copy.config, model.config);
    assert.deepEqual([...copy.weights.keys()].sort(), [...model.weights.keys()].sort());
  });

  it('that is not what the weights have is refused', async () => {
    const target = join(bench.root, 'spoilt');
    await exportModel(narrow, target, 'F32');
    const file = join(target, 'cola.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as object;
    for (const [width, id] of [
      [half / 2, 'cola.shape'],
      [undefined, 'cola.extra'],
      [0, 'cola.config'],
      [1.5, 'cola.config'],
      [1e9, 'cola.config'],
    ] as const) {
      writeFileSync(file, JSON.stringify({ ...json, width }));
      await assert.rejects(ColaModel.load(target), errorOf(id), String(width));
    }
  });

  it('beyond that of the base is refused, and that of the base changes nothing', async () => {
    await assert.rejects(
      bench.run([{ control: { ...settingsOf('control', 2), width: tinyBase.hidden + 1 } }]),
      errorOf('train.setting', /width/),
    );
    const run = async (settings: object) =>
      ColaModel.load(await bench.run([{ control: { ...settingsOf('control', 2), ...settings } }]));
    const [without, same] = [await run({}), await run({ width: tinyBase.hidden })];
    assert.deepEqual(same.weights, without.weights);
    assert(!('width' in (JSON.parse(readFileSync(join(same.folder, 'cola.json'), 'utf8')) as object)));
  });

  for (const name of ['guide policy', 'guide inverse', 'grpo', 'ppo', 'q', 'expert'] as const)
    it(`goes through ${name}`, async () => {
      const { config, weights } = await ColaModel.load(await bench.run([stages(2)[name]], narrow));
      assert.equal(config.width, half);
      for (const values of weights.values()) assert(values.every(Number.isFinite));
    });

  it('is counted by fit: weights, gradients and moments', async () => {
    const spec = specOf(bench.cola, [{ control: { ...settingsOf('control', 2), width: half } }, stages(2).clone]);
    const { config, parts } = await specParts(join(bench.root, 'x.cola.yaml'), {}, spec);
    const model = await ColaModel.load(narrow);
    assert.equal(headConfig(config, model.config).hiddenSize, half);
    const { idm, world, policy } = moduleWeights(config, model.config);
    const floats = (tensors: typeof idm) => tensors.reduce((n, { shape }) => n + size(shape), 0);
    const training = parts.filter(({ what }) => what.includes('training')).map(({ memory }) => memory());
    assert.deepEqual(
      training.map(({ moments }) => moments / 8),
      [floats([...idm, ...world]), floats(policy)],
    );
  });

  it('begins with numbers whose size is that of the width', async () => {
    const model = await narrowModel();
    const w = model.base.config.hiddenSize / 2;
    const deviation = (name: string) => {
      const values = model.weight(name);
      return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    };
    assertClose([deviation('merge.0.w1.weight') / Math.sqrt(2 / (5 * w))], [1], 0.1);
    assertClose([deviation('policy.narrow.weight') / Math.sqrt(1 / (5 * w))], [1], 0.15);
  });
});
