/**
 * Next-token training of all weights of the base, or full fine-tuning of a loaded one. Sequences are packed without a mask
 * between documents (method of the paper's data, section 4.1).
 */

import { unmasked } from '../../data/unlearned.ts';
import { crossEntropy, maskedMean } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import { hiddenStates, languageHead } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { expectedTensors } from '../../model/weights/weights.ts';
import type { PretrainSettings } from '../../spec/settings/supervised.ts';
import { stages } from '../../spec/stages.ts';
import { packedBatches, packedData } from '../data.ts';
import { trainErrors } from '../errors.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import type { Sharding } from '../shards/shards.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Stage, StageContext } from '../stage.ts';
import type { StageKind } from '../stage-kind.ts';
import { type Feeds, SupervisedStage } from '../supervised.ts';

/** Steps of a stage whose length may be given in tokens. */
export function stepsOf(settings: {
  readonly steps: number;
  readonly tokens?: number | undefined;
  readonly batch: number;
  readonly length: number;
}): number {
  return settings.tokens === undefined
    ? settings.steps
    : Math.max(1, Math.round(settings.tokens / (settings.batch * settings.length)));
}

/** How a step's batch is cut. */
export interface BatchCut {
  /** Sequences in a held-out micro-batch. */
  readonly batch: number;
  /** Sequences in one that is learned from; fewer where the step is cut into shards. */
  readonly rows: number;
  /** How many of them a step has. */
  readonly parts: number;
}

/** @throws train.setting where the batch cannot be cut evenly */
export function cutBatch(
  stage: string,
  { batch: whole, accumulate }: { readonly batch: number; readonly accumulate: number },
  sharding: Sharding | undefined,
): BatchCut {
  if (whole % accumulate !== 0)
    throw trainErrors.setting(stage, 'accumulate', `${whole} sequences cannot be cut into ${accumulate} equal parts`);
  // As many as there are shards at least, all of one size.
  let parts = Math.max(accumulate, Math.min(whole, sharding?.count ?? 1));
  while (whole % parts !== 0) parts++;
  return { batch: whole / accumulate, rows: whole / parts, parts };
}

/** `[B,T+1]` tokens as inputs and targets. @param masked whether a mask `[B,T]` of the targets that are learned goes along */
export function shifted(marked: Int32Array, batch: number, length: number, masked = false): Feeds {
  const { ids, mask } = unmasked(marked);
  const learned = new Float32Array(masked ? batch * length : 0);
  const inputs = new Int32Array(batch * length);
  const targets = new Int32Array(batch * length);
  for (let b = 0; b < batch; b++) {
    const start = b * (length + 1);
    inputs.set(ids.subarray(start, start + length), b * length);
    targets.set(ids.subarray(start + 1, start + 1 + length), b * length);
    if (masked) learned.set(mask.subarray(start + 1, start + 1 + length), b * length);
  }
  return { ids: inputs, targets, ...(masked ? { mask: learned } : {}) };
}

function objective(graph: Graph, config: ModelConfig, rows: number, length: number, masked = false): Objective {
  const ids = graph.input('ids', 'int32', [rows, length]);
  const targets = graph.input('targets', 'int32', [rows, length]);
  const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, rows, length));
  const losses = crossEntropy(languageHead(graph, config, h), targets);
  return { loss: masked ? maskedMean(losses, graph.input('mask', 'float32', [rows, length])) : ops.mean(losses) };
}

const learning = (
  { checkpoint }: PretrainSettings,
  { base }: StageContext,
  { rows, length, masked }: BatchShape,
): Learning => ({
  trained: base.tensors.map(({ name }) => name),
  checkpoint,
  objective: (graph) => objective(graph, base.config, rows, length, masked),
});

async function createPretrain(settings: PretrainSettings, context: StageContext): Promise<Stage> {
  const { base } = context;
  const { length } = settings;
  const { batch, rows, parts } = cutBatch('pretrain', settings, context.sharding);
  const data = await packedData({ ...settings, batch }, context, 16);
  const { masked } = data;
  const shape = { rows, length, masked, part: 0 };
  return SupervisedStage.create(context, {
    name: 'pretrain',
    steps: stepsOf(settings),
    accumulate: parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    measured: (graph) => objective(graph, base.config, batch, length, masked),
    batches: packedBatches(data.train, rows, length, (ids) => shifted(ids, rows, length, masked)),
    heldOut: data.heldOut.map((ids) => shifted(ids, batch, length, masked)),
    close: data.close,
    metrics: () => ({}),
  });
}

export const pretrain: StageKind<PretrainSettings> = {
  ...stages.pretrain,
  modules: () => undefined,
  learns: (_, { config }) => expectedTensors(config),
  parts: (settings, { config }, length = settings.length) => [
    trainingPart({
      rows: microRows(settings),
      length,
      accumulate: settings.accumulate,
      checkpoint: settings.checkpoint,
      learns: expectedTensors(config),
      objective: (graph, rows, t) => objective(graph, config, rows, t),
      measured: (graph, rows, t) => measuredBy(objective(graph, config, rows, t)),
    }),
  ],
  create: createPretrain,
  hire: hireFor(learning),
};
