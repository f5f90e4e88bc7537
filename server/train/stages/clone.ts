/** Stage 1, second part: the policy learns to name the inverse dynamics' argmax without seeing the future (paper, equation 4). */
import { type ColaConfig, moduleWeights } from '../../cola/config.ts';
import { codeHealth } from '../../cola/health.ts';
import { cloneLoss } from '../../cola/losses.ts';
import { headOn, inverseDynamics } from '../../cola/modules.ts';
import { namesForced, saidAt } from '../../cola/saying.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { CloneSettings } from '../../spec/settings/supervised.ts';
import { stages } from '../../spec/stages.ts';
import { packedBatches, packedData } from '../data.ts';
import { defaultBudget, rowsWithin } from '../measures/chunks.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Metrics, Stage, StageContext } from '../stage.ts';
import { actionsOf, allModules, type StageKind, type StageModules } from '../stage-kind.ts';
import { closeAll, keptStates, readingPart, rowStates } from '../states/packed-states.ts';
import { SupervisedStage } from '../supervised.ts';
import { inputsOnly } from './control.ts';
import { forcedFeeds, forcedInputs, meanOfRows } from './forced-codes.ts';
import { cutBatch, stepsOf } from './pretrain.ts';

/** @param heldOut whether what the policy guesses comes out too, and what the codes say */
function objective(
  graph: Graph,
  { config, cola }: { readonly config: ModelConfig; readonly cola: ColaConfig },
  settings: Pick<CloneSettings, 'cache_states'>,
  rows: number,
  length: number,
  heldOut: boolean,
  masked = false,
): Objective {
  const attention = causalContext(graph, config, rows, length);
  const ids = graph.input('ids', 'int32', [rows, length]);
  const h = rowStates(graph, config, ids, attention, settings.cache_states && !heldOut);
  const labels = ops.argmax(inverseDynamics(graph, config, cola, h, attention));
  const logits = headOn(graph, config, cola, 'policy', h, attention);
  const guesses = ops.slice(ops.argmax(logits), 1, 0, length - 1);
  const accuracy = ops.mean(ops.cast(ops.equal(guesses, labels), 'float32'));
  const mask = masked ? ops.slice(graph.input('mask', 'float32', [rows, length]), 1, 1, length) : undefined;
  const loss = cloneLoss(logits, labels, mask);
  if (!heldOut) return { loss, metrics: { accuracy } };
  const read = { graph, config, cola, ids, h, context: attention };
  const { places, codes } = forcedInputs(graph, rows);
  // The marginal is over all codes and tokens: of a large vocabulary few rows are in memory at once.
  const some = Math.min(rows, rowsWithin(defaultBudget, cola.numCodes * config.vocabSize));
  const few = (x: Tensor) => ops.slice(x, 0, 0, some);
  const fewRead = { ...read, ids: few(ids), h: few(h) };
  const said = {
    said: saidAt(fewRead, few(places), few(labels), few(logits)),
    named: namesForced(read, places, codes),
  };
  return { loss, metrics: { accuracy, guesses, ...said } };
}

function learning(settings: CloneSettings, context: StageContext, { rows, length, masked }: BatchShape): Learning {
  const cola = colaOf(context, 'clone', allModules(modules));
  const configs = { config: context.base.config, cola: cola.config };
  return {
    trained: cola.tensorsOf('policy').map(({ name }) => name),
    objective: (graph) => objective(graph, configs, settings, rows, length, false, masked),
  };
}

async function createClone(settings: CloneSettings, context: StageContext): Promise<Stage> {
  const cola = colaOf(context, 'clone', allModules(modules));
  const configs = { config: context.base.config, cola: cola.config };
  const { length } = settings;
  const { batch, rows, parts } = cutBatch('clone', settings, context.sharding);
  const data = await packedData({ ...settings, batch }, context, 16);
  const { masked } = data;
  const shape = { rows, length, masked, part: 0 };
  const states = await keptStates(settings, context, data, shape);
  return SupervisedStage.create(context, {
    name: 'clone',
    steps: stepsOf(settings),
    accumulate: parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    measured: (graph) => objective(graph, configs, settings, batch, length, true, masked),
    batches: packedBatches(data.train, rows, length, (ids) => inputsOnly(ids, rows, length, masked), states),
    heldOut: forcedFeeds(
      data.heldOut.map((ids) => inputsOnly(ids, batch, length, masked)),
      { rows: batch, length, codes: cola.config.numCodes, everywhere: false },
    ),
    close: () => closeAll(data, states),
    metrics: (outputs, heldOut): Metrics => {
      const accuracy = outputs.reduce((n, o) => n + o.accuracy[0], 0) / outputs.length;
      if (!heldOut) return { accuracy };
      const { alive, counts } = codeHealth(
        Int32Array.from(outputs.flatMap((o) => [...o.guesses])),
        cola.config.numCodes,
      );
      return {
        held_out_accuracy: accuracy,
        held_out_alive: alive,
        held_out_bits: meanOfRows(outputs, 'said') / Math.LN2,
        held_out_recovered: meanOfRows(outputs, 'named'),
        usage: [...counts],
      };
    },
  });
}

const modules: StageModules = { needs: ['idm', 'world'], makes: ['policy'] };

export const clone: StageKind<CloneSettings> = {
  ...stages.clone,
  modules: () => modules,
  learns: (_, configs) => moduleWeights(configs.config, actionsOf(configs)).policy,
  parts: (settings, configs, length = settings.length) => {
    const latent = { ...configs, cola: actionsOf(configs) };
    const { idm, policy } = moduleWeights(latent.config, latent.cola);
    return [
      ...readingPart(configs.config, settings, length, [...idm, ...policy]),
      trainingPart({
        rows: microRows(settings),
        length,
        accumulate: settings.accumulate,
        learns: clone.learns(settings, configs),
        objective: (graph, rows, t) => objective(graph, latent, settings, rows, t, false),
        measured: (graph, rows, t) => measuredBy(objective(graph, latent, settings, rows, t, true)),
      }),
    ];
  },
  create: createClone,
  hire: hireFor(learning),
};
