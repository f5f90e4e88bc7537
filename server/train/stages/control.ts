/**
 * Stage 1: inverse dynamics and language world model, trained together while the base stays frozen (paper, equation 3).
 * Held-out figures use argmax actions without noise; sampled ones make dead codes look alive.
 */
import { type ColaConfig, moduleWeights } from '../../cola/config.ts';
import { codeHealth } from '../../cola/health.ts';
import { controlLoss } from '../../cola/losses.ts';
import { lossUnder, namesForced } from '../../cola/saying.ts';
import { unmasked } from '../../data/unlearned.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import { languageHead, nextTokenLoss } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { Random, type RandomState } from '../../random.ts';
import type { ControlSettings } from '../../spec/settings/supervised.ts';
import { stages } from '../../spec/stages.ts';
import { packedBatches, packedData } from '../data.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Metrics, Stage, StageContext } from '../stage.ts';
import { actionsOf, type StageKind } from '../stage-kind.ts';
import { closeAll, keptStates, readingPart, rowStates } from '../states/packed-states.ts';
import { type BatchSource, type Feeds, SupervisedStage } from '../supervised.ts';
import { forcedFeeds, forcedInputs, meanOfRows } from './forced-codes.ts';
import { cutBatch, stepsOf } from './pretrain.ts';

const heldOutBatches = 16;

function objective(
  graph: Graph,
  { config, cola }: { readonly config: ModelConfig; readonly cola: ColaConfig },
  settings: ControlSettings,
  rows: number,
  length: number,
  heldOut: boolean,
  masked = false,
): Objective {
  const ids = graph.input('ids', 'int32', [rows, length]);
  const attention = causalContext(graph, config, rows, length);
  const h = rowStates(graph, config, ids, attention, settings.cache_states && !heldOut);
  const noiseShape = [rows, length, cola.numCodes];
  const gumbel = heldOut ? ops.expand(graph.scalar(0), noiseShape) : graph.input('gumbel', 'float32', noiseShape);
  const mask = masked ? graph.input('mask', 'float32', [rows, length]) : undefined;
  const control = controlLoss({ graph, config, cola }, { h, ids, gumbel, mask, context: attention }, settings);
  const shared = {
    prediction: control.prediction,
    regulariser: control.regulariser,
    argmax: ops.argmax(control.idmLogits),
  };
  if (!heldOut) return { loss: control.loss, metrics: shared };
  const baseLoss = nextTokenLoss(languageHead(graph, config, h), ids, mask);
  const read = { graph, config, cola, ids, h, context: attention };
  const { places, codes } = forcedInputs(graph, rows);
  const said = {
    random: ops.mean(lossUnder(read, graph.input('random_codes', 'int32', [rows, length - 1]))),
    named: namesForced(read, places, codes),
  };
  return { loss: control.prediction, metrics: { ...shared, ...said, base: baseLoss } };
}

function learning(settings: ControlSettings, context: StageContext, { rows, length, masked }: BatchShape): Learning {
  const cola = colaOf(context, 'control', ['idm', 'world']);
  const configs = { config: context.base.config, cola: cola.config };
  return {
    trained: [...cola.tensorsOf('idm'), ...cola.tensorsOf('world')].map(({ name }) => name),
    objective: (graph) => objective(graph, configs, settings, rows, length, false, masked),
  };
}

async function createControl(settings: ControlSettings, context: StageContext): Promise<Stage> {
  const cola = colaOf(context, 'control', ['idm', 'world']);
  const configs = { config: context.base.config, cola: cola.config };
  const { numCodes } = cola.config;
  const { length } = settings;
  const { batch, rows, parts } = cutBatch('control', settings, context.sharding);
  const data = await packedData({ ...settings, batch }, context, heldOutBatches);
  const { masked } = data;
  const shape = { rows, length, masked, part: 0 };
  const states = await keptStates(settings, context, data, shape);
  return SupervisedStage.create(context, {
    name: 'control',
    steps: stepsOf(settings),
    accumulate: parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    undecayed: ['codebook.weight'],
    measured: (graph) => objective(graph, configs, settings, batch, length, true, masked),
    batches: noisy(
      packedBatches(data.train, rows, length, (ids) => inputsOnly(ids, rows, length, masked), states),
      rows * length * numCodes,
      context.seed,
    ),
    heldOut: forcedFeeds(
      data.heldOut.map((ids) => inputsOnly(ids, batch, length, masked)),
      { rows: batch, length, codes: numCodes, everywhere: true },
    ),
    close: () => closeAll(data, states),
    metrics: (outputs, heldOut) => controlMetrics(outputs, numCodes, heldOut),
  });
}

