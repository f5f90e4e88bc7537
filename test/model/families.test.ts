/** Families against transformers: the folders in fixtures/families were written by it, with what it computes from them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { gradient } from '../../server/graph/gradient.ts';
import { Graph, type Tensor } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { parseModelConfig } from '../../server/model/config/config.ts';
import { families } from '../../server/model/families/index.ts';
import { baseStepper, LanguageModel } from '../../server/model/language-model.ts';
import { seedOss } from '../support/added-family.ts';
import { itMainly, itOnce, onEachDevice } from '../support/devices.ts';

const fixtures = join(import.meta.dirname, '../fixtures/families');
/** Places of which the logits are kept. */
const places = [0, 1, 30, 69];

function close(found: Float32Array, wanted: Float32Array, what: string): void {
  assert.equal(found.length, wanted.length, what);
  const scale = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  assert(scale > 0, what);
  const worst = found.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i])), 0);
  assert(worst < 1e-4 * scale, `${what}: off by ${worst} of ${scale}`);
}

onEachDevice((device, on) => {
  describe('families of models', () => {
    before(() => {
      families.push(seedOss);
    });
    after(() => {
      families.splice(families.indexOf(seedOss), 1);
    });

    const windows = ['mistral-window', 'qwen3-window'];
    for (const name of ['smollm3', 'qwen3-yarn', 'llama-yarn', 'seed-oss', 'gemma2', 'gemma3', 'phi3', ...windows]) {
      // YaRN changes constants of the graph, and none of its ops; the others' ops are those of Gemma 2, or are in every block.
      const spared = /yarn|window|gemma3|phi3/.test(name) ? itOnce : name === 'gemma2' ? undefined : itMainly;
      const test = spared?.bind(null, on) ?? it;
      test(`${name}: logits, loss, gradients and cached steps are those of transformers`, async () => {
        const folder = join(fixtures, name);
        const model = await LanguageModel.load(folder);
        const { config } = model;
        using expected = SafetensorsFile.open(join(folder, 'expected.safetensors'));
        const ids = expected.readInt32('ids');
        const [batch, length] = expected.info('ids').shape;
        const graph = new Graph();
        const tokens = graph.input('ids', 'int32', [batch, length]);
        const context = causalContext(graph, config, batch, length);
        const { h } = hiddenStates(graph, config, tokens, context);
        const logits = languageHead(graph, config, h);
        const loss = nextTokenLoss(logits, tokens);
        const learned = expected.names.filter((n) => n.startsWith('grad.')).map((n) => n.slice(5));
        assert(learned.length > 1);
        const parameters = learned.map((n) => graph.parameters.get(n)).filter((p): p is Tensor => p !== undefined);
        assert.equal(parameters.length, learned.length);
        const gradients = gradient(loss, parameters);
        const outputs = Object.fromEntries(learned.map((n, i) => [`grad.${n}`, gradients[i]]));
        const program = await device().compile({ logits, loss, ...outputs }, { frozen: model.weights });
        const results = await program.run({ ids });
        const all = await results.logits.readFloats();
        const wanted = expected.readFloat32('logits');
        const v = config.vocabSize;
        for (let b = 0; b < batch; b++) {
          for (const [i, t] of places.entries()) {
            const at = b * length + t;
            const row = (b * places.length + i) * v;
            close(all.slice(at * v, (at + 1) * v), wanted.slice(row, row + v), `logits of row ${b}, place ${t}`);
          }
        }
        close(await results.loss.readFloats(), expected.readFloat32('loss'), 'loss');
        for (const n of Object.keys(outputs)) close(await results[n].readFloats(), expected.readFloat32(n), n);
        for (const buffer of Object.values(results)) buffer.release();
        await program.dispose();

        const stepper = baseStepper(device(), model);
        const cache = await stepper.cache(batch, length);
        const rows = Array.from({ length: batch }, (_, b) => ids.subarray(b * length, (b + 1) * length));
        (
          await stepper.advance(
            cache,
            rows.map((row) => row.subarray(0, length - 1)),
          )
        ).logits.release();
        const { logits: last } = await stepper.advance(
          cache,
          rows.map((row) => row.subarray(length - 1)),
        );
        const stepped = await last.readFloats();
        const end = wanted.filter((_, i) => Math.floor(i / v) % places.length === places.length - 1);
        close(stepped, end, 'the last step');
        last.release();
        cache.dispose();
        await stepper.dispose();
      });
    }
  });
});

describe('the configuration of a family', () => {
  const read = (name: string) => JSON.parse(readFileSync(join(fixtures, name, 'config.json'), 'utf8')) as object;
  const parse = (json: object) => parseModelConfig(json, 'config.json');

  it('is unknown where nobody has added it', () => {
    assert.throws(() => parse(read('seed-oss')), { id: 'config.architecture' });
  });

  it('of SmolLM3 says which layers do not turn, by a list or by an interval', () => {
    const smollm3 = read('smollm3');
    assert.deepEqual(parse(smollm3).unrotatedLayers, [3]);
    assert.deepEqual(parse({ ...smollm3, no_rope_layers: [0, 1, 1, 1, 0] }).unrotatedLayers, [0, 4]);
    const silent = { ...smollm3, no_rope_layers: null, no_rope_layer_interval: 2, rope_parameters: undefined };
    assert.deepEqual(parse(silent).unrotatedLayers, [1, 3]);
    assert.equal(parse(silent).rope.theta, 2e6);
    for (const no_rope_layers of [[1, 1], [1, 1, 2, 1, 1], 'all'])
      assert.throws(() => parse({ ...smollm3, no_rope_layers }), { id: 'config.value', message: /no_rope_layers/ });
    assert.throws(() => parse({ ...smollm3, no_rope_layers: null, no_rope_layer_interval: 0 }), { id: 'config.value' });
    const slides = { ...smollm3, use_sliding_window: true, sliding_window: 32, layer_types: undefined };
    assert.deepEqual(parse(slides).sliding, { window: 32, layers: [3] });
  });

  it('takes what transformers takes where YaRN is silent', () => {
    const yarn = { rope_type: 'yarn', factor: 4, rope_theta: 10000 };
    assert.deepEqual(parse({ ...read('qwen3-yarn'), rope_parameters: yarn }).rope, {
      type: 'yarn',
      theta: 10000,
      factor: 4,
      betaFast: 32,
      betaSlow: 1,
      originalMaxPositionEmbeddings: 256,
      truncate: true,
      attentionFactor: 0.1 * Math.log(4) + 1,
    });
  });
});
