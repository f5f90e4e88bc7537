/**
 * A model that gives answers a score: a linear head on h of the last token, learned with the base from pairs of a chosen and a
 * rejected answer, or from scores. What comes out is a folder that transformers reads (see `model/scores.ts`).
 */
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { saveScores, scores } from '../../model/scores.ts';
import { type ExpectedTensor, expectedTensors, scoreHead } from '../../model/weights/weights.ts';
import { saveMeasured } from '../../reward-model/moments.ts';
import type { RewardSettings } from '../../spec/settings/reward.ts';
import { stages } from '../../spec/stages.ts';
import { trainErrors } from '../errors.ts';
import { momentsOf, pairFigures } from '../measures/preferences.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { pairLosses, scoreLosses } from '../preference-loss.ts';
import { judgements, scoredFeeds } from '../preferences.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Metrics, Stage, StageContext } from '../stage.ts';
import type { StageKind } from '../stage-kind.ts';
import { SupervisedStage } from '../supervised.ts';
import { cutBatch } from './pretrain.ts';
import { correlation } from './q.ts';

/** Texts that a judgement is about. */
const textsIn = ({ loss }: Pick<RewardSettings, 'loss'>) => (loss === 'pairs' ? 2 : 1);

/** The head, and what of the base learns along; nothing that only predicts tokens. */
function learns({ blocks }: Pick<RewardSettings, 'blocks'>, config: ModelConfig): ExpectedTensor[] {
  const base = expectedTensors({ ...config, tieWordEmbeddings: true });
  const first = config.layers - (blocks ?? config.layers);
  const learned = base.filter(({ name }) => {
    if (blocks === undefined) return true;
    const layer = /^model\.layers\.(\d+)\./.exec(name);
    return layer === null ? blocks > 0 && name === 'model.norm.weight' : Number(layer[1]) >= first;
  });
  return [...learned, scoreHead(config)];
}

function objective(
  graph: Graph,
  config: ModelConfig,
  settings: RewardSettings,
  rows: number,
  length: number,
): Objective {
  const texts = textsIn(settings) * rows;
  const ids = graph.input('ids', 'int32', [texts, length]);
  const places = graph.input('places', 'int32', [texts]);
  const values = graph.input('values', 'float32', [rows]);
  const weights = graph.input('weights', 'float32', [rows]);
  const found = scores(graph, config, ids, places);
  const metrics = { scores: found };
  if (settings.loss === 'scores') return { loss: ops.sum(ops.mul(scoreLosses(found, values), weights)), metrics };
  const [chosen, rejected] = [ops.slice(found, 0, 0, rows), ops.slice(found, 0, rows, texts)];
  const losses = pairLosses(chosen, rejected, values);
  if (settings.center === 0) return { loss: ops.sum(ops.mul(losses, weights)), metrics };
  const both = ops.add(chosen, rejected);
  const centred = ops.add(losses, ops.mul(ops.mul(both, both), settings.center));
  return { loss: ops.sum(ops.mul(centred, weights)), metrics };
}

/** Differences of the pairs in a micro-batch. */
export const differences = (found: Float32Array): number[] => {
  const rows = found.length / 2;
  return Array.from({ length: rows }, (_, i) => found[i] - found[rows + i]);
};

function heldOutFigures(settings: RewardSettings, found: readonly Float32Array[], wanted: readonly number[]): Metrics {
  const { length: count } = wanted;
  if (settings.loss === 'scores') {
    const given = found.flatMap((each) => [...each]).slice(0, count);
    const { mean, std } = momentsOf(given);
    return {
      held_out_correlation: correlation(given, wanted),
      held_out_rows: count,
      held_out_score_mean: mean,
      held_out_score_std: std,
    };
  }
  const all = found.flatMap(differences).slice(0, count);
  const { accuracy, interval, margin, brier, calibration } = pairFigures(all);
  const rows = found.flatMap((each) => {
    const half = each.length / 2;
    return Array.from({ length: half }, (_, i) => [each[i], each[half + i]]);
  });
  const { mean, std } = momentsOf(rows.slice(0, count).flat());
  return {
    held_out_accuracy: accuracy,
    held_out_accuracy_low: interval.low,
    held_out_accuracy_high: interval.high,
    held_out_margin: margin,
    held_out_brier: brier,
    held_out_calibration: calibration,
    held_out_pairs: count,
    held_out_score_mean: mean,
    held_out_score_std: std,
  };
}

const learning = (settings: RewardSettings, { base }: StageContext, { rows, length }: BatchShape): Learning => ({
  trained: learns(settings, base.config).map(({ name }) => name),
  checkpoint: settings.checkpoint,
  objective: (graph) => objective(graph, base.config, settings, rows, length),
});

async function createReward(settings: RewardSettings, context: StageContext): Promise<Stage> {
  const { config } = context.base;
  if ((settings.blocks ?? 0) > config.layers)
    throw trainErrors.setting('reward', 'blocks', `the model has ${config.layers}`);
  const cut = cutBatch('reward', settings, context.sharding);
  const { batches, heldOut, measured, steps } = await judgements(settings, cut, context, scoredFeeds);
  const shape = { rows: cut.rows, length: batches.length, masked: false, part: 0 };
  const measuring = heldOut.inOrder();
  const wanted = measuring.flatMap(({ values }) => Array.from(values as Float32Array)).slice(0, measured);
  return SupervisedStage.create(context, {
    name: 'reward',
    steps,
    accumulate: cut.parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    measured: (graph) => objective(graph, config, settings, cut.batch, heldOut.length),
    batches,
    heldOut: measuring,
    texts: textsIn(settings),
    metrics: (outputs, held): Metrics => {
      const found = outputs.map((each) => each.scores as Float32Array);
      if (held) return heldOutFigures(settings, found, wanted);
      if (settings.loss === 'scores') return {};
      const { accuracy, margin } = pairFigures(found.flatMap(differences));
      return { accuracy, margin };
    },
  });
}

export const reward: StageKind<RewardSettings> = {
  ...stages.reward,
  modules: () => undefined,
  extras: (_, { config }) => [scoreHead(config)],
  learns: (settings, { config }) => learns(settings, config),
  parts: (settings, { config }, length = settings.max_length) => [
    trainingPart({
      rows: microRows(settings),
      length,
      accumulate: settings.accumulate,
      checkpoint: settings.checkpoint,
      learns: learns(settings, config),
      objective: (graph, rows, t) => objective(graph, config, settings, rows, t),
      measured: (graph, rows, t) => measuredBy(objective(graph, config, settings, rows, t)),
    }),
  ],
  create: createReward,
  hire: hireFor(learning),
  result: (base, weights, figures) => ({
    async save(folder) {
      await saveScores(base, weights, folder);
      const measured = Object.entries(figures ?? {}).filter(([name]) => name.startsWith('held_out_'));
      if (measured.length === 0) return;
      await saveMeasured(folder, Object.fromEntries(measured.map(([name, value]) => [name.slice(9), value])));
    },
  }),
};
