/** Q over latent actions as it learns: answers of the policy, and the loss of what they chose. */
import { type ColaConfig, type HeadName, widthOf } from '../../cola/config.ts';
import { qLoss } from '../../cola/losses.ts';
import type { ColaModel } from '../../cola/model.ts';
import { headLogits, headTrunk } from '../../cola/modules.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import { rowsOf } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { Reward } from '../../rewards/reward.ts';
import type { QSettings } from '../../spec/settings/reinforcement.ts';
import { tokenizerOf } from '../data.ts';
import type { Objective } from '../optimizer/optimizer.ts';
import { type Packed, type PackedShape, packedContext } from '../shared-prefix.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import { stepRewards } from './advantages.ts';
import { scoreOf } from './episode.ts';
import { LatentActor } from './latent-actor.ts';
import { type Batch, layOut, layOutUpdate } from './policy-gradient.ts';
import { judge } from './rollout.ts';
import type { Start } from './starts.ts';

export type Latent = { readonly config: ModelConfig; readonly cola: ColaConfig };

/** The loss of answers that are laid out so, and `values`: Q of what they chose, `[B,A]`. */
export function qObjective(
  graph: Graph,
  { config, cola }: Latent,
  { gamma }: Pick<QSettings, 'gamma'>,
  shape: PackedShape,
): Objective {
  const h = graph.input('hidden', 'float32', [shape.rows, shape.length, config.hiddenSize]);
  const attention = packedContext(graph, config, shape);
  const chosen = [shape.samples, shape.answer] as const;
  const input = (name: string) => graph.input(name, 'float32', chosen);
  const choices = graph.input('choices', 'int32', chosen);
  const places = graph.input('places', 'int32', [shape.samples * shape.answer]);
  const values = (head: HeadName) => {
    const { trunk } = headTrunk(graph, config, cola, head, h, attention);
    const states = ops.reshape(rowsOf(trunk, places), [...chosen, widthOf(config, cola)]);
    return headLogits(graph, config, cola, head, states);
  };
  const [own, target] = [values('q'), values('q_target')];
  const q = qLoss(own, target, choices, input('rewards'), input('mask'), gamma);
  return { loss: q.loss, metrics: { values: ops.stopGradient(q.values) } };
}

/** How many choices of a row count: the loss is their mean. */
export const choicesCounted = ({ mask, length }: Batch, row: number): number =>
  mask.subarray(row * length, (row + 1) * length).reduce((n, x) => n + x, 0);

export class QFunction {
  private readonly actor: LatentActor;
  private readonly latent: Latent;

  constructor(
    private readonly context: StageContext,
    cola: ColaModel,
    private readonly settings: QSettings,
    private readonly reward: Reward,
  ) {
    this.actor = new LatentActor(context, cola, false, 0);
    this.latent = { config: cola.base.config, cola: cola.config };
  }

  /** Samples answers of the policy and judges them. @param least choices that a row has room for */
  async rollouts(starts: readonly Start[], signal: AbortSignal, least = 1): Promise<Batch> {
    const { max_new: maxNew, temperature } = this.settings;
    const answers = await this.actor.sample(starts, { maxNew, temperature, topK: 0 }, signal);
    return layOut(await judge(answers, tokenizerOf(this.context), this.reward, signal), least);
  }

  layOut(batch: Batch, picked: readonly number[]): Packed {
    return layOutUpdate(batch, picked, this.actor);
  }

  objective({ shape }: Packed): Objective {
    return qObjective(this.context.device.graph(), this.latent, this.settings, shape);
  }

  /** Feeds of {@link objective} for some rows of a batch. */
  feeds(batch: Batch, picked: readonly number[], layout: Packed): Feeds {
    const rows = picked.map((b) => batch.rows[b]);
    const { length } = batch;
    const cut = <T extends Float32Array | Int32Array>(values: T, result: T): T => {
      for (const [k, b] of picked.entries()) result.set(values.subarray(b * length, (b + 1) * length), k * length);
      return result;
    };
    const mask = cut(batch.mask, new Float32Array(picked.length * length));
    const zeros = new Float32Array(mask.length);
    const outcomes = rows.map((row) => (row === undefined ? 0 : (scoreOf(row.result) ?? 0)));
    const rewards = Float32Array.from(stepRewards({ rows: rows.length, length, mask }, zeros, zeros, outcomes, 0));
    const choices = cut(batch.choices, new Int32Array(picked.length * length));
    return { ...this.actor.feeds(rows, layout), choices, mask, rewards };
  }

  async dispose(): Promise<void> {
    await this.actor.dispose();
    await this.reward.close();
  }
}
