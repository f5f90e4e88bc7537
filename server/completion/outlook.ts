/** What may follow a state, over all tokens: the even mixture of the marginal language model and the base, and the actions behind it. */
import type { ColaModel } from '../cola/model.ts';
import { worldModelAll } from '../cola/modules.ts';
import type { Device } from '../device/device.ts';
import type { Program } from '../device/program.ts';
import { logSumExp } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { languageHead } from '../model/base.ts';

export interface Outlook {
  /** Logits of the policy, without banned actions, `[N]`. */
  readonly policyLogits: Float32Array;
  /** For every code the token it leads to, `[N]`. */
  readonly nextTokens: Int32Array;
  /** log of w p_base(x) + (1 - w) sum_a pi(a) p(x | a), `[V]`. */
  readonly logp: Float32Array;
  /** argmax_a pi(a) p(x | a), `[V]`. */
  readonly actions: Int32Array;
  /** Tokens that other texts of the project have more to do with than the model, where these were asked. */
  readonly byTexts?: ReadonlySet<number>;
}

/** Smaller probabilities are none. */
const least = 1e-30;

/** Inputs `state [1,d]`, `policy_logits [1,N]`, `base_share []` = w. Outputs `next_tokens [1,N]`, `logp [1,V]`, `actions [1,V]`. */
export function outlookProgram(
  device: Device,
  { base, config: cola }: ColaModel,
  frozen: ReadonlyMap<string, Float32Array>,
): Promise<Program> {
  const { config } = base;
  const n = cola.numCodes;
  const graph = device.graph();
  const state = graph.input('state', 'float32', [1, config.hiddenSize]);
  const policy = graph.input('policy_logits', 'float32', [1, n]);
  const share = graph.input('base_share', 'float32', []);
  const logits = ops.reshape(worldModelAll(graph, config, cola, state), [n, config.vocabSize]);
  const column = (x: ReturnType<typeof ops.reshape>) => ops.reshape(x, [n, 1]);
  const prior = ops.sub(policy, ops.reshape(logSumExp(policy), [1, 1]));
  const joint = ops.add(ops.sub(logits, column(logSumExp(logits))), column(prior));
  const byToken = ops.transpose(joint, [1, 0]);
  const marginal = ops.exp(logSumExp(byToken));
  const alone = ops.reshape(ops.softmax(languageHead(graph, config, state)), [config.vocabSize]);
  const mixed = ops.add(ops.mul(alone, share), ops.mul(marginal, ops.sub(graph.scalar(1), share)));
  const outputs = {
    next_tokens: ops.argmax(logits),
    logp: ops.log(ops.add(mixed, least)),
    actions: ops.argmax(byToken),
  };
  return device.compile(outputs, { frozen });
}
