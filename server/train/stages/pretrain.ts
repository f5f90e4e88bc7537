/**
 * Next-token training of all weights of the base, or full fine-tuning of a loaded one. Sequences are packed without a mask
 * between documents (method of the paper's data, section 4.1).
 */
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
import type { Stage, StageContext } from '../stage.ts';
import type { StageKind } from '../stage-kind.ts';
import { type Feeds, SupervisedStage } from '../supervised.ts';
import { unmasked } from '../unlearned.ts';

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

/** Sequences in a micro-batch. @throws train.setting where the batch cannot be cut evenly */
export function microBatch(stage: string, settings: { readonly batch: number; readonly accumulate: number }): number {
  if (settings.batch % settings.accumulate !== 0)
    throw trainErrors.setting(
      stage,
      'accumulate',
      `${settings.batch} sequences cannot be cut into ${settings.accumulate} equal parts`,
    );
  return settings.batch / settings.accumulate;
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

async function createPretrain(settings: PretrainSettings, context: StageContext): Promise<Stage> {
  const { base } = context;
  const { length } = settings;
  const batch = microBatch('pretrain', settings);
  const data = await packedData({ ...settings, batch }, context, 16);
  return SupervisedStage.create(context, {
    name: 'pretrain',
    steps: stepsOf(settings),
    accumulate: settings.accumulate,
    settings,
    trained: base.tensors.map(({ name }) => name),
    objective: (graph) => objective(graph, base.config, batch, length, data.masked),
    batches: packedBatches(data.train, batch, length, (ids) => shifted(ids, batch, length, data.masked)),
    heldOut: data.heldOut.map((ids) => shifted(ids, batch, length, data.masked)),
    tokensPerBatch: batch * length,
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
};
