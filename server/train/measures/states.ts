/** Hidden states of a base over held-out text: of some positions, with what follows them, and their mean. */
import type { ColaModel } from '../../cola/model.ts';
import { headOn } from '../../cola/modules.ts';
import type { Device } from '../../device/device.ts';
import type { State } from '../../device/program.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { hiddenStates } from '../../model/base.ts';
import { type AttentionContext, causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { LanguageModel } from '../../model/language-model.ts';
import type { Feeds } from '../supervised.ts';
import { type ChunkedWork, paddedInts, runInChunks } from './chunks.ts';

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

/** A text as it goes through the base in one run. */
export interface TextRead {
  readonly graph: Graph;
  readonly config: ModelConfig;
  /** Sequences in the run. */
  readonly rows: number;
  /** `[rows,T]`. */
  readonly ids: Tensor;
  readonly context: AttentionContext;
  /** `[rows,T,d]`. */
  readonly h: Tensor;
}

export interface TextWork {
  /** Most sequences in a run; as many as hidden states alone allow, if not given. */
  readonly chunk?: number;
  /** What is made of the states in a run. */
  build(read: TextRead): Record<string, Tensor>;
  /** Inputs of a run beside the ids, padded as in {@link ChunkedWork}. */
  feeds?(start: number, end: number, rows: number): Feeds;
  take: ChunkedWork['take'];
}

/** Reads a text run by run, and hands on what is made of its hidden states. */
export async function readText(reader: Reader, text: Sequences, work: TextWork): Promise<void> {
  const { config } = reader.base;
  const { length } = text;
  await runInChunks(reader.device, {
    total: text.count,
    chunk: work.chunk ?? Math.max(1, Math.floor(tokensInRun / length)),
    weights: reader.weights,
    signal: reader.signal,
    build: (graph, rows) => {
      const ids = graph.input('ids', 'int32', [rows, length]);
      const context = causalContext(graph, config, rows, length);
      const { h } = hiddenStates(graph, config, ids, context);
      return work.build({ graph, config, rows, ids, context, h });
    },
    feeds: (start, end, rows) => ({
      ids: paddedInts(text.ids, length, start, end, rows),
      ...work.feeds?.(start, end, rows),
    }),
    take: work.take,
  });
}

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
  const { hiddenSize: d } = reader.base.config;
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
  await readText(reader, text, {
    build: ({ graph, config, context, h }) => ({
      h,
      policy: headOn(graph, config, cola.config, 'policy', h, context),
    }),
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
  const sum = new Float64Array(reader.base.config.hiddenSize);
  await readText(reader, text, {
    build: ({ h }) => ({ mean: ops.mean(h, [1]) }),
    take: (values, _start, count) => {
      const mean = values.floats('mean');
      for (let i = 0; i < count * sum.length; i++) sum[i % sum.length] += mean[i];
    },
  });
  return sum.map((x) => x / text.count);
}
