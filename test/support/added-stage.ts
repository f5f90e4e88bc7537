/** A stage as somebody would add it: it trains the final norm alone, and its score may be below 0. */
import { z } from 'zod';
import { crossEntropy } from '../../server/graph/functions.ts';
import * as ops from '../../server/graph/ops.ts';
import type { Graph } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import type { ModelConfig } from '../../server/model/config/config.ts';
import { pretrainSettings } from '../../server/spec/settings/supervised.ts';
import type { StageDeclaration } from '../../server/spec/stages.ts';
import { packedBatches, packedData } from '../../server/train/data.ts';
import { microRows, trainingPart } from '../../server/train/run/memory-parts.ts';
import { type BatchShape, hireFor, type Learning } from '../../server/train/shards/supervised-work.ts';
import type { StageContext } from '../../server/train/stage.ts';
import type { StageKind } from '../../server/train/stage-kind.ts';
import { cutBatch, shifted } from '../../server/train/stages/pretrain.ts';
import { SupervisedStage } from '../../server/train/supervised.ts';

const settings = z.strictObject({
  ...pretrainSettings.shape,
  offset: z.number().default(0).meta({ description: 'Taken off the loss.', unit: 'nats' }),
});
type Settings = z.infer<typeof settings>;

function objective(graph: Graph, config: ModelConfig, offset: number, rows: number, length: number) {
  const ids = graph.input('ids', 'int32', [rows, length]);
  const targets = graph.input('targets', 'int32', [rows, length]);
  const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, rows, length));
  return { loss: ops.sub(ops.mean(crossEntropy(languageHead(graph, config, h), targets)), offset) };
}

const learns = ({ hiddenSize }: ModelConfig) => [{ name: 'model.norm.weight', shape: [hiddenSize] }];

const learning = (
  { offset }: Settings,
  { base: { config } }: StageContext,
  { rows, length }: BatchShape,
): Learning => ({
  trained: learns(config).map(({ name }) => name),
  objective: (graph) => objective(graph, config, offset, rows, length),
});

export const declaration: StageDeclaration<Settings> = {
  notes: 'Trains the final norm of the base and nothing else.',
  settings,
  score: () => ({ name: 'objective', lower: true }),
  text: ({ data, held_out }) => ({ data, held_out }),
};

export const polish: StageKind<Settings> = {
  ...declaration,
  modules: () => undefined,
  learns: (_, { config }) => learns(config),
  parts: (own, { config }, length = own.length) => [
    trainingPart({
      rows: microRows(own),
      length,
      learns: learns(config),
      objective: (graph, rows, t) => objective(graph, config, own.offset, rows, t),
    }),
  ],
  async create(own, context) {
    const { batch, length, steps } = own;
    const data = await packedData(own, context, 4);
    const { rows, parts } = cutBatch('polish', own, context.sharding);
    const shape = { rows, length, masked: false, part: 0 };
    return SupervisedStage.create(context, {
      name: 'polish',
      steps,
      accumulate: parts,
      settings: own,
      learning: learning(own, context, shape),
      shape,
      measured: learning(own, context, { ...shape, rows: batch }).objective,
      batches: packedBatches(data.train, rows, length, (ids) => shifted(ids, rows, length)),
      heldOut: data.heldOut.map((ids) => shifted(ids, batch, length)),
      close: data.close,
      metrics: () => ({}),
    });
  },
  hire: hireFor(learning),
};
