/** What reads one window of a text with a model that is loaded: the states that every head is asked about. */
import type { Graph, Tensor } from '../graph/tensor.ts';
import { hiddenStates } from '../model/base.ts';
import { type AttentionContext, causalContext } from '../model/block.ts';
import type { LoadedModel } from './loaded-model.ts';

/** Tokens of a window, at most. */
export const longestWindow = 256;

/** Tokens in a window of a model, W. */
export const windowOf = (model: LoadedModel): number => Math.min(longestWindow, model.context);

/** The beginning of a program over a window. Inputs: `ids` int32 `[1,W]`, and the model's states. */
export interface WindowStates {
  readonly graph: Graph;
  /** `[1,W,d]`. */
  readonly h: Tensor;
  readonly context: AttentionContext;
  /** Weights that are compiled in: those that are in no state. */
  readonly frozen: ReadonlyMap<string, Float32Array>;
}

export function windowStates(model: LoadedModel): WindowStates {
  const { cola, states } = model;
  const { config } = cola.base;
  const length = windowOf(model);
  const graph = model.device.graph();
  const context = causalContext(graph, config, 1, length);
  const { h } = hiddenStates(graph, config, graph.input('ids', 'int32', [1, length]), context);
  const frozen = new Map([...cola.allWeights].filter(([name]) => !states.some((state) => state.has(name))));
  return { graph, h, context, frozen };
}
