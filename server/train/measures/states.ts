/** Hidden states of a base over held-out text: of some positions, with what follows them, and their mean. */
import type { ColaModel } from '../../cola/model.ts';
import { headOn } from '../../cola/modules.ts';
import type { Device } from '../../device/device.ts';
import type { State } from '../../device/program.ts';
import * as ops from '../../graph/ops.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { hiddenStates } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { LanguageModel } from '../../model/language-model.ts';
import { paddedInts, runInChunks } from './chunks.ts';

/** Sequences of one length: ids int32 `[S,T]`. */
export interface Sequences {
  readonly ids: Int32Array;
  readonly count: number;
  readonly length: number;
}

/** What reading a text needs of a model. {@link Subject} has it all. */
export interface Reader {
  readonly device: Device;
  readonly base: LanguageModel;
  readonly weights: State;
  readonly signal?: AbortSignal;
}

/** Tokens in a run that only makes hidden states. */
const tokensInRun = 4096;

/** Sequences in such a run. */
export const sequencesInRun = (length: number) => Math.max(1, Math.floor(tokensInRun / length));

/** At most `limit` of the numbers 0..n-1, evenly spread and in order; all of them where there are no more. */
export function spread(n: number, limit: number): Int32Array {
  const count = Math.min(n, limit);
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * n) / count));
}

export interface States {
  readonly count: number;
  /** `[K,d]`. */
  readonly h: Float32Array;
  /** l_pi, `[K,N]`. */
  readonly policy: Float32Array;
  /** The token that follows each state; -1 at the end of a sequence. */
  readonly targets: Int32Array;
}

export interface StateSelection {
  /** Most states, evenly spread over all positions. */
  readonly limit: number;
  /** Whether the last position of a sequence, which nothing follows, is a position. */
  readonly last: boolean;
}

/** States at evenly spread positions of a text, and the policy's logits there. */
export async function collectStates(
  reader: Reader,
  cola: ColaModel,
  text: Sequences,
  { limit, last }: StateSelection,
): Promise<States> {
  const { config } = reader.base;
  const { hiddenSize: d } = config;
  const n = cola.config.numCodes;
  const { length } = text;
  const perSequence = last ? length : length - 1;
  const picked = spread(text.count * perSequence, limit);
  const states = {
    count: picked.length,
    h: new Float32Array(picked.length * d),
    policy: new Float32Array(picked.length * n),
    targets: new Int32Array(picked.length),
  };
  let next = 0;
  await runInChunks(reader.device, {
    total: text.count,
    chunk: sequencesInRun(length),
    weights: reader.weights,
    signal: reader.signal,
    build: (graph, rows) => {
      const ids = graph.input('ids', 'int32', [rows, length]);
      const context = causalContext(graph, config, rows, length);
      const { h } = hiddenStates(graph, config, ids, context);
      return { h, policy: headOn(graph, config, cola.config, 'policy', h, context) };
    },
    feeds: (start, end, rows) => ({ ids: paddedInts(text.ids, length, start, end, rows) }),
    take: (values, start, count) => {
      const [h, policy] = [values.floats('h'), values.floats('policy')];
      for (; next < picked.length && picked[next] < (start + count) * perSequence; next++) {
        const [row, at] = [Math.floor(picked[next] / perSequence), picked[next] % perSequence];
        const place = (row - start) * length + at;
        states.h.set(h.subarray(place * d, (place + 1) * d), next * d);
        states.policy.set(policy.subarray(place * n, (place + 1) * n), next * n);
        states.targets[next] = at === length - 1 ? -1 : text.ids[row * length + at + 1];
      }
    },
  });
  return states;
}

/** Mean hidden state over all positions of a text, `[d]`: the centre that similarities are taken around. */
export async function meanState(reader: Reader, text: Sequences): Promise<Float64Array> {
  const { config } = reader.base;
  const { length } = text;
  const sum = new Float64Array(config.hiddenSize);
  await runInChunks(reader.device, {
    total: text.count,
    chunk: sequencesInRun(length),
    weights: reader.weights,
    signal: reader.signal,
    build: (graph, rows): Record<string, Tensor> => {
      const ids = graph.input('ids', 'int32', [rows, length]);
      const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, rows, length));
      return { mean: ops.mean(h, [1]) };
    },
    feeds: (start, end, rows) => ({ ids: paddedInts(text.ids, length, start, end, rows) }),
    take: (values, _start, count) => {
      const mean = values.floats('mean');
      for (let i = 0; i < count * sum.length; i++) sum[i % sum.length] += mean[i];
    },
  });
  return sum.map((x) => x / text.count);
}
