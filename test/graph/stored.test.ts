import assert from 'node:assert/strict';
import type { Device } from '../../server/device/device.ts';
import { linear } from '../../server/graph/functions.ts';
import { gradient } from '../../server/graph/gradient.ts';
import * as ops from '../../server/graph/ops.ts';
import type { MemoryWeight } from '../../server/graph/stored.ts';
import type { Graph, Tensor } from '../../server/graph/tensor.ts';
import { blocks, halves, widened } from '../../server/model/weights/quantise.ts';
import { onEachDevice } from '../support/devices.ts';

const [vocabulary, width] = [40, 96];
const random = Float32Array.from({ length: vocabulary * width }, (_, i) => Math.sin(i * i) * 0.1);

function weight(form: MemoryWeight['form']): MemoryWeight {
  const { weight, put } = form === 'f16' ? halves([vocabulary, width]) : blocks(form, [vocabulary, width]);
  put(random, 0);
  return weight;
}

/** Rows of an embedding, and what a tied head makes of them, with the gradient of its input. */
function model(graph: Graph, count: number): Record<string, Tensor> {
  const table = graph.parameter('w', [vocabulary, width]);
  const rows = ops.gather(table, graph.input('ids', 'int32', [1, count]));
  const turned = graph.parameter('x', [1, count, width]);
  const logits = linear(ops.add(rows, turned), table);
  const loss = ops.sum(ops.mul(logits, logits));
  return { rows, logits, back: gradient(loss, [turned])[0] };
}

async function computed(
  device: Device,
  count: number,
  frozen: Map<string, Float32Array>,
): Promise<Record<string, Float32Array>> {
  const program = await device.compile(model(device.graph(), count), { frozen });
  const x = Float32Array.from({ length: count * width }, (_, i) => Math.cos(3 * i));
  const ids = Int32Array.from({ length: count }, (_, i) => (7 * i) % vocabulary);
  const out: Record<string, Float32Array> = {};
  for (const [name, buffer] of Object.entries(await program.run({ ids, x }))) {
    out[name] = (await buffer.readFloats()).slice();
    buffer.release();
  }
  await program.dispose();
  return out;
}

const distance = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / b.reduce((sum, x) => sum + x * x, 0));

describe('a program over stored weights', () => {
  onEachDevice((device, name) => {
    for (const form of ['f16', 'int8', 'int4'] as const) {
      // Few rows are multiplied with a copy that the runtime lays out; many read the one that is in memory.
      for (const count of name === 'cpu' ? [1, 8, 40] : [8]) {
        it(`of ${form} computes what one over the widened weights does, for ${count} rows`, async () => {
          const stored = weight(form);
          const wanted = await computed(device(), count, new Map([['w', widened(stored)]]));
          const over = device().over(new Map([['w', stored]]), true);
          const found = await computed(over, count, new Map());
          assert.deepEqual(found.rows, wanted.rows);
          assert(distance(found.logits, wanted.logits) < 1e-6, `logits ${distance(found.logits, wanted.logits)}`);
          assert(distance(found.back, wanted.back) < 1e-6, `back ${distance(found.back, wanted.back)}`);
          // The fast products round what is multiplied to 8 bits: within 2 %, and not the same where they are used.
          const fast = await computed(device().over(new Map([['w', stored]])), count, new Map());
          assert(distance(fast.logits, wanted.logits) < 0.02, `fast ${distance(fast.logits, wanted.logits)}`);
          if (name === 'cpu' && form !== 'f16' && count < 32)
            assert(distance(fast.logits, wanted.logits) > 1e-4, 'the fast products are used');
        });
      }
    }

    it('takes no other parameter for one of them', async () => {
      const over = device().over(new Map([['other', weight('int4')]]));
      const frozen = new Map([['w', random]]);
      assert.deepEqual(await computed(over, 2, frozen), await computed(device(), 2, frozen));
    });
  });
});
