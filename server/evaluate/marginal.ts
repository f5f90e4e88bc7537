/** The language model that is left when the latent action is summed out, beside the base. */
import type { ColaModel } from '../cola/model.ts';
import { marginalLogProbabilities } from '../cola/modules.ts';
import { logSoftmax } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { languageHead } from '../model/base.ts';
import {
  type ChunkedWork,
  defaultBudget,
  paddedFloats,
  paddedInts,
  rowsWithin,
  runInChunks,
} from '../train/measures/chunks.ts';
import type { Figures } from '../train/measures/figures.ts';
import { collectStates, type Reader, type Sequences, type States } from '../train/measures/states.ts';

/**
 * With p(x) = sum_i pi(i) p_world(x | i) (paper, appendix D.4), over evenly spread positions of held-out text, in nats:
 *
 * - `cross_entropy`, `base_cross_entropy`: mean of -log p(x_{t+1}) and of -log p_base(x_{t+1}), where there is a next token;
 * - `kl_marginal_base`: mean of sum_x p (log p - log p_base); `kl_base_marginal`: mean of sum_x p_base (log p_base - log p).
 *
 * @param limit most positions
 * @param budget numbers that the largest tensor of a run, `[R,N,V]`, may hold
 */
export async function measureMarginal(
  reader: Reader,
  cola: ColaModel,
  text: Sequences,
  limit: number,
  budget = defaultBudget,
): Promise<Figures> {
  const { config } = reader.base;
  const states = await collectStates(reader, cola, text, { limit, last: true });
  const sums = { cross_entropy: 0, base_cross_entropy: 0, kl_marginal_base: 0, kl_base_marginal: 0 };
  let predicted = 0;
  await atStates(reader, cola, states, budget, {
    build: ({ graph, h, marginal, targets }) => {
      const base = logSoftmax(languageHead(graph, config, h));
      const kl = (p: Tensor, q: Tensor) => ops.sum(ops.mul(ops.exp(p), ops.sub(p, q)), [-1]);
      return {
        cross_entropy: ops.neg(ops.pick(marginal, targets)),
        base_cross_entropy: ops.neg(ops.pick(base, targets)),
        kl_marginal_base: kl(marginal, base),
        kl_base_marginal: kl(base, marginal),
      };
    },
    take: (values, start, count) => {
      for (let i = 0; i < count; i++) {
        sums.kl_marginal_base += values.floats('kl_marginal_base')[i];
        sums.kl_base_marginal += values.floats('kl_base_marginal')[i];
        if (states.targets[start + i] < 0) continue;
        predicted++;
        sums.cross_entropy += values.floats('cross_entropy')[i];
        sums.base_cross_entropy += values.floats('base_cross_entropy')[i];
      }
    },
  });
  return {
    cross_entropy: sums.cross_entropy / predicted,
    base_cross_entropy: sums.base_cross_entropy / predicted,
    kl_marginal_base: sums.kl_marginal_base / states.count,
    kl_base_marginal: sums.kl_base_marginal / states.count,
  };
}

/** -log p(x_{t+1}) of the marginal at every state. */
export async function marginalLosses(
  reader: Reader,
  cola: ColaModel,
  states: States,
  budget = defaultBudget,
): Promise<Float32Array> {
  const losses = new Float32Array(states.count);
  await atStates(reader, cola, states, budget, {
    build: ({ marginal, targets }) => ({ loss: ops.neg(ops.pick(marginal, targets)) }),
    take: (values, start, count) => losses.set(values.floats('loss').subarray(0, count), start),
  });
  return losses;
}

interface StatesWork {
  /** What is made of a run's states: h `[R,d]`, log p of the marginal `[R,V]`, and the next tokens `[R]`. */
  build(at: { graph: Graph; h: Tensor; marginal: Tensor; targets: Tensor }): Record<string, Tensor>;
  take: ChunkedWork['take'];
}

/** Runs work on the marginal at given states. A state that no token follows has token 0 as its target. */
async function atStates(reader: Reader, cola: ColaModel, states: States, budget: number, work: StatesWork) {
  const { config } = reader.base;
  const { hiddenSize: d, vocabSize } = config;
  const n = cola.config.numCodes;
  const next = states.targets.map((id) => Math.max(id, 0));
  await runInChunks(reader.device, {
    total: states.count,
    chunk: rowsWithin(budget, n * vocabSize),
    weights: reader.weights,
    signal: reader.signal,
    build: (graph, rows) => {
      const h = graph.input('h', 'float32', [rows, d]);
      const targets = graph.input('targets', 'int32', [rows]);
      const policy = graph.input('policy', 'float32', [rows, n]);
      const marginal = marginalLogProbabilities(graph, config, cola.config, h, policy);
      return work.build({ graph, h, marginal, targets });
    },
    feeds: (start, end, rows) => ({
      h: paddedFloats(states.h, d, start, end, rows),
      policy: paddedFloats(states.policy, n, start, end, rows),
      targets: paddedInts(next, 1, start, end, rows),
    }),
    take: work.take,
  });
}
