/** Finishing answers with the policy: actions from it, greedy tokens. */
import { argmaxOf, inverseCdf, probabilities } from '../model/sampling.ts';
import type { Random } from '../random.ts';
import type { Look, Outlook, SearchModel } from './model.ts';

export interface Rollout {
  readonly actions: number[];
  readonly tokens: number[];
  /** The outlook of the state it started from. */
  first: Outlook | undefined;
}

/** Where a rollout starts. */
export interface RolloutStart<S> {
  readonly state: S;
  /** Tokens since the prompt. */
  readonly length: number;
  /** Draws the actions; not used when greedy. */
  readonly random: Random;
}

/**
 * Rollouts in lockstep until each answer has ended or has `maxNew` tokens. Yields after each run of the model.
 *
 * @param temperature of the actions; 0 is greedy
 */
export async function* rollOut<S>(
  model: SearchModel<S>,
  look: Look<S>,
  starts: readonly RolloutStart<S>[],
  maxNew: number,
  temperature: number,
): AsyncGenerator<void, Rollout[]> {
  const rollouts = starts.map((): Rollout => ({ actions: [], tokens: [], first: undefined }));
  let active = starts.map(({ state, length, random }, i) => ({ state, length, random, rollout: rollouts[i] }));
  active = active.filter(({ length }) => length < maxNew);
  while (active.length > 0) {
    const outlooks = await look(active.map(({ state }) => state));
    yield;
    active = active.filter((row, i) => {
      const outlook = outlooks[i];
      row.rollout.first ??= outlook;
      const action = chooseAction(outlook.policy, temperature, row.random);
      const token = outlook.nextTokens[action];
      row.rollout.actions.push(action);
      row.rollout.tokens.push(token);
      row.length++;
      if (model.endIds.has(token) || row.length >= maxNew) return false;
      row.state = model.child(row.state, token);
      return true;
    });
  }
  return rollouts;
}

function chooseAction(policy: Float32Array, temperature: number, random: Random): number {
  if (temperature === 0) return argmaxOf(policy, 0, policy.length);
  return inverseCdf(probabilities(policy, 0, policy.length, temperature), random.uniform());
}
