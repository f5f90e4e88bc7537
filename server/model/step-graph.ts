/** The graph of cached decoding: T new tokens of B sequences behind a key-value cache. */
import type { Graph, Tensor } from '../graph/tensor.ts';
import { embeddingName, headName } from './base.ts';
import { type AttentionContext, type BlockCache, cachedContext, type UpdatedCache } from './block.ts';
import type { CacheStore, StemShape } from './cache/store.ts';
import type { ModelConfig } from './config/config.ts';

/** What a step's graph is given. */
export interface StepInputs {
  /** int32 `[B,T]`. */
  readonly ids: Tensor;
  readonly context: AttentionContext;
  readonly caches: readonly BlockCache[];
  /** Flat index b T + t of the last new token of each row, int32 `[B]`; n times side by side, `[Bn]`, where n choices are made there. */
  readonly last: Tensor;
}

export interface StepGraph {
  /** Number of blocks that keep keys and values. */
  readonly cachedBlocks: number;
  /** What is wanted, and the cache of each cached block with the new tokens. */
  build(graph: Graph, inputs: StepInputs): { outputs: Record<string, Tensor>; caches: readonly UpdatedCache[] };
}

export interface StepShape {
  readonly batch: number;
  readonly length: number;
  readonly capacity: number;
  readonly stem?: StemShape | undefined;
  /** How often the last token of each row is looked at; 1, if not given. */
  readonly choices?: number | undefined;
}

/** The graph that reads T new tokens of B sequences behind caches of S slots: what is wanted of them, and what is kept. */
export function stepOutputs(
  graph: Graph,
  config: ModelConfig,
  step: StepGraph,
  store: CacheStore,
  { batch, length, capacity, stem, choices = 1 }: StepShape,
): { all: Record<string, Tensor>; carried: string[] } {
  const ids = graph.input('ids', 'int32', [batch, length]);
  const last = graph.input('last', 'int32', [batch * choices]);
  const context = cachedContext(graph, config, capacity, store.placing(graph, batch, length, stem));
  const built = step.build(graph, { ids, context, caches: store.inputs(graph, batch, capacity, stem), last });
  const kept = store.outputs(built.caches);
  return { all: { ...built.outputs, ...kept.outputs }, carried: kept.carried };
}

/**
 * Rows of the product with a weight of the base where a step reads T tokens of B sequences: the head reads the last of each only,
 * once for every choice.
 *
 * @returns undefined for an embedding that is no head
 */
export function stepProductRows(
  { tieWordEmbeddings: tied }: ModelConfig,
  name: string,
  { batch, length, choices = 1 }: Pick<StepShape, 'batch' | 'length' | 'choices'>,
): number | undefined {
  if (name === headName || (tied && name === embeddingName)) return batch * choices;
  return name === embeddingName ? undefined : batch * length;
}
