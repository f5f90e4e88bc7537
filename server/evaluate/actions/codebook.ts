/** What the codes are: how many live, how well the world model predicts with them, and which tokens they lead to. */
import { codeHealth } from '../../cola/health.ts';
import type { ColaModel } from '../../cola/model.ts';
import { codebook, headOn, inverseDynamics, worldModel } from '../../cola/modules.ts';
import { crossEntropy } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { languageHead } from '../../model/base.ts';
import { defaultBudget, rowsWithin } from '../../train/measures/chunks.ts';
import { codeTokens } from '../../train/measures/code-tokens.ts';
import type { Figures } from '../../train/measures/figures.ts';
import { collectStates, type Reader, readText, type Sequences } from '../../train/measures/states.ts';
import { measureSaying } from './saying.ts';

export interface CodebookMeasure {
  readonly figures: Figures;
  /** How often each code is the inverse dynamics' argmax, `[N]`. */
  readonly usage: readonly number[];
}

/**
 * On the S (T-1) positions of held-out text that a token follows, with a_t = argmax of the inverse dynamics, no noise:
 *
 * - `alive`, `usage_entropy` (nats), `max_share`: see {@link codeHealth} (paper, appendix D.1);
 * - `prediction`: L_pred, mean of -log p_world(x_{t+1} | a_t); `base_loss`: the same of the base, which knows no action.
 *   A low L_pred alone proves nothing, for the code leaks the next token: L_pred + `clone_loss` bounds the marginal's loss;
 * - `forced_accuracy`: share of positions where the world model's argmax under a_t is x_{t+1}; `base_accuracy` likewise;
 * - `clone_loss`, `clone_accuracy`: cross entropy and accuracy of the policy against a_t (paper, equation 4);
 * - `reach`, `distinct_tokens`: see {@link measureReach};
 * - `random_loss`, `bits`, `recovered`, `healthy`: see {@link measureSaying}.
 */
export async function measureCodebook(
  reader: Reader,
  cola: ColaModel,
  text: Sequences,
  reachLimit: number,
  budget = defaultBudget,
): Promise<CodebookMeasure> {
  const { length } = text;
  const withPolicy = cola.has('policy');
  const sums: Record<string, number> = {};
  const actions: number[] = [];
  await readText(reader, text, {
    chunk: rowsWithin(budget, length * reader.base.config.vocabSize),
    build: ({ graph, config, ids, context, h }) => {
      const before = (x: Tensor) => ops.slice(x, 1, 0, length - 1);
      const targets = ops.slice(ids, 1, 1, length);
      const chosen = ops.argmax(inverseDynamics(graph, config, cola.config, h, context));
      const c = ops.gather(codebook(graph, config, cola.config), chosen);
      const world = worldModel(graph, config, cola.config, before(h), c);
      const base = languageHead(graph, config, before(h));
      const hit = (logits: Tensor, truth: Tensor) => ops.cast(ops.equal(ops.argmax(logits), truth), 'float32');
      // One sum a sequence: positions of padding rows are dropped with their row.
      const perRow = (x: Tensor) => ops.sum(x, [1]);
      const policy = () => before(headOn(graph, config, cola.config, 'policy', h, context));
      const cloned = withPolicy ? policy() : undefined;
      return {
        actions: chosen,
        prediction: perRow(crossEntropy(world, targets)),
        base_loss: perRow(crossEntropy(base, targets)),
        forced_accuracy: perRow(hit(world, targets)),
        base_accuracy: perRow(hit(base, targets)),
        ...(cloned === undefined
          ? {}
          : { clone_loss: perRow(crossEntropy(cloned, chosen)), clone_accuracy: perRow(hit(cloned, chosen)) }),
      };
    },
    take: (values, _start, count) => {
      for (const action of values.ints('actions').subarray(0, count * (length - 1))) actions.push(action);
      for (const name of [...summed, ...(withPolicy ? clonedNames : [])]) {
        const rows = values.floats(name);
        for (let i = 0; i < count; i++) sums[name] = (sums[name] ?? 0) + rows[i];
      }
    },
  });
  const health = codeHealth(actions, cola.config.numCodes);
  const means = Object.entries(sums).map(([name, sum]) => [name, sum / actions.length]);
  return {
    figures: {
      alive: health.alive,
      usage_entropy: health.entropy,
      max_share: health.maxShare,
      ...Object.fromEntries(means),
      ...(withPolicy ? await measureReach(reader, cola, text, reachLimit, budget) : {}),
      ...(await measureSaying(reader, cola, text, reachLimit, budget)),
    },
    usage: [...health.counts],
  };
}

const summed = ['prediction', 'base_loss', 'forced_accuracy', 'base_accuracy'] as const;
const clonedNames = ['clone_loss', 'clone_accuracy'] as const;

/**
 * With m(a) = argmax_x p_world(x | a) at evenly spread positions: `reach`, the share where x_{t+1} is m(a) of some code, which
 * bounds what any policy can say; `distinct_tokens`, the mean number of different m(a).
 */
export async function measureReach(
  reader: Reader,
  cola: ColaModel,
  text: Sequences,
  limit: number,
  budget = defaultBudget,
): Promise<Figures> {
  const n = cola.config.numCodes;
  const states = await collectStates(reader, cola, text, { limit, last: false });
  const tokens = await codeTokens(reader.device, reader.weights, cola, states.h, budget);
  let reached = 0;
  let distinct = 0;
  for (let i = 0; i < states.count; i++) {
    const own = new Set(tokens.subarray(i * n, (i + 1) * n));
    distinct += own.size;
    if (own.has(states.targets[i])) reached++;
  }
  return { reach: reached / states.count, distinct_tokens: distinct / states.count };
}
