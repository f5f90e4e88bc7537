/** How far a policy in training has moved from where it began, measured on states of a few answers. */
import type { State } from '../../device/program.ts';
import * as ops from '../../graph/ops.ts';
import type { LearningPolicy } from '../reinforce/actor.ts';
import type { Judged } from '../reinforce/episode.ts';
import { layOut } from '../reinforce/policy-gradient.ts';
import { packed } from '../shared-prefix.ts';
import type { StageContext } from '../stage.ts';
import { codeTokens } from './code-tokens.ts';
import { policyDivergence } from './divergence.ts';
import type { Figures } from './figures.ts';
import { spread } from './states.ts';

/** Answers whose states are looked at. */
export const driftAnswers = 8;
/** States that are looked at, evenly spread over the answers. */
const driftStates = 64;

/**
 * `kl_token`, and for latent actions `kl_action` ({@link policyDivergence}), over all choices whatever top-k leaves out.
 *
 * @param reference weights of the policy at the start, by their own names
 * @param answers with hidden states, if the actor's choices are actions
 */
export async function measureDrift(
  context: StageContext,
  actor: LearningPolicy,
  reference: State,
  answers: readonly Judged[],
  temperature: number,
): Promise<Figures> {
  const { device, weights, cola } = context;
  const { length } = layOut(answers);
  const layout = packed(answers, length, actor.width);
  const places = answers.flatMap(({ choices }, b) => choices.map((_, j) => [b, j]));
  const picked = [...spread(places.length, driftStates)].map((i) => places[i]);
  if (picked.length === 0) return {};
  const graph = device.graph();
  const { logits } = actor.build(graph, layout.shape);
  const flat = ops.reshape(logits, [answers.length * length, actor.choices]);
  const program = await device.compile({ rows: ops.gather(flat, graph.input('picked', 'int32', [picked.length])) });
  try {
    const feeds = {
      ...actor.feeds(answers, layout),
      picked: Int32Array.from(picked, ([b, j]) => b * length + j),
    };
    const logitsOf = async (states: readonly State[]) => {
      const { rows } = await program.run(feeds, { states });
      const values = (await rows.readFloats()).slice();
      rows.release();
      return values;
    };
    const now = await logitsOf([weights.state]);
    const then = await logitsOf([reference, weights.state]);
    if (cola === undefined || answers[0].hidden.length === 0)
      return { kl_token: policyDivergence(now, then, actor.choices, undefined, temperature).token };
    const d = cola.base.config.hiddenSize;
    const h = new Float32Array(picked.length * d);
    for (const [k, [b, j]] of picked.entries()) {
      const t = answers[b].prompt.ids.length - 1 + answers[b].written[j];
      h.set(answers[b].hidden.subarray(t * d, (t + 1) * d), k * d);
    }
    const tokens = await codeTokens(device, weights.state, cola, h);
    const { choice, token } = policyDivergence(now, then, actor.choices, tokens, temperature);
    return { kl_action: choice, kl_token: token };
  } finally {
    await program.dispose();
  }
}
