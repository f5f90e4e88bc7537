/** Where the latent actions lead. */
import type { ColaModel } from '../../cola/model.ts';
import { worldModelAll } from '../../cola/modules.ts';
import type { Device } from '../../device/device.ts';
import type { State } from '../../device/program.ts';
import * as ops from '../../graph/ops.ts';
import { defaultBudget, paddedFloats, rowsWithin, runInChunks } from './chunks.ts';

/** The token that every code leads to: h `[K,d]` -> m int32 `[K,N]`. */
export async function codeTokens(
  device: Device,
  weights: State,
  cola: ColaModel,
  h: Float32Array,
  budget = defaultBudget,
): Promise<Int32Array> {
  const { config } = cola.base;
  const { hiddenSize: d, vocabSize } = config;
  const n = cola.config.numCodes;
  const total = h.length / d;
  const tokens = new Int32Array(total * n);
  await runInChunks(device, {
    total,
    chunk: rowsWithin(budget, n * vocabSize),
    weights,
    build: (graph, rows) => {
      const states = graph.input('h', 'float32', [rows, d]);
      return { tokens: ops.argmax(worldModelAll(graph, config, cola.config, states)) };
    },
    feeds: (start, end, rows) => ({ h: paddedFloats(h, d, start, end, rows) }),
    take: (values, start, count) => tokens.set(values.ints('tokens').subarray(0, count * n), start * n),
  });
  return tokens;
}
