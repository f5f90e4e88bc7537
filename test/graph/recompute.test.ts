import assert from 'node:assert/strict';
import { join } from 'node:path';
import { gradient } from '../../server/graph/gradient.ts';
import { liveness } from '../../server/graph/liveness.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { LanguageModel, uploadWeights } from '../../server/model/language-model.ts';
import { itOnce, onEachDevice } from '../support/devices.ts';

const folder = join(import.meta.dirname, '../fixtures/hf/llama-gqa');
const [rows, length] = [2, 24];

onEachDevice((device, name) => {
  describe('blocks that are computed again in the backward pass', function () {
    this.timeout(120_000);
    let model: LanguageModel;
    before(async () => {
      model = await LanguageModel.load(folder);
    });

    function lossAndGradients(graph: Graph) {
      const { config, tensors } = model;
      const ids = graph.input('ids', 'int32', [rows, length]);
      const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, rows, length));
      const loss = nextTokenLoss(languageHead(graph, config, h), ids);
      const gradients = gradient(
        loss,
        tensors.map(({ name, shape }) => graph.parameter(name, shape)),
      );
      return { loss, gradients };
    }

    itOnce(name, 'give the same loss and gradients, bit for bit', async () => {
      const weights = await uploadWeights(device(), model.weights, model.tensors);
      const feeds = { ids: Int32Array.from({ length: rows * length }, (_, i) => (i * 37 + 5) % 300) };
      const results: Float32Array[][] = [];
      for (const recompute of [false, true]) {
        const { loss, gradients } = lossAndGradients(device().graph({ recompute }));
        const outputs = Object.fromEntries(gradients.map((each, i) => [`g${i}`, each]));
        const program = await device().compile({ loss, ...outputs });
        const out = await program.run(feeds, { states: [weights] });
        const values: Float32Array[] = [];
        for (const buffer of Object.values(out)) {
          values.push((await buffer.readFloats()).slice());
          buffer.release();
        }
        results.push(values);
        await program.dispose();
      }
      weights.dispose();
      const [kept, again] = results;
      assert.ok(kept[0][0] > 1 && kept.length === model.tensors.length + 1);
      assert.deepEqual(again, kept);
    });
  });
});

describe('the memory of blocks that are computed again', () => {
  it('grows with the states between them, not with what is inside', async () => {
    const { config, tensors } = await LanguageModel.load(folder);
    const peak = (layers: number, recompute: boolean) => {
      const graph = new Graph({ recompute });
      const ids = graph.input('ids', 'int32', [4, 64]);
      const { h } = hiddenStates(graph, { ...config, layers }, ids, causalContext(graph, config, 4, 64));
      const loss = nextTokenLoss(languageHead(graph, config, h), ids);
      const names = tensors.filter(({ name }) => graph.parameters.has(name));
      const gradients = gradient(
        loss,
        names.map(({ name, shape }) => graph.parameter(name, shape)),
      );
      return liveness([loss, ...gradients], { outside: gradients }).peak;
    };
    const state = 4 * 64 * config.hiddenSize * 4;
    const more = (peak(8, true) - peak(4, true)) / 4;
    assert.ok(more > 0.9 * state && more < 2 * state, `${more} bytes a block, ${state} of its state`);
    assert.ok((peak(8, false) - peak(4, false)) / 4 > 5 * more);
  });
});
