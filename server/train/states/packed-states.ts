/** Kept hidden states of stages that learn from packed rows under a frozen base. */
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { hiddenStates } from '../../model/base.ts';
import type { AttentionContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { readingMemory } from '../../model/memory.ts';
import type { ExpectedTensor } from '../../model/weights/weights.ts';
import type { DataSpec } from '../../spec/settings/parts.ts';
import type { PackedData } from '../data.ts';
import { type MemoryPart, microRows } from '../run/memory-parts.ts';
import type { StageContext } from '../stage.ts';
import { stepsOf } from '../stages/pretrain.ts';
import { KeptStates } from './kept-states.ts';

/** What such a stage says of its rows. */
export interface PackedSettings {
  readonly data: DataSpec;
  readonly held_out?: DataSpec | undefined;
  readonly steps: number;
  readonly tokens?: number | undefined;
  readonly batch: number;
  readonly accumulate: number;
  readonly length: number;
  readonly cache_states: boolean;
}

/**
 * h `[B,T,d]` of such rows as a constant: as an input where it is kept, otherwise by the base.
 *
 * @param ids int32 `[B,T]`
 */
export function rowStates(
  graph: Graph,
  config: ModelConfig,
  ids: Tensor,
  context: AttentionContext,
  kept: boolean,
): Tensor {
  return kept
    ? graph.input('hidden', 'float32', [...ids.shape, config.hiddenSize])
    : ops.stopGradient(hiddenStates(graph, config, ids, context).h);
}

/** Rows that a stage reads in all, each counted whenever it is read. */
export const rowsRead = (settings: PackedSettings): number => stepsOf(settings) * settings.batch;

/** Undefined where none are to be kept. @param shape of a micro-batch @throws train.noDisk, store.cannotWrite */
export async function keptStates(
  settings: PackedSettings,
  context: StageContext,
  data: PackedData,
  shape: { readonly rows: number; readonly length: number },
): Promise<KeptStates | undefined> {
  if (!settings.cache_states) return undefined;
  try {
    return await KeptStates.open(context, data, shape, rowsRead(settings));
  } catch (error) {
    data.close();
    throw error;
  }
}

export async function closeAll(data: PackedData, states: KeptStates | undefined): Promise<void> {
  data.close();
  await states?.close();
}

/**
 * The program of the base that makes the states; none where they are made in the step.
 *
 * @param beside weights of the modules that the stage has beside the base
 */
export function readingPart(
  config: ModelConfig,
  settings: PackedSettings,
  length: number,
  beside: readonly ExpectedTensor[],
): MemoryPart[] {
  const rows = microRows(settings);
  if (!settings.cache_states) return [];
  return [
    {
      what: `reading ${rows} x ${length}`,
      memory: (precision = 'f32') => readingMemory(config, rows, length, beside, precision),
    },
  ];
}
