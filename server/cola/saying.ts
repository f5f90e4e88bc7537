/**
 * Does a code say anything? Codes may all be in use, and L_pred far below the base's loss, while choosing one changes nothing
 * that is written: the inverse dynamics knows the next token, and merge and codebook adapt to it. What is here cannot be had
 * without something being said.
 */
import { crossEntropy } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { hiddenStates } from '../model/base.ts';
import type { AttentionContext } from '../model/block.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { ColaConfig } from './config.ts';
import { codebook, inverseDynamics, marginalLogProbabilities, worldModel } from './modules.ts';

/** A text that was read: ids `[R,T]`, h `[R,T,d]`. */
export interface ReadText {
  readonly graph: Graph;
  readonly config: ModelConfig;
  readonly cola: ColaConfig;
  readonly ids: Tensor;
  readonly h: Tensor;
  readonly context: AttentionContext;
}

/** What stands at one place of each row: h `[R,T,d]`, places int32 `[R]` -> `[R,d]`. */
export function statesAt(h: Tensor, places: Tensor): Tensor {
  const [rows, length, d] = h.shape;
  return ops.gather(ops.reshape(h, [rows * length, d]), inRows(places, length));
}

/** Places in rows of a length as places in the rows under each other. */
function inRows(places: Tensor, length: number): Tensor {
  const [rows] = places.shape;
  const starts = places.graph.constant(
    Int32Array.from({ length: rows }, (_, row) => row * length),
    'int32',
    [rows],
  );
  return ops.add(places, starts);
}

/** -log p_world(x_{t+1} | a_t) at all places but the last of each row: actions int32 `[R,T-1]` -> `[R,T-1]`. */
export function lossUnder({ graph, config, cola, ids, h }: ReadText, actions: Tensor): Tensor {
  const { shape } = ids;
  const c = ops.gather(codebook(graph, config, cola), actions);
  const world = worldModel(graph, config, cola, ops.slice(h, 1, 0, shape[1] - 1), c);
  return crossEntropy(world, ops.slice(ids, 1, 1, shape[1]));
}

/**
 * Whether the inverse dynamics names a code that was forced: at one place of each row the token that the world model writes
 * under the code takes the place of the next one, the row is read again, and the inverse dynamics looks at that place.
 *
 * @param places int32 `[R]`, below T - 1
 * @param codes int32 `[R]`
 * @returns 1 or 0, `[R]`
 */
export function namesForced(read: ReadText, places: Tensor, codes: Tensor): Tensor {
  const { graph, config, cola, ids, context } = read;
  const [rows, length] = ids.shape;
  const c = ops.gather(codebook(graph, config, cola), codes);
  const written = ops.argmax(worldModel(graph, config, cola, statesAt(read.h, places), c));
  const column = (x: Tensor) => ops.reshape(x, [rows, 1]);
  const each = graph.constant(
    Int32Array.from({ length }, (_, t) => t),
    'int32',
    [1, length],
  );
  const next = ops.equal(each, column(ops.add(places, 1)));
  const { h } = hiddenStates(graph, config, ops.where(next, column(written), ids), context);
  const named = ops.argmax(inverseDynamics(graph, config, cola, h, context));
  const flat = ops.reshape(named, [rows * (length - 1), 1]);
  const found = ops.reshape(ops.gather(flat, inRows(places, length - 1)), [rows]);
  return ops.cast(ops.equal(found, codes), 'float32');
}

/**
 * What an action says at one place of each row, in nats: -log p(x_{t+1}) of the marginal, less that under the action `[R]`.
 *
 * @param actions of the inverse dynamics, int32 `[R,T-1]`
 * @param policyLogits `[R,T,N]`
 */
export function saidAt(read: ReadText, places: Tensor, actions: Tensor, policyLogits: Tensor): Tensor {
  const { graph, config, cola, ids } = read;
  const [rows, length] = ids.shape;
  const n = cola.numCodes;
  const flat = (x: Tensor, width: number) => ops.reshape(x, [rows * width, 1]);
  const targets = ops.reshape(ops.gather(flat(ids, length), inRows(ops.add(places, 1), length)), [rows]);
  const taken = ops.reshape(ops.gather(flat(actions, length - 1), inRows(places, length - 1)), [rows]);
  const policy = ops.gather(ops.reshape(policyLogits, [rows * length, n]), inRows(places, length));
  const h = statesAt(read.h, places);
  const marginal = ops.pick(marginalLogProbabilities(graph, config, cola, h, policy), targets);
  const c = ops.gather(codebook(graph, config, cola), taken);
  return ops.neg(ops.add(marginal, crossEntropy(worldModel(graph, config, cola, h, c), targets)));
}