/** The first T of `[B,T+1]` tokens. @param masked whether a mask `[B,T]` of those that are learned goes along */
export function inputsOnly(marked: Int32Array, batch: number, length: number, masked: boolean): Feeds {
  const { ids, mask } = unmasked(marked);
  const first = <T extends Int32Array | Float32Array>(all: T, into: T): T => {
    for (let b = 0; b < batch; b++) into.set(all.subarray(b * (length + 1), b * (length + 1) + length), b * length);
    return into;
  };
  const inputs = first(ids, new Int32Array(batch * length));
  return { ids: inputs, ...(masked ? { mask: first(mask, new Float32Array(batch * length)) } : {}) };
}

function controlMetrics(
  outputs: readonly Readonly<Record<string, Float32Array | Int32Array>>[],
  numCodes: number,
  heldOut: boolean,
): Metrics {
  const mean = (name: string) => outputs.reduce((n, o) => n + o[name][0], 0) / outputs.length;
  const health = codeHealth(Int32Array.from(outputs.flatMap((o) => [...o.argmax])), numCodes);
  const prefix = heldOut ? 'held_out_' : '';
  return {
    [`${prefix}prediction`]: mean('prediction'),
    [`${prefix}regulariser`]: mean('regulariser'),
    [`${prefix}alive`]: health.alive,
    [`${prefix}usage_entropy`]: health.entropy,
    [`${prefix}max_share`]: health.maxShare,
    ...(heldOut
      ? {
          base_loss: mean('base'),
          held_out_random_loss: mean('random'),
          held_out_recovered: meanOfRows(outputs, 'named'),
          usage: [...health.counts],
        }
      : {}),
  };
}

/** Adds Gumbel noise `[B,T,N]` to every micro-batch. */
function noisy(source: BatchSource, count: number, seed: number): BatchSource {
  const random = new Random(seed).fork();
  return {
    async next() {
      const feeds = await source.next();
      return { ...feeds, gumbel: Float32Array.from({ length: count }, () => random.gumbel()) };
    },
    get state() {
      return { source: source.state, random: random.state };
    },
    restore(state) {
      const saved = state as { source: unknown; random: RandomState };
      source.restore(saved.source);
      random.restore(saved.random);
    },
  };
}

export const control: StageKind<ControlSettings> = {
  ...stages.control,
  modules: () => ({ needs: [], makes: ['idm', 'world', 'policy'] }),
  actions: (settings) => ({
    config: {
      numCodes: settings.codes,
      idmLayers: settings.idm_layers,
      policyLayers: settings.policy_layers,
      mergeLayers: settings.merge_layers,
      width: settings.width,
      worldResidual: settings.world === 'residual',
      base: '.',
    },
    codebookStd: settings.codebook_std,
  }),
  learns: (_, configs) => {
    const { idm, world } = moduleWeights(configs.config, actionsOf(configs));
    return [...idm, ...world];
  },
  parts: (settings, configs, length = settings.length) => {
    const latent = { ...configs, cola: actionsOf(configs) };
    return [
      ...readingPart(configs.config, settings, length, control.learns(settings, configs)),
      trainingPart({
        rows: microRows(settings),
        length,
        accumulate: settings.accumulate,
        learns: control.learns(settings, configs),
        objective: (graph, rows, t) => objective(graph, latent, settings, rows, t, false),
        measured: (graph, rows, t) => measuredBy(objective(graph, latent, settings, rows, t, true)),
      }),
    ];
  },
  create: createControl,
  hire: hireFor(learning),
};
