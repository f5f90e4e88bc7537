/**
 * Direct preference optimisation (R. Rafailov et al., arXiv 2305.18290, equation 7): the base itself becomes likelier to give the
 * chosen answer than the rejected one, against the model that it was at the start. What that one said of the pairs is
 * computed once and stays in the checkpoints.
 */
import { z } from 'zod';
import { crossEntropy } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { hiddenStates, languageHead, nextTokens } from '../../model/base.ts';
import { causalContext } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { DpoSettings } from '../../spec/settings/reward.ts';
import { stages } from '../../spec/stages.ts';
import { trainErrors } from '../errors.ts';
import { pairFigures } from '../measures/preferences.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { pairLosses } from '../preference-loss.ts';
import { type Judgement, type JudgementBatches, judgements, type LayOut, textRows } from '../preferences.ts';
import { lastBlocks, trainedOf } from '../reinforce/token-actor.ts';
import { measuredBy, microRows, trainingPart } from '../run/memory-parts.ts';
import { type BatchShape, hireFor, type Learning } from '../shards/supervised-work.ts';
import type { Metrics, Stage, StageContext } from '../stage.ts';
import type { StageKind } from '../stage-kind.ts';
import { type BatchSource, SupervisedStage } from '../supervised.ts';
import { cutBatch } from './pretrain.ts';
import { differences } from './reward.ts';

/** log p of the answers in `ids` `[2B,T]`, those of their tokens where the mask is 1 added up: `[2B]`, in nats. */
function answerLogps(graph: Graph, config: ModelConfig, rows: number, length: number): Tensor {
  const ids = graph.input('ids', 'int32', [rows, length]);
  const mask = graph.input('mask', 'float32', [rows, length]);
  const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, rows, length));
  const { targets, weights } = nextTokens(ids, mask);
  const logp = ops.neg(crossEntropy(languageHead(graph, config, h), targets));
  return ops.sum(ops.mul(logp, weights), [1]);
}

function objective(graph: Graph, config: ModelConfig, beta: number, rows: number, length: number): Objective {
  const logp = answerLogps(graph, config, 2 * rows, length);
  const rewards = ops.mul(ops.sub(logp, graph.input('reference', 'float32', [2 * rows])), beta);
  const [chosen, rejected] = [ops.slice(rewards, 0, 0, rows), ops.slice(rewards, 0, rows, 2 * rows)];
  const losses = pairLosses(chosen, rejected, graph.constant(new Float32Array(rows), 'float32', [rows]));
  const loss = ops.sum(ops.mul(losses, graph.input('weights', 'float32', [rows])));
  return { loss, metrics: { rewards: ops.stopGradient(rewards) } };
}

/** log p of both answers of a pair under the model of the start. */
type References = Map<Judgement, readonly number[]>;

const feedsWith =
  (references: References): LayOut =>
  (picked, weights, length, padId) => {
    const { rows, ids } = textRows(picked, length, padId);
    const mask = new Float32Array(ids.length);
    for (const [row, { text, prompt }] of rows.entries())
      mask.fill(1, row * length + prompt, row * length + text.length);
    const of = (k: number) => picked.map((pair) => references.get(pair)?.[k] ?? 0);
    return { ids, mask, reference: Float32Array.from([...of(0), ...of(1)]), weights };
  };

/** Fills in what the model says now of all pairs. */
async function refer(
  context: StageContext,
  of: JudgementBatches,
  rows: number,
  references: References,
  layOut: LayOut,
  padId: number,
): Promise<void> {
  const { device, weights, base, signal } = context;
  const program = await device.compile({ logp: answerLogps(device.graph(), base.config, 2 * rows, of.length) });
  try {
    for (let at = 0; at < of.all.length; at += rows) {
      await context.turn?.();
      signal.throwIfAborted();
      const picked = Array.from({ length: rows }, (_, i) => of.all[(at + i) % of.all.length]);
      const { ids, mask } = layOut(picked, new Float32Array(rows), of.length, padId);
      const { logp } = await program.run({ ids, mask }, { states: [weights.state] });
      const values = await logp.readFloats();
      for (const [i, pair] of picked.entries()) references.set(pair, [values[i], values[rows + i]]);
      logp.release();
    }
  } finally {
    await program.dispose();
  }
}

