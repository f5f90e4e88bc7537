/** What a run has cost: trained parameters a stage, and wall time by phase, from the metrics it left. */
import { z } from 'zod';
import type { ColaConfig } from '../cola/config.ts';
import { size } from '../graph/tensor.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { RunSpec, StageSpec } from '../spec/schema.ts';
import type { Figures } from '../train/measures/figures.ts';
import { kindOf } from '../train/stages/index.ts';

/** The part of a line of metrics.jsonl that says what time was spent on. */
export const costRecord = z.looseObject({
  step: z.number(),
  stage: z.string(),
  evaluation: z.boolean().optional(),
  seconds: z.number().optional(),
  seconds_rollout: z.number().optional(),
  seconds_reward: z.number().optional(),
  seconds_update: z.number().optional(),
  tokens: z.number().optional(),
});
export type CostRecord = z.infer<typeof costRecord>;

export interface StageCost {
  readonly stage: string;
  readonly steps: number;
  /** Seconds of its steps; measurements and checkpoints are not in them. */
  readonly seconds: number;
  /** Of these, seconds of sampling and judging, and of learning; 0 where a stage has no rollouts. */
  readonly rollout: number;
  readonly update: number;
  /** Tokens learned from, or sampled. */
  readonly tokens: number;
}

/** A stage begins with a measurement whose step no step before it has had. */
export function stageCosts(records: readonly CostRecord[]): StageCost[] {
  const costs: { -readonly [K in keyof StageCost]: StageCost[K] }[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const record of records) {
    const begins = record.evaluation === true && record.step > last;
    last = Math.max(last, record.step);
    if (begins || costs.length === 0)
      costs.push({ stage: record.stage, steps: 0, seconds: 0, rollout: 0, update: 0, tokens: 0 });
    if (record.evaluation === true) continue;
    const cost = costs[costs.length - 1];
    cost.steps++;
    cost.seconds += record.seconds ?? 0;
    cost.rollout += (record.seconds_rollout ?? 0) + (record.seconds_reward ?? 0);
    cost.update += record.seconds_update ?? 0;
    cost.tokens += record.tokens ?? 0;
  }
  return costs;
}

/** Number of weights that a stage learns. @param cola undefined for a base model */
export function trainedParameters(stage: StageSpec, model: LanguageModel, cola: ColaConfig | undefined): number {
  const kind = kindOf(stage);
  if (cola === undefined && kind.modules(stage.settings) !== undefined) return 0;
  return kind.learns(stage.settings, { config: model.config, cola }).reduce((sum, { shape }) => sum + size(shape), 0);
}

/**
 * For every stage of a run, `<stage>_trained_parameters`, `_steps`, `_tokens`, `_seconds`, and with rollouts
 * `_seconds_rollout` and `_seconds_update`; then `seconds`, the sum. The second stage of a name is `<stage>_2`.
 */
export function measureCost(
  spec: RunSpec,
  records: readonly CostRecord[],
  model: LanguageModel,
  cola: ColaConfig | undefined,
): Figures {
  const figures: Record<string, number> = {};
  const seen = new Map<string, number>();
  const costs = stageCosts(records);
  for (const [i, cost] of costs.entries()) {
    const times = (seen.get(cost.stage) ?? 0) + 1;
    seen.set(cost.stage, times);
    const name = times === 1 ? cost.stage : `${cost.stage}_${times}`;
    const stage = spec.stages[i];
    if (stage !== undefined) figures[`${name}_trained_parameters`] = trainedParameters(stage, model, cola);
    figures[`${name}_steps`] = cost.steps;
    figures[`${name}_tokens`] = cost.tokens;
    figures[`${name}_seconds`] = cost.seconds;
    if (cost.rollout > 0) figures[`${name}_seconds_rollout`] = cost.rollout;
    if (cost.update > 0) figures[`${name}_seconds_update`] = cost.update;
  }
  figures.seconds = costs.reduce((sum, { seconds }) => sum + seconds, 0);
  return figures;
}
