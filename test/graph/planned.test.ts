import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { storedTensor } from '../../server/device/buffer.ts';
import { ort } from '../../server/device/runtime.ts';
import { Arena } from '../../server/graph/arena.ts';
import { gradient } from '../../server/graph/gradient.ts';
import { inputName, writeOnnx } from '../../server/graph/onnx.ts';
import * as ops from '../../server/graph/ops.ts';
import { plannedMemory } from '../../server/graph/planned.ts';
import { type MemoryWeight, type StoredWeight, StoredWriter, widenedBy } from '../../server/graph/stored.ts';
import { Graph, type Node, size, type Tensor } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { loadModelConfig } from '../../server/model/config/config.ts';
import { blocks, halves } from '../../server/model/weights/quantise.ts';

const folder = join(import.meta.dirname, '../fixtures/hf/llama-gqa');

const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, bool: Uint8Array } as const;

/** Bytes of all buffers that the runtime makes in a run, by its own account. */
async function madeByRuntime(
  outputs: Readonly<Record<string, Tensor>>,
  outside: readonly string[],
  weights: ReadonlyMap<string, StoredWeight> = new Map(),
): Promise<number> {
  const place = mkdtempSync(join(tmpdir(), 'cola-planned-'));
  try {
    const file = join(place, 'nodes.csv');
    const writer = new StoredWriter(weights, { level: 0, onHost: true, widens: () => true });
    const { bytes, inputs, stored } = writeOnnx(outputs, new Map(), new Set(), writer);
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      enableMemPattern: false,
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
      extra: {
        session: { collect_node_memory_stats_to_file: file },
        optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
      },
    });
    const value = ({ dtype, shape }: Tensor) => new ort.Tensor(dtype, new arrays[dtype](size(shape)) as never, shape);
    const feeds = Object.fromEntries([
      ...inputs.map((input) => [inputName(input), value(input)] as const),
      ...stored.map((part) => [part.name, storedTensor(part)] as const),
    ]);
    const fetches = Object.entries(outputs).map(
      ([name, tensor]) => [`out:${name}`, outside.includes(name) ? value(tensor) : null] as const,
    );
    await session.run(feeds, Object.fromEntries(fetches));
    await session.release();
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
    return lines.reduce((sum, line) => sum + Number(line.split(',')[3]), 0);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

describe('the memory that the runtime plans', () => {
  for (const recompute of [false, true]) {
    it(`is that of its own account, ${recompute ? 'with blocks that are computed again' : 'of a training step'}`, async () => {
      const config = await loadModelConfig(folder);
      const graph = new Graph({ recompute, strip: 32 });
      const ids = graph.input('ids', 'int32', [2, 128]);
      const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, 2, 128));
      const loss = nextTokenLoss(languageHead(graph, config, h), ids);
      const names = [...graph.parameters.keys()];
      const gradients = gradient(loss, [...graph.parameters.values()]);
      let squares = graph.scalar(0);
      for (const each of gradients) squares = ops.add(squares, ops.sumOfSquares(each));
      const outputs = { loss, ...Object.fromEntries(names.map((name, i) => [name, gradients[i]])), squares };
      const { requested, bytes } = plannedMemory([loss, ...gradients, squares], gradients);
      const made = await madeByRuntime(outputs, names);
      assert.ok(Math.abs(requested / made - 1) < 0.02, `${requested} planned, ${made} made`);
      assert.ok(bytes < 1.2 * made);
    });
  }

  for (const form of ['int8', 'f16'] as const) {
    it(`is that of its own account, with weights in ${form} that it widens for each product`, async () => {
      const config = await loadModelConfig(folder);
      const graph = new Graph({ strip: 32 });
      const ids = graph.input('ids', 'int32', [2, 64]);
      const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, 2, 64));
      const turned = ops.add(h, graph.parameter('turned', [config.hiddenSize]));
      const loss = nextTokenLoss(languageHead(graph, config, turned), ids);
      const [back] = gradient(loss, [graph.parameter('turned', [config.hiddenSize])]);
      const weights = new Map<string, MemoryWeight>();
      for (const [name, { shape }] of graph.parameters)
        if (shape.length === 2)
          weights.set(name, form === 'f16' ? halves(shape).weight : blocks(form, [shape[0], shape[1]]).weight);
      const widened = (node: Node) =>
        widenedBy(
          node,
          (name) => weights.get(name)?.form,
          () => true,
        ).map(({ shape }) => 4 * size(shape));
      const outputs = { loss, back };
      const { requested } = plannedMemory([loss, back], [], widened);
      const made = await madeByRuntime(outputs, [], weights);
      assert.ok(Math.abs(requested / made - 1) < 0.02, `${requested} planned, ${made} made`);
      assert.ok(requested > plannedMemory([loss, back]).requested, 'what is widened counts');
    });
  }

  it('holds a buffer for a tensor of the same shape that comes later', () => {
    const graph = new Graph();
    const wide = graph.input('wide', 'float32', [64, 64]);
    const tall = graph.input('tall', 'float32', [32, 64]);
    const product = (x: Tensor, y: Tensor) => ops.matmul(x, y);
    const first = product(wide, wide);
    const between = product(product(product(tall, first), wide), wide);
    const again = product(product(wide, ops.matmul(ops.transposeLast(between), between)), wide);
    const { requested } = plannedMemory([ops.sum(again)]);
    // `first`, two of `between` and two behind it.
    assert.ok(requested <= 2 * 64 * 64 * 4 + 2 * 32 * 64 * 4 + 8, `${requested}`);
  });
});

describe('the arena of the runtime', () => {
  it('takes what has become free again, and the system no more than what was asked for at once', () => {
    const arena = new Arena();
    for (let i = 0; i < 10; i++) arena.give(arena.take(300_000));
    assert.equal(arena.touched, 300_000);
  });

  it('has room for all that is there at once, and gives none of it twice', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 3e6 }), fc.nat(7)), { maxLength: 60 }), (steps) => {
        const arena = new Arena();
        const held: ReturnType<Arena['take']>[] = [];
        let [alive, most, all] = [0, 0, 0];
        const sizes = new Map<object, number>();
        for (const [bytes, drop] of steps) {
          const chunk = arena.take(bytes);
          for (const other of held) {
            const apart =
              other.region !== chunk.region ||
              other.start + (sizes.get(other) ?? 0) <= chunk.start ||
              chunk.start + bytes <= other.start;
            assert.ok(apart);
          }
          sizes.set(chunk, bytes);
          held.push(chunk);
          alive += bytes;
          all += bytes;
          most = Math.max(most, alive);
          if (drop < 5 && held.length > 0) {
            const [gone] = held.splice(drop % held.length, 1);
            alive -= sizes.get(gone) ?? 0;
            arena.give(gone);
          }
        }
        assert.ok(arena.touched >= most && arena.touched <= all);
      }),
    );
  });
});
