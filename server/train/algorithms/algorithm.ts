/** What an algorithm of reinforcement is: what it compares a sample with, and the loss of an update. One file each. */
import type { ModuleName } from '../../cola/config.ts';
import type { Averaging } from '../../cola/losses.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { AdvantageName } from '../../spec/algorithms.ts';
import type { Objective } from '../optimizer/optimizer.ts';

/** The settings that losses read. */
export interface UpdateSettings {
  readonly clip_ratio: number;
  /** How far above 1 the ratio may move; as far as below, if not given. */
  readonly clip_ratio_high?: number | undefined;
  readonly loss: Averaging;
  /** Whose ratio to the policy of the rollout is clipped; that of each choice, if not given. */
  readonly ratio?: 'choice' | 'sequence';
  readonly value_clip: number;
  readonly value_weight: number;
}

/** An update's graph so far; all tensors `[B,S]`. */
export interface PolicyUpdate {
  readonly settings: UpdateSettings;
  /** log pi of the choices, 0 outside the mask. */
  readonly logp: Tensor;
  readonly advantages: Tensor;
  /** 1 where a choice counts. */
  readonly mask: Tensor;
  /** V of the states; undefined where nothing has a value head. */
  readonly values: Tensor | undefined;
  /** What was noted at the rollout: log pi and V of then, and the returns. */
  noted(name: 'logp_old' | 'values_old' | 'returns'): Tensor;
}

/** Rewards of a round's samples; undefined where there is no score. */
export interface Outcomes {
  readonly rewards: readonly (number | undefined)[];
  /** Samples of one group share their prompt. */
  readonly groups: readonly number[];
  /** Reward of the greedy sample of each one's prompt, where the algorithm asks for it. */
  readonly greedy: readonly (number | undefined)[] | undefined;
  /** What a difference within a group is divided by. */
  readonly advantage: AdvantageName;
}

export interface Algorithm {
  /** Modules that learn beside the policy: `value`, whose values then enter the advantages. */
  readonly modules: readonly Extract<ModuleName, 'value'>[];
  /** Whether every prompt is also answered greedily. */
  readonly greedy: boolean;
  /** What each sample's last choice earns. */
  outcomes(outcomes: Outcomes): Float64Array;
  objective(update: PolicyUpdate): Objective;
}

export const hasValue = ({ modules }: Algorithm): boolean => modules.includes('value');
