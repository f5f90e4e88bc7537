import assert from 'node:assert/strict';
import { Device } from '../../../server/device/device.ts';
import { cut, planCrossing } from '../../../server/graph/cut.ts';
import { crossEntropy } from '../../../server/graph/functions.ts';
import * as ops from '../../../server/graph/ops.ts';
import { elementSize, reachable, size, type Tensor } from '../../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../../server/model/base.ts';
import { causalContext } from '../../../server/model/block.ts';
import { parseModelConfig } from '../../../server/model/config/config.ts';
import { LanguageModel, uploadWeights } from '../../../server/model/language-model.ts';
import { expectedTensors } from '../../../server/model/weights/weights.ts';
import { Random } from '../../../server/random.ts';
import { Chain, CrossingMemory } from '../../../server/train/optimizer/chain.ts';
import { matricesDecay, Optimizer } from '../../../server/train/optimizer/optimizer.ts';
import type { Sharing } from '../../../server/train/optimizer/step-program.ts';

const [batch, length] = [3, 24];

function drawModel(seed: number, tied: boolean): LanguageModel {
  const random = new Random(seed);
  const config = parseModelConfig(
    {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_act: 'silu',
      rms_norm_eps: 1e-5,
      vocab_size: 67,
      hidden_size: 24,
      intermediate_size: 40,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 64,
      tie_word_embeddings: tied,
    },
    'drawn',
  );
  const weights = new Map(
    expectedTensors(config).map(({ name, shape }) => [
      name,
      Float32Array.from({ length: size(shape) }, () => (/norm/.test(name) ? 1 : 0.2 * random.normal())),
    ]),
  );
  return new LanguageModel('', config, undefined, weights);
}

const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 0.5, decays: matricesDecay };