const saved = z.looseObject({ batches: z.unknown(), references: z.array(z.tuple([z.number(), z.number()])) });

const learning = (
  { blocks, beta, checkpoint }: DpoSettings,
  { base }: StageContext,
  { rows, length }: BatchShape,
): Learning => ({
  trained: trainedOf(base, blocks),
  checkpoint,
  objective: (graph) => objective(graph, base.config, beta, rows, length),
});

async function createDpo(settings: DpoSettings, context: StageContext): Promise<Stage> {
  const { base } = context;
  const { config } = base;
  if ((settings.blocks ?? 0) > config.layers)
    throw trainErrors.setting('dpo', 'blocks', `the model has ${config.layers}`);
  const cut = cutBatch('dpo', settings, context.sharding);
  const references: References = new Map();
  const layOut = feedsWith(references);
  const own = { ...settings, loss: 'pairs' as const, margin: 0, score: '' };
  const { batches, heldOut, measured, steps } = await judgements(own, cut, context, layOut);
  context.say('What the model says of the pairs before it learns is being computed.');
  const padId = config.padTokenId ?? 0;
  for (const part of [batches, heldOut]) await refer(context, part, cut.batch, references, layOut, padId);
  const pairs = [...batches.all, ...heldOut.all];
  const measuring = heldOut.inOrder();
  const source: BatchSource = {
    next: () => batches.next(),
    get state() {
      return { batches: batches.state, references: pairs.map((pair) => references.get(pair)) };
    },
    restore(state) {
      // The weights are no longer those of the start: what they said then was kept.
      const kept = saved.parse(state);
      for (const [i, pair] of pairs.entries()) references.set(pair, kept.references[i]);
      batches.restore(kept.batches);
      for (const [i, { reference }] of heldOut.inOrder().entries())
        (measuring[i].reference as Float32Array).set(reference as Float32Array);
    },
  };
  const shape = { rows: cut.rows, length: batches.length, masked: true, part: 0 };
  return SupervisedStage.create(context, {
    name: 'dpo',
    steps,
    accumulate: cut.parts,
    settings,
    learning: learning(settings, context, shape),
    shape,
    measured: (graph) => objective(graph, config, settings.beta, cut.batch, heldOut.length),
    batches: source,
    heldOut: measuring,
    texts: 2,
    metrics: (outputs, held): Metrics => {
      const found = outputs.map(({ rewards }) => rewards as Float32Array);
      const all = found.flatMap(differences).slice(0, held ? measured : undefined);
      const { accuracy, interval, margin, calibration } = pairFigures(all);
      if (!held) return { accuracy, margin };
      return {
        held_out_accuracy: accuracy,
        held_out_accuracy_low: interval.low,
        held_out_accuracy_high: interval.high,
        held_out_margin: margin,
        held_out_calibration: calibration,
        held_out_pairs: measured,
      };
    },
  });
}

export const dpo: StageKind<DpoSettings> = {
  ...stages.dpo,
  modules: () => undefined,
  learns: ({ blocks }, { config }) => lastBlocks(config, blocks),
  parts: (settings, { config }, length = settings.max_length) => [
    trainingPart({
      rows: microRows(settings),
      length,
      accumulate: settings.accumulate,
      checkpoint: settings.checkpoint,
      learns: lastBlocks(config, settings.blocks),
      objective: (graph, rows, t) => objective(graph, config, settings.beta, rows, t),
      measured: (graph, rows, t) => measuredBy(objective(graph, config, settings.beta, rows, t)),
    }),
  ],
  create: createDpo,
  hire: hireFor(learning),
};
