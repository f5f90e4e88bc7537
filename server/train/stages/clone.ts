/** Stage 1, second part: the policy learns to name the inverse dynamics' argmax without seeing the future (paper, equation 4). */
import { type ColaConfig, moduleWeights } from '../../cola/config.ts';
import { codeHealth } from '../../cola/health.ts';
import { cloneLoss, marginalDivergence } from '../../cola/losses.ts';
import { headOn, inverseDynamics } from '../../cola/modules.ts';
import { namesForced, saidAt, statesAt } from '../../cola/saying.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { Random } from '../../random.ts';
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
import { type Feeds, SupervisedStage } from '../supervised.ts';
import { inputsOnly } from './control.ts';
import { forcedFeeds, forcedInputs, meanOfRows } from './forced-codes.ts';
import { cutBatch, stepsOf } from './pretrain.ts';

interface Configs {
  readonly config: ModelConfig;
  readonly cola: ColaConfig;
}

type MarginalSettings = Pick<CloneSettings, 'batch' | 'marginal' | 'marginal_states'>;

/** States of a row at which the marginal is held to the base. */
const marginalPlaces = ({ batch, marginal, marginal_states: states }: MarginalSettings, length: number): number =>
  marginal === 0 ? 0 : Math.min(Math.ceil(states / batch), length - 1);

/**
 * Feeds with these places, in rows under each other. A row's are drawn from its tokens that are learned, by the tokens themselves:
 * a run that goes on draws the same, and so does one that cuts its batches otherwise.
 */
function withPlaces(feeds: Feeds, count: number, rows: number, length: number): Feeds {
  const { ids, mask } = feeds as { readonly ids: Int32Array; readonly mask?: Float32Array };
  const places = new Int32Array(rows * count);
  for (let row = 0; row < rows; row++) {
    const first = row * length;
    const all = Array.from({ length: length - 1 }, (_, t) => first + t);
    const learned = mask === undefined ? all : all.filter((at) => mask[at + 1] === 1);
    const among = learned.length > 0 ? learned : all;
    const random = new Random(
      ids.subarray(first, first + length).reduce((hash, id) => (Math.imul(hash, 31) + id) | 0, 1),
    );
    for (let i = 0; i < count; i++) places[row * count + i] = among[random.integer(among.length)];
  }
  return { ...feeds, marginal_places: places };
}

/** @param heldOut whether what the policy guesses comes out too, and what the codes say */
function objective(
  graph: Graph,
  { config, cola }: Configs,
  settings: Pick<CloneSettings, 'cache_states'> & MarginalSettings,
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
  const held = marginalPlaces(settings, length);
  const divergence = (states: Tensor, scores: Tensor) => marginalDivergence({ graph, config, cola }, states, scores);
  if (!heldOut) {
    if (held === 0) return { loss, metrics: { accuracy } };
    const drawn = graph.input('marginal_places', 'int32', [rows * held]);
    const at = (x: Tensor) => ops.gather(ops.reshape(x, [rows * length, x.shape[2]]), drawn);
    const marginal = ops.mean(divergence(at(h), at(logits)));
    return { loss: ops.add(loss, ops.mul(marginal, settings.marginal)), metrics: { accuracy, marginal } };
  }
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
  if (held === 0) return { loss, metrics: { accuracy, guesses, ...said } };
  const marginal = divergence(statesAt(few(h), few(places)), statesAt(few(logits), few(places)));
  return { loss, metrics: { accuracy, guesses, ...said, marginal } };
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
  const held = marginalPlaces(settings, length);
  const feeds = (marked: Int32Array) => {
    const inputs = inputsOnly(marked, rows, length, masked);
    return held === 0 ? inputs : withPlaces(inputs, held, rows, length);
  };
  return SupervisedStage.create(context, {
    name: 'clone',
    steps: stepsOf(settings),
    accumulate: parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    measured: (graph) => objective(graph, configs, settings, batch, length, true, masked),
    batches: packedBatches(data.train, rows, length, feeds, states),
    heldOut: forcedFeeds(
      data.heldOut.map((ids) => inputsOnly(ids, batch, length, masked)),
      { rows: batch, length, codes: cola.config.numCodes, everywhere: false },
    ),
    close: () => closeAll(data, states),
    metrics: (outputs, heldOut): Metrics => {
      const accuracy = outputs.reduce((n, o) => n + o.accuracy[0], 0) / outputs.length;
      const marginal = held === 0 ? undefined : meanOfRows(outputs, 'marginal');
      if (!heldOut) return { accuracy, ...(marginal === undefined ? {} : { marginal_kl: marginal }) };
      const { alive, counts } = codeHealth(
        Int32Array.from(outputs.flatMap((o) => [...o.guesses])),
        cola.config.numCodes,
      );
      return {
        held_out_accuracy: accuracy,
        held_out_alive: alive,
        held_out_bits: meanOfRows(outputs, 'said') / Math.LN2,
        held_out_recovered: meanOfRows(outputs, 'named'),
        ...(marginal === undefined ? {} : { held_out_marginal_kl: marginal }),
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
