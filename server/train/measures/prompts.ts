/** Held-out prompts answered greedily and by sampling: rewards, solve rates, pass@k, and how different the answers are. */
import type { Tokenizer } from '../../model/tokenizer.ts';
import { Random } from '../../random.ts';
import type { Reward } from '../../rewards/reward.ts';
import type { Actor } from '../actor.ts';
import { type Judged, judge, type Prompt, scoreOf } from '../rollout.ts';

/** Rows decoded at once. */
const rowLimit = 256;

export interface PromptEvaluationOptions {
  readonly samples: number;
  readonly maxNew: number;
  readonly temperature: number;
  readonly topK: number;
  /** Reward from which a sample counts as solved. */
  readonly solvedAt: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Of the greedy answers, how many keep their hidden states; none, if not given. */
  readonly keepHidden?: number;
}

export interface PromptEvaluation {
  readonly greedyReward: number;
  readonly sampledReward: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly greedy: readonly Judged[];
}

/** The unbiased estimator of pass@k from n samples of which c solve (Chen et al., arXiv 2107.03374, equation 1). */
export function passAtK(n: number, c: number, k: number): number {
  if (k > n) return Number.NaN;
  if (n - c < k) return 1;
  let miss = 1;
  for (let i = n - c + 1; i <= n; i++) miss *= 1 - k / i;
  return 1 - miss;
}

export async function evaluatePrompts(
  actor: Actor,
  prompts: readonly Prompt[],
  reward: Reward,
  tokenizer: Tokenizer,
  options: PromptEvaluationOptions,
): Promise<PromptEvaluation> {
  const { samples, maxNew, signal, solvedAt, keepHidden = 0 } = options;
  const random = new Random(options.seed);
  const answer = async (group: number, temperature: number): Promise<Judged[]> => {
    const judged: Judged[] = [];
    const size = Math.max(1, Math.floor(rowLimit / group));
    for (let at = 0; at < prompts.length; at += size) {
      const some = prompts.slice(at, at + size);
      const rows = await actor.rollout(
        some,
        group,
        { maxNew, temperature, topK: temperature === 0 ? 0 : options.topK },
        random,
        signal,
      );
      judged.push(
        ...(await judge(
          rows.map((row, i) => (temperature === 0 && at + i < keepHidden ? row : { ...row, hidden: empty })),
          tokenizer,
          reward,
          signal,
        )),
      );
    }
    return judged;
  };
  const greedy = await answer(1, 0);
  const sampled = await answer(samples, options.temperature);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
  const value = (row: Judged) => scoreOf(row.result) ?? 0;
  const solved = (row: Judged) => value(row) >= solvedAt;
  const groups = prompts.map((_, i) => sampled.slice(i * samples, (i + 1) * samples));
  const passes = powersOfTwo(samples).map(
    (k) => [`pass_at_${k}`, mean(groups.map((g) => passAtK(g.length, g.filter(solved).length, k)))] as const,
  );
  const greedyReward = mean(greedy.map(value));
  const sampledReward = mean(sampled.map(value));
  const metrics = {
    greedy_reward: greedyReward,
    sampled_reward: sampledReward,
    greedy_solved: mean(greedy.map((row) => +solved(row))),
    sampled_solved: mean(sampled.map((row) => +solved(row))),
    ...Object.fromEntries(passes),
    different_answers: mean(groups.map((g) => new Set(g.map((row) => row.completion)).size)),
    held_out_answer_tokens: mean(sampled.map((row) => row.tokens.length)),
  };
  return { greedyReward, sampledReward, metrics, greedy };
}

const empty = new Float32Array(0);

/** 1, 2, 4, ... up to n, and n. */
function powersOfTwo(n: number): number[] {
  const ks: number[] = [];
  for (let k = 1; k < n; k *= 2) ks.push(k);
  return [...ks, n];
}
