import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { blockSize, type MemoryWeight, storedBytes } from '../../server/graph/stored.ts';
import { parseModelConfig } from '../../server/model/config/config.ts';
import { partsTold } from '../../server/model/weights/held.ts';
import { bytesIn, chosenPrecision, fillingFor, formOf } from '../../server/model/weights/precision.ts';
import { blocks, halves, widened } from '../../server/model/weights/quantise.ts';

const file = join(import.meta.dirname, '../fixtures/hf/llama-gqa/config.json');
const LLAMA = parseModelConfig(JSON.parse(readFileSync(file, 'utf8')), file);

const rows = fc.integer({ min: 1, max: 4 });
const values = (count: number) =>
  fc.float32Array({ minLength: count, maxLength: count, noNaN: true, min: -1000, max: 1000 });
const matrices = fc
  .tuple(rows, fc.integer({ min: 1, max: 3 }))
  .chain(([n, k]) => values(n * k * blockSize).map((x) => ({ shape: [n, k * blockSize] as const, x })));

function stored(form: 'int8' | 'int4', shape: readonly [number, number], x: Float32Array): MemoryWeight {
  const { weight, put } = blocks(form, shape);
  put(x, 0);
  return weight;
}

/** A weight of a block. */
const layer = (...shape: number[]) => ({ name: 'model.layers.0.mlp.up_proj.weight', shape });

describe('weights in blocks', () => {
  for (const form of ['int8', 'int4'] as const) {
    it(`of ${form} are within half a step of what they were, and within one at the end that has no number`, () => {
      fc.assert(
        fc.property(matrices, ({ shape, x }) => {
          const weight = stored(form, shape, x);
          assert(weight.form !== 'f16');
          const again = widened(weight);
          for (const [i, value] of x.entries()) {
            const step = Math.abs(weight.scales[Math.floor(i / blockSize)]);
            // Of 4 bits the highest number is 7, and the lowest -8.
            const past = form === 'int4' && value / weight.scales[Math.floor(i / blockSize)] > 7.5;
            const limit = (past ? 1 : 0.5) * step * (1 + 1e-5) + 1e-30;
            assert(Math.abs(again[i] - value) <= limit, `${value} became ${again[i]}, step ${step}`);
          }
        }),
      );
    });

    it(`of ${form} keep what is in the blocks already, as files that were written so have it`, () => {
      fc.assert(
        fc.property(matrices, ({ shape, x }) => {
          const once = stored(form, shape, x);
          assert(once.form !== 'f16');
          const twice = stored(form, shape, widened(once));
          const [a, b] = [widened(once), widened(twice)];
          const scale = (i: number) => Math.abs(once.scales[Math.floor(i / blockSize)]);
          for (const [i, value] of a.entries()) assert(Math.abs(b[i] - value) <= 1e-5 * 128 * scale(i) + 1e-30);
        }),
      );
    });
  }

  it('can be filled piece by piece, and take the bytes that are planned', () => {
    const x = Float32Array.from({ length: 6 * 64 }, (_, i) => Math.sin(i) * (i % 50));
    for (const precision of ['f16', 'int8', 'int4'] as const) {
      const [whole, parts] = [fillingFor(precision, layer(6, 64))!, fillingFor(precision, layer(6, 64))!];
      whole.put(x, 0);
      for (const first of [0, 160, 192])
        parts.put(x.subarray(first, first === 0 ? 160 : first === 160 ? 192 : 384), first);
      assert.deepEqual(parts.weight, whole.weight);
      assert.equal(storedBytes(whole.weight), bytesIn(precision, layer(6, 64)));
    }
  });

  it('of zeros are zeros', () => {
    for (const form of ['int8', 'int4'] as const)
      assert(widened(stored(form, [1, 32], new Float32Array(32))).every((x) => x === 0));
    const { weight, put } = halves([3]);
    put(Float32Array.of(0, 1 / 3, -65504), 0);
    assert.deepEqual(widened(weight), Float32Array.of(0, 0.333251953125, -65504));
  });
});

describe('the precision of a base', () => {
  it('keeps the embedding and the head in 8 bits where the rest is in 4', () => {
    for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
      const table = { name, shape: [8, 64] };
      assert.deepEqual(
        (['f32', 'f16', 'int8', 'int4'] as const).map((precision) => formOf(precision, table)),
        [undefined, 'f16', 'int8', 'int8'],
      );
      assert.equal(bytesIn('int4', table), bytesIn('int8', layer(8, 64)));
    }
    assert.equal(formOf('int4', layer(8, 64)), 'int4');
  });

  it('leaves norms, biases and odd rows in float32', () => {
    assert.equal(formOf('int4', layer(64)), undefined);
    assert.equal(formOf('int4', layer(8, 48)), undefined);
    assert.equal(formOf('int8', layer(8, 64)), 'int8');
    assert.equal(formOf('f16', layer(8, 48)), 'f16');
    assert.equal(formOf('f32', layer(8, 64)), undefined);
    assert.equal(bytesIn('int4', layer(8, 48)), 4 * 8 * 48);
  });

  it('follows from the size alone where nobody chose it', () => {
    assert.equal(chosenPrecision('auto', LLAMA), 'f32');
    assert.equal(chosenPrecision('int4', LLAMA), 'int4');
    const large = { ...LLAMA, hiddenSize: 2048, intermediateSize: 8192, layers: 16, vocabSize: 128_256 };
    assert.equal(chosenPrecision('auto', large), 'int8');
  });
});

describe('a large model that is brought into its form', () => {
  const layers = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      name: `model.layers.${i}.mlp.up_proj.weight`,
      shape: [10_000, 10_000],
    }));
  const told = (count: number) => {
    const said: string[] = [];
    const tell = partsTold(layers(count), 'Bringing the weights into int4', (text) => said.push(text));
    for (const layer of layers(count)) tell(layer);
    return said;
  };

  it('is told at its beginning and in tenths, and not at its end', () => {
    assert.deepEqual(told(40), [
      'Bringing the weights into int4 (4.0 billion).',
      ...[10, 20, 30, 40, 50, 60, 70, 80, 90].map((part) => `Bringing the weights into int4: ${part} %`),
    ]);
  });

  it('says nothing of a small one, which takes seconds', () => {
    assert.deepEqual(told(9), []);
  });
});
