import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import { type Feed, State } from '../../server/device/program.ts';
import { gradient } from '../../server/graph/gradient.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph, size, type Tensor } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../server/model/base.ts';
import { type AttentionContext, cachedContext, causalContext, paddedContext } from '../../server/model/block.ts';
import { CacheStore } from '../../server/model/cache/store.ts';
import { type ModelConfig, parseModelConfig } from '../../server/model/config/config.ts';
import { Random } from '../../server/random.ts';
import { onEachDevice } from '../support/devices.ts';
import { evaluate } from '../support/evaluate.ts';
import { assertClose } from '../support/reference.ts';

const sizes = {
  vocab_size: 29,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
};
const [batch, length] = [2, 6];

const models: Record<string, object> = {
  llama: { model_type: 'llama', architectures: ['LlamaForCausalLM'] },
  'llama, tied': { model_type: 'llama', architectures: ['LlamaForCausalLM'], tie_word_embeddings: true },
  'qwen2, biases': { model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'] },
  'qwen3, head norms': { model_type: 'qwen3', architectures: ['Qwen3ForCausalLM'], head_dim: 8 },
};

/** Random values for every parameter; norms near 1. */
function draw(graph: Graph): Record<string, Float32Array> {
  const random = new Random(3);
  return Object.fromEntries(
    [...graph.parameters].map(([name, { shape }]) => {
      const centre = name.includes('norm') ? 1 : 0;
      return [name, Float32Array.from({ length: size(shape) }, () => centre + 0.2 * random.normal())];
    }),
  );
}

/** Loss and all its gradients. */
function trainStep(config: ModelConfig, contextOf: (graph: Graph) => AttentionContext) {
  const graph = new Graph();
  const ids = graph.input('ids', 'int32', [batch, length]);
  const { h } = hiddenStates(graph, config, ids, contextOf(graph));
  const loss = nextTokenLoss(languageHead(graph, config, h), ids);
  const parameters = [...graph.parameters.values()];
  const gradients = gradient(loss, parameters);
  const names = [...graph.parameters.keys()];
  const outputs: Record<string, Tensor> = { loss };
  for (const [i, name] of names.entries()) outputs[name] = gradients[i];
  return { graph, outputs };
}

const ids = Int32Array.from({ length: batch * length }, (_, i) => (i * 7 + 3) % sizes.vocab_size);

describe('a training step of a transformer stays on the device', () => {
  let cpu: Device;
  before(async () => {
    cpu = await Device.open('cpu');
  });
  after(() => cpu.dispose());

  onEachDevice((device) => {
    for (const [name, kind] of Object.entries(models)) {
      it(`${name}: as on the CPU, and as the loss changes`, async () => {
        const config = parseModelConfig({ ...sizes, ...kind }, 'config.json');
        const { graph, outputs } = trainStep(config, (g) => causalContext(g, config, batch, length));
        const weights = draw(graph);
        const feeds = { ids, ...weights };
        const actual = await evaluate(device(), outputs, feeds, { strict: true });
        const expected = await evaluate(cpu, outputs, feeds);
        for (const key of Object.keys(outputs)) assertClose(actual[key], expected[key], 1e-4, key);

        // The loss along a random direction, against the same projection of the gradients.
        const random = new Random(5);
        const directions = Object.entries(weights).map(([key, w]) => [key, w.map(() => random.normal())] as const);
        const moved = async (by: number) => {
          const there = Object.fromEntries(
            directions.map(([key, v]) => [key, weights[key].map((w, i) => w + by * v[i])]),
          );
          return (await evaluate(cpu, { loss: outputs.loss }, { ids, ...there })).loss[0];
        };
        const slope = ((await moved(1e-3)) - (await moved(-1e-3))) / 2e-3;
        let projected = 0;
        for (const [key, v] of directions) for (let i = 0; i < v.length; i++) projected += v[i] * actual[key][i];
        assert(Math.abs(projected - slope) < 1e-2 * Math.max(1, Math.abs(slope)), `${projected} for ${slope}`);
      });
    }

    it('with padding on the left', async () => {
      const config = parseModelConfig({ ...sizes, ...models.llama }, 'config.json');
      const { graph, outputs } = trainStep(config, (g) =>
        paddedContext(
          g,
          config,
          g.input('positions', 'int64', [batch, length]),
          g.input('attended', 'float32', [batch, length]),
        ),
      );
      const feeds: Record<string, Feed> = {
        ids,
        positions: BigInt64Array.of(0n, 0n, 0n, 1n, 2n, 3n, 0n, 1n, 2n, 3n, 4n, 5n),
        attended: Float32Array.of(0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
        ...draw(graph),
      };
      const actual = await evaluate(device(), outputs, feeds, { strict: true });
      const expected = await evaluate(cpu, outputs, feeds);
      for (const key of Object.keys(outputs)) assertClose(actual[key], expected[key], 1e-4, key);
    });

    it('a cached step gives what the whole sequence gives', async () => {
      const config = parseModelConfig({ ...sizes, ...models.llama }, 'config.json');
      const { kvHeads, headDim } = config;
      const capacity = 8;
      const whole = new Graph();
      const all = hiddenStates(whole, config, whole.input('ids', 'int32', [1, 3]), causalContext(whole, config, 1, 3));
      const weights = draw(whole);
      const tokens = Int32Array.of(4, 11, 2);
      const expected = (await evaluate(cpu, { h: all.h }, { ids: tokens, ...weights })).h;

      const graph = new Graph();
      const store = new CacheStore(config, 2, device().onHost);
      const context = cachedContext(graph, config, capacity, store.placing(graph, 1, 1));
      const caches = store.inputs(graph, 1, capacity);
      const step = hiddenStates(graph, config, graph.input('ids', 'int32', [1, 1]), context, caches);
      const kept = store.outputs(step.caches);
      const program = await device().compile({ h: step.h, ...kept.outputs }, { carried: kept.carried, strict: true });
      const state = new State();
      const shape = [1, kvHeads, capacity, headDim];
      for (const name of ['keys.0', 'values.0', 'keys.1', 'values.1']) {
        state.set(name, await device().upload(new Float32Array(size(shape)), 'float32', shape));
      }
      const h: number[] = [];
      for (const [t, token] of tokens.entries()) {
        const slotOf = Int32Array.of(t);
        const feeds = {
          ids: Int32Array.of(token),
          positions: BigInt64Array.of(BigInt(t)),
          slot_of: slotOf,
          filled: slotOf,
          ...store.slots(slotOf, 1, 1),
          ...weights,
        };
        const results = await program.run(feeds, { states: [state] });
        store.keep(state, results, slotOf);
        assert.deepEqual(Object.keys(results), ['h']);
        h.push(...(await results.h.readFloats()));
        results.h.release();
      }
      state.dispose();
      await program.dispose();
      assertClose(h, expected, 1e-4);
    });
  });

  it('strict compiling refuses what would leave an accelerator', async function () {
    if (process.env.COLA_TEST_WEBGPU !== '1') {
      // On the CPU nothing can leave: the option changes nothing.
      const x = new Graph().input('x', 'float32', [2]);
      await evaluate(
        cpu,
        { y: x.graph.node('IsNaN' as never, [x], 'bool', [2]) },
        { x: new Float32Array(2) },
        { strict: true },
      );
      return;
    }
    this.timeout(120_000);
    const device = await Device.open('webgpu');
    const x = new Graph().input('x', 'float32', [2]);
    const outputs = { y: ops.cast(x.graph.node('IsNaN' as never, [x], 'bool', [2]), 'float32') };
    await assert.rejects(device.compile(outputs, { strict: true }), { id: 'device.failed' });
    assert.deepEqual((await evaluate(device, outputs, { x: Float32Array.of(Number.NaN, 1) })).y, [1, 0]);
    await device.dispose();
    assert.deepEqual({ ...device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
  });
});
