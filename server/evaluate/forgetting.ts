/** What tuning has changed beside what it was for: the loss on held-out text, the task, and how far the weights moved. */

import type { LanguageModel, WeightMap } from '../model/language-model.ts';
import type { ExpectedTensor } from '../model/weights/weights.ts';
import { codeTokens } from '../train/measures/code-tokens.ts';
import { policyDivergence } from '../train/measures/divergence.ts';
import type { Figures } from '../train/measures/figures.ts';
import { collectStates, type Sequences } from '../train/measures/states.ts';
import { evaluateErrors } from './errors.ts';
import { measureMarginal } from './marginal.ts';
import { scoreSequences } from './score.ts';
import type { Subject } from './subject.ts';

export interface ForgettingLimits {
  /** Positions at which the marginal is measured. */
  readonly marginalStates: number;
  /** States at which the policies are compared. */
  readonly divergenceStates: number;
}

/**
 * Distance of all weights, ||theta - theta_0||_2 (the paper's P-shift, table 2).
 *
 * @throws evaluate.otherSizes
 */
export function parameterDistance(a: WeightMap, b: WeightMap, tensors: readonly ExpectedTensor[]): number {
  return Math.sqrt(tensors.reduce((sum, { name }) => sum + squareDistance(name, a.get(name), b.get(name)), 0));
}

function squareDistance(name: string, x: Float32Array | undefined, y: Float32Array | undefined): number {
  if (x === undefined || y === undefined || x.length !== y.length) throw evaluateErrors.otherSizes(name);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] - y[i]) ** 2;
  return sum;
}

/** The same of two bases, whatever form their weights are kept in: one tensor after the other. */
function baseDistance(a: LanguageModel, b: LanguageModel): number {
  let sum = 0;
  const others = b.values();
  for (const [name, x] of a.values()) {
    const other = others.next();
    sum += squareDistance(name, x, other.done === true || other.value[0] !== name ? undefined : other.value[1]);
  }
  return Math.sqrt(sum);
}

/**
 * - `loss_before`, `loss_after`, `loss_change`: base loss per token of held-out text, in nats;
 * - `marginal_before`, `marginal_after`, `marginal_change`: the same of the marginal language model, which is what a model
 *   with latent actions says; teacher-forced loss under greedy actions measures no forgetting, for a code is sure of its own;
 * - `distance_base`, `distance_policy`: see {@link parameterDistance};
 * - `kl_action`, `kl_token`: how far the policy moved, see {@link policyDivergence}, where base and world model are the same.
 *
 * Figures on text are left out without one.
 *
 * @throws evaluate.otherSizes, evaluate.otherText
 */
export async function measureForgetting(
  before: Subject,
  after: Subject,
  text: Sequences | undefined,
  limits: ForgettingLimits,
): Promise<Figures> {
  const { base } = after;
  const figures: Record<string, number> = {
    distance_base: baseDistance(before.base, base),
  };
  const [old, tuned] = [before.with('world', 'policy'), after.with('world', 'policy')];
  if (old !== undefined && tuned !== undefined)
    figures.distance_policy = parameterDistance(old.weights, tuned.weights, tuned.tensorsOf('policy'));
  if (text === undefined) return figures;
  const [a, b] = [before.base.tokenizer?.fingerprint, base.tokenizer?.fingerprint];
  if (a !== b) throw evaluateErrors.otherText();
  const note = (name: string, x: number, y: number) =>
    Object.assign(figures, { [`${name}_before`]: x, [`${name}_after`]: y, [`${name}_change`]: y - x });
  note('loss', await lossOf(before, text), await lossOf(after, text));
  if (old === undefined || tuned === undefined) return figures;
  const marginal = async (subject: Subject, cola: typeof old) =>
    (await measureMarginal(subject, cola, text, limits.marginalStates)).cross_entropy;
  note('marginal', await marginal(before, old), await marginal(after, tuned));
  const sameWorld = parameterDistance(old.weights, tuned.weights, tuned.tensorsOf('world')) === 0;
  if (figures.distance_base === 0 && sameWorld) {
    const selection = { limit: limits.divergenceStates, last: false };
    const [then, now] = [
      await collectStates(before, old, text, selection),
      await collectStates(after, tuned, text, selection),
    ];
    const tokens = await codeTokens(after.device, after.weights, tuned, now.h);
    const { choice, token } = policyDivergence(now.policy, then.policy, tuned.config.numCodes, tokens);
    Object.assign(figures, { kl_action: choice, kl_token: token });
  }
  return figures;
}

async function lossOf(subject: Subject, text: Sequences): Promise<number> {
  const rows = Array.from({ length: text.count }, (_, i) => ({
    ids: text.ids.subarray(i * text.length, (i + 1) * text.length),
  }));
  const { loss } = await scoreSequences(subject.device, subject.base, rows, {
    length: text.length,
    signal: subject.signal,
  });
  return loss;
}
