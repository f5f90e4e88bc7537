/** The simulations of one batch between descent and backup: rollouts, rewards, values. */
import { argmaxOf } from '../model/sampling.ts';
import type { Random } from '../random.ts';
import type { RewardResult } from '../rewards/reward.ts';
import { type Answer, askJudge, type Judge } from './judge.ts';
import type { Outlook } from './model.ts';
import type { SearchOptions } from './options.ts';
import { type Rollout, rollOut } from './rollout.ts';
import type { NodeStates } from './states.ts';
import { flag, type SearchTree } from './tree.ts';

export interface Flight {
  readonly leaf: number;
  readonly random: Random;
  /** Undefined where the answer has ended, or is valued unfinished. */
  rollout: Rollout | undefined;
  outlook: Outlook | undefined;
}

/** What a reward said of each flight; undefined where it was not asked. */
export type Judged = PromiseSettledResult<RewardResult | undefined>;

/** The answer that goes through a node and, where there is one, a rollout from it. */
export function answerAt(
  tree: SearchTree,
  node: number,
  rollout: Rollout | undefined,
  endIds: ReadonlySet<number>,
): Answer {
  const { actions, tokens } = tree.response(node);
  for (const action of rollout?.actions ?? []) actions.push(action);
  for (const token of rollout?.tokens ?? []) tokens.push(token);
  const last = tokens.at(-1);
  return { actions, tokens, finished: last !== undefined && endIds.has(last) };
}

/** Runs the rollouts of all flights in lockstep, or reads V and Q alone. Yields after each run of the model. */
export async function* fly<S>(
  tree: SearchTree,
  nodes: NodeStates<S>,
  options: SearchOptions,
  flights: readonly Flight[],
): AsyncGenerator<void, void> {
  // A person's score needs no rollout.
  const open = flights.filter(({ leaf }) => !tree.has(leaf, flag.terminal) && Number.isNaN(tree.score[leaf]));
  if (open.length === 0) return;
  if (options.value.rollout === 0) {
    const outlooks = await nodes.ahead(open.map(({ leaf }) => leaf));
    yield;
    for (const [i, flight] of open.entries()) flight.outlook = outlooks[i];
    return;
  }
  const starts = open.map(({ leaf, random }) => ({ state: nodes.of(leaf), length: tree.length[leaf], random }));
  const rollouts = yield* rollOut(nodes.model, nodes.look, starts, options.max_new, options.temperature);
  for (const [i, flight] of open.entries()) {
    flight.rollout = rollouts[i];
    flight.outlook = rollouts[i].first;
    if (flight.outlook !== undefined) nodes.note(flight.leaf, flight.outlook);
  }
}

/** Asks the reward about every complete answer that is new, all at once. */
export function judgeAll(
  tree: SearchTree,
  endIds: ReadonlySet<number>,
  seconds: number,
  flights: readonly Flight[],
  judge: Judge,
  firstOrder: number,
  signal: AbortSignal,
): Promise<Judged[]> {
  const asked = new Map<number, Promise<RewardResult>>();
  return Promise.allSettled(
    flights.map(async ({ leaf, rollout }, i) => {
      const terminal = tree.has(leaf, flag.terminal);
      if (!Number.isNaN(tree.score[leaf]) || (rollout === undefined && !terminal)) return undefined;
      if (terminal && !Number.isNaN(tree.reward[leaf])) return { value: tree.reward[leaf], parts: {} };
      const ask = () => askJudge(judge, answerAt(tree, leaf, rollout, endIds), firstOrder + i, seconds, signal);
      if (!terminal) return ask();
      // The same ended answer twice in a batch is judged once.
      const result = asked.get(leaf) ?? ask();
      asked.set(leaf, result);
      return result;
    }),
  );
}

/** The weighted mean of reward, V and max Q; the reward alone where the answer has ended. */
export function flightValue(
  weights: SearchOptions['value'],
  terminal: boolean,
  reward: number | undefined,
  outlook: Outlook | undefined,
): number {
  if (terminal && reward !== undefined) return reward;
  let total = weights.rollout * (reward ?? 0) + weights.value * (outlook?.value ?? 0);
  if (outlook?.q !== undefined) total += weights.q * outlook.q[argmaxOf(outlook.q, 0, outlook.q.length)];
  return total / (weights.rollout + weights.value + weights.q);
}
