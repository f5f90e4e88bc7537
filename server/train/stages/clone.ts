/** Stage 1, second part: the policy learns to name the inverse dynamics' argmax without seeing the future (paper, equation 4). */
import { codeHealth } from '../../cola/health.ts';
import { cloneLoss } from '../../cola/losses.ts';
import { headOn, inverseDynamics } from '../../cola/modules.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import { hiddenStates } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { CloneSettings } from '../../spec/settings.ts';
import { packedBatches, packedData } from '../data.ts';
import { colaOf } from '../model-of.ts';
import type { Objective } from '../optimizer.ts';
import type { Metrics, Stage, StageContext } from '../stage.ts';
import { SupervisedStage } from '../supervised.ts';
import { inputsOnly } from './control.ts';
import { microBatch, stepsOf } from './pretrain.ts';

export async function createClone(settings: CloneSettings, context: StageContext): Promise<Stage> {
  const { base } = context;
  const cola = colaOf(context, 'clone', ['idm', 'world', 'policy']);
  const { length } = settings;
  const batch = microBatch('clone', settings);
  const data = await packedData({ ...settings, batch }, context, 16);
  const objective = (graph: Graph, heldOut: boolean): Objective => {
    const ids = graph.input('ids', 'int32', [batch, length]);
    const attention = causalContext(graph, base.config, batch, length);
    const h = ops.stopGradient(hiddenStates(graph, base.config, ids, attention).h);
    const labels = ops.argmax(inverseDynamics(graph, base.config, cola.config, h, attention));
    const logits = headOn(graph, base.config, cola.config, 'policy', h, attention);
    const guesses = ops.slice(ops.argmax(logits), 1, 0, length - 1);
    const accuracy = ops.mean(ops.cast(ops.equal(guesses, labels), 'float32'));
    return { loss: cloneLoss(logits, labels), metrics: { accuracy, ...(heldOut ? { guesses } : {}) } };
  };
  return SupervisedStage.create(context, {
    name: 'clone',
    steps: stepsOf(settings),
    accumulate: settings.accumulate,
    settings,
    trained: cola.tensorsOf('policy').map(({ name }) => name),
    objective,
    batches: packedBatches(data.train, batch, length, (ids) => inputsOnly(ids, batch, length)),
    heldOut: data.heldOut.map((ids) => inputsOnly(ids, batch, length)),
    tokensPerBatch: batch * length,
    close: data.close,
    metrics: (outputs, heldOut): Metrics => {
      const accuracy = outputs.reduce((n, o) => n + o.accuracy[0], 0) / outputs.length;
      if (!heldOut) return { accuracy };
      const { alive, counts } = codeHealth(
        Int32Array.from(outputs.flatMap((o) => [...o.guesses])),
        cola.config.numCodes,
      );
      return { held_out_accuracy: accuracy, held_out_alive: alive, usage: [...counts] };
    },
  });
}
