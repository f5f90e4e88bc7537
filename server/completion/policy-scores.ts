/** How much every version of the policy is for a text that one of them wrote: the probability it gives to its actions. */
import { headOn } from '../cola/modules.ts';
import { type Program, State } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import { original } from '../feedback/model.ts';
import type { PolicyVersions, PolicyWeights } from '../feedback/versions.ts';
import { logSoftmax } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { weightOf } from '../model/language-model.ts';
import type { ReceivedOf } from '../protocol/channel/request.ts';
import type { PolicyScore, scorePolicies } from '../protocol/feedback.ts';
import type { Job } from '../schedule/scheduler.ts';
import type { LoadedModel } from './loaded-model.ts';
import { windowOf, windowStates } from './window-states.ts';

type Suggestion = Omit<ReceivedOf<typeof scorePolicies>, 'root'>;

/** The program that reads a suggestion, kept with its model. */
export class PolicyReader {
  private readonly programs = new ProgramCache<'policy'>();

  constructor(private readonly model: LoadedModel) {}

  /** Tokens in a window, W: the end of the text before, and the suggestion. */
  get window(): number {
    return windowOf(this.model);
  }

  /**
   * log pi of all actions at every place `[W, N]`.
   *
   * @param ids `[W]`
   * @param weights of the policy
   */
  async read(ids: Int32Array, weights: PolicyWeights): Promise<Float32Array> {
    const { cola, device, states, policy } = this.model;
    const program = await this.programs.get('policy', () => this.compile());
    const own = new State();
    try {
      for (const { name, shape } of cola.tensorsOf('policy'))
        own.set(name, await device.upload(weightOf(weights, name), 'float32', shape));
      const { logp } = await program.run(
        { ids },
        { states: [own, ...states.filter((state) => state !== policy.state)] },
      );
      const values = await logp.readFloats();
      logp.release();
      return values;
    } finally {
      own.dispose();
    }
  }

  private compile(): Promise<Program> {
    const { window, model } = this;
    const { cola, device } = model;
    const { graph, h, context, frozen } = windowStates(model);
    const logp = logSoftmax(headOn(graph, cola.base.config, cola.config, 'policy', h, context));
    return device.compile({ logp: ops.reshape(logp, [window, cola.config.numCodes]) }, { frozen });
  }

  dispose(): Promise<void> {
    return this.programs.dispose();
  }
}

/**
 * Scores of the model's own policy and of every version of the folder that was made with this model, oldest first; none for
 * a suggestion of another model.
 *
 * @throws the signal's reason; feedback.version where weights of a version cannot be read
 */
export async function* policyScores(
  model: LoadedModel,
  versions: PolicyVersions,
  { model: author, prompt, tokens, actions }: Suggestion,
  signal: AbortSignal,
): Job<PolicyScore[]> {
  if (author !== model.fingerprint) return [];
  const reader = model.policyReader;
  const { window } = reader;
  // Of a long suggestion the beginning counts, where it was chosen.
  const count = Math.min(tokens.length, actions.length, window >> 1);
  const before = prompt.slice(-(window - count));
  const ids = new Int32Array(window);
  ids.set([...before, ...tokens.slice(0, count)]);
  const there = versions
    .list()
    .filter((version) => version.verdict !== 'refused' && version.model === model.fingerprint);
  const scores: PolicyScore[] = [];
  for (const version of [original, ...there.map(({ id }) => id)]) {
    yield;
    signal.throwIfAborted();
    const weights = versions.weights(version, model.cola, model.fingerprint) ?? model.policy.own;
    const logp = await reader.read(ids, weights);
    // The state that has read the token before chose the action.
    const taken = actions
      .slice(0, count)
      .map((action, i) => logp[(before.length - 1 + i) * model.cola.config.numCodes + action]);
    scores.push({ version, probability: Math.exp(taken.reduce((sum, value) => sum + value, 0) / count) });
  }
  return scores;
}