describe('a training step that gives way', () => {
  let device: Device;
  before(async () => {
    device = await Device.open('cpu', { threads: 2 });
  });
  after(() => device.dispose());

  function objective({ config }: LanguageModel) {
    const graph = device.graph();
    const ids = graph.input('ids', 'int32', [batch, length]);
    const targets = graph.input('targets', 'int32', [batch, length]);
    const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, batch, length));
    const losses = crossEntropy(languageHead(graph, config, h), targets);
    // Weights that the loss does not depend on have zeros as gradients, one tensor for two of them.
    for (const name of ['idle.a', 'idle.b']) graph.parameter(name, [5]);
    return { loss: ops.mean(losses), metrics: { losses, again: ops.mean(losses) } };
  }

  /** Losses and weights after three steps of two micro-batches. */
  async function trained(model: LanguageModel, sharing: Sharing) {
    const weights = await uploadWeights(device, model.weights, model.tensors);
    for (const name of ['idle.a', 'idle.b'])
      weights.set(name, await device.upload(new Float32Array(5).fill(1), 'float32', [5]));
    const names = [...model.tensors.map(({ name }) => name), 'idle.a', 'idle.b'];
    const optimizer = await Optimizer.create(device, objective(model), names, weights, [], settings, sharing);
    const random = new Random(5);
    const draw = () => Int32Array.from({ length: batch * length }, () => Math.floor(random.uniform() * 67));
    const seen: unknown[] = [];
    try {
      for (let step = 0; step < 3; step++) {
        const feeds = () => ({ ids: draw(), targets: draw() });
        seen.push(await optimizer.step([feeds(), feeds()], 1e-3));
      }
      for (const name of names) seen.push((await weights.get(name).readFloats()).slice());
    } finally {
      await optimizer.dispose();
      weights.dispose();
    }
    return seen;
  }

  for (const tied of [false, true]) {
    it(`computes the same numbers bit for bit${tied ? ', with a head that is the embedding' : ''}`, async () => {
      const whole = await trained(drawModel(1, tied), {});
      for (const longest of [4e-3, 1e-4]) {
        let turns = 0;
        const turn = async () => void turns++;
        const pieces = await trained(drawModel(1, tied), { turn, longestRun: () => longest });
        assert.deepEqual(pieces, whole);
        // Each of the six micro-batches has given way.
        if (longest === 1e-4) assert.ok(turns > 15, `${turns} turns`);
      }
    });
  }

  it('makes a product that takes too long in rows, each number as in the whole', async () => {
    const random = new Random(6);
    const draw = (n: number) => Float32Array.from({ length: n }, () => random.normal());
    const [rows, inner, width] = [300, 130, 1400];
    const graph = device.graph();
    const x = graph.input('x', 'float32', [rows, inner]);
    const y = graph.input('y', 'float32', [width, inner]);
    // All forms that a head has, forwards and backwards, and a product without a transposed side.
    const logits = ops.gemm(x, y, false, true);
    const outputs = {
      forth: ops.sumOfSquares(logits),
      back: ops.gemm(logits, y),
      weights: ops.gemm(logits, x, true),
      plain: ops.matmul(logits, y),
      viewed: ops.reshape(ops.gemm(logits, y), [rows * inner]),
    };
    const feeds = { x: draw(rows * inner), y: draw(width * inner) };
    const program = await device.compile(outputs);
    const chain = await Chain.compile(device, outputs, {
      limit: 1e-4,
      memory: new CrossingMemory(),
      into: ['back', 'weights', 'plain'],
    });
    try {
      const sizes = { back: rows * inner, weights: width * inner, plain: rows * inner };
      const into = Object.fromEntries(Object.entries(sizes).map(([name, n]) => [name, new Float32Array(n).fill(7)]));
      let turns = 0;
      const pieces = await chain.run(feeds, { into }, async () => void turns++);
      const whole = await program.run(feeds);
      for (const name of Object.keys(outputs)) {
        const made = into[name] ?? (await pieces[name].readFloats());
        assert.deepEqual(made, await whole[name].readFloats(), name);
      }
      // Five products, and four of them in several parts each.
      assert.ok(turns >= 12, `${turns} turns`);
    } finally {
      await program.dispose();
      await chain.dispose();
    }
  });

  it('may be cut and joined again at any time', async () => {
    const whole = await trained(drawModel(2, false), {});
    let n = 0;
    const mixed = await trained(drawModel(2, false), {
      longestRun: () => [Number.POSITIVE_INFINITY, 2e-3, 4e-3][n++ % 3],
    });
    assert.ok(n > 3);
    assert.deepEqual(mixed, whole);
  });

  it('leaves nothing behind', async () => {
    const { programs, bytes } = device.ledger;
    await trained(drawModel(3, true), { longestRun: () => 2e-3 });
    assert.deepEqual({ programs: device.ledger.programs, bytes: device.ledger.bytes }, { programs, bytes });
  });

  it('keeps what crosses apart as long as it is needed', () => {
    const { loss, metrics } = objective(drawModel(4, false));
    const wanted = [loss, ...Object.values(metrics)];
    const pieces = cut(reachable(wanted), wanted, 5e-5);
    assert.ok(pieces.length > 3);
    const plan = planCrossing(pieces, new Set(wanted));
    const bytes = (tensor: Tensor) => size(tensor.shape) * elementSize[tensor.dtype];
    const lastUse = (tensor: Tensor) => pieces.findLastIndex(({ given }) => given.includes(tensor));
    let sum = 0;
    for (const [k, { makes }] of pieces.entries()) {
      const alive = pieces
        .slice(0, k + 1)
        .flatMap((_, j) => [...plan.offsets[j]].filter(([t]) => j === k || lastUse(t) >= k));
      const ordered = alive.sort(([, a], [, b]) => a - b);
      for (const [i, [tensor, offset]] of ordered.entries()) {
        const next = ordered[i + 1]?.[1] ?? plan.bytes;
        assert.ok(offset + bytes(tensor) <= next, `piece ${k}`);
      }
      for (const tensor of makes) if (!wanted.includes(tensor)) sum += bytes(tensor);
    }
    assert.ok(plan.bytes <= sum + 64 * 200);
  });
});
