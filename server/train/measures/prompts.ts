/** Held-out prompts answered greedily and by sampling: rewards, solve rates, pass@k, and how different the answers are. */
import { type Judged, type Prompt, scoreOf } from '../reinforce/episode.ts';
import type { Rollouts } from '../reinforce/rollouts.ts';
import type { SamplingSettings } from '../reinforce/sampler.ts';
import { numbered, type Start, startsOf } from '../reinforce/starts.ts';
import { type SolvedEach, solvedEach } from './solved.ts';

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

/** What figures look at of a judged answer. */
export type Answered = Pick<Judged, 'tokens' | 'completion' | 'result'>;

/** Prompts that are answered together: which ones does not change what is drawn, but may change rounding. */
export interface PromptPiece {
  readonly starts: readonly Start[];
  readonly sampling: SamplingSettings;
}

export interface PromptEvaluation {
  /** Mean reward of the greedy and of the sampled answers; NaN where no answer has a score. */
  readonly score: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly each: SolvedEach;
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

/** The mean; undefined of nothing. */
function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length;
}

/**
 * Figures of judged answers. Answers without a score are left out of everything that looks at rewards, and counted as
 * `held_out_unscored`; a figure of which nothing is left is not there.
 *
 * @param sampled the samples of each prompt in turn, `samples` of each
 */
export function promptFigures(
  greedy: readonly Answered[],
  sampled: readonly Answered[],
  samples: number,
  solvedAt: number,
): Pick<PromptEvaluation, 'score' | 'metrics' | 'each'> {
  const scores = (rows: readonly Answered[]) => rows.flatMap((row) => scoreOf(row.result) ?? []);
  const solved = (values: readonly number[]) => values.filter((value) => value >= solvedAt).length;
  const share = (values: readonly number[]) => (values.length === 0 ? undefined : solved(values) / values.length);
  const groups = Array.from({ length: sampled.length / samples }, (_, i) =>
    sampled.slice(i * samples, (i + 1) * samples),
  );
  const pass = (k: number) =>
    mean(
      groups.map(scores).flatMap((values) => {
        const chance = passAtK(values.length, solved(values), k);
        return Number.isNaN(chance) ? [] : chance;
      }),
    );
  const [best, drawn] = [scores(greedy), scores(sampled)];
  const rewards = [mean(best), mean(drawn)];
  const figures: Record<string, number | undefined> = {
    greedy_reward: rewards[0],
    sampled_reward: rewards[1],
    greedy_solved: share(best),
    sampled_solved: share(drawn),
    ...Object.fromEntries(powersOfTwo(samples).map((k) => [`pass_at_${k}`, pass(k)])),
    different_answers: mean(groups.map((g) => new Set(g.map((row) => row.completion)).size)),
    held_out_answer_tokens: mean(sampled.map((row) => row.tokens.length)),
    held_out_unscored: greedy.length + sampled.length - best.length - drawn.length,
  };
  const metrics = Object.fromEntries(
    Object.entries(figures).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
  const score = mean(rewards.filter((value) => value !== undefined)) ?? Number.NaN;
  return { score, metrics, each: solvedEach(greedy, groups, solvedAt) };
}

/** Most rows that are decoded at once to measure so many prompts with so many samples each. */
export function sampledRows(prompts: number, samples: number): { readonly greedy: number; readonly sampled: number } {
  return { greedy: Math.min(prompts, rowLimit), sampled: Math.min(prompts, promptsAtOnce(samples)) * samples };
}

const promptsAtOnce = (group: number): number => Math.max(1, Math.floor(rowLimit / group));

/** What is answered in a measurement: greedily, and by sampling. */
export function piecesOf(
  prompts: readonly Prompt[],
  { samples, maxNew, temperature, topK, seed }: Omit<PromptEvaluationOptions, 'solvedAt' | 'signal'>,
): { readonly greedy: readonly PromptPiece[]; readonly sampled: readonly PromptPiece[] } {
  const pieces = (group: number, sampling: SamplingSettings): PromptPiece[] => {
    const starts = startsOf(numbered(prompts), group, seed, 0);
    const size = promptsAtOnce(group);
    return Array.from({ length: Math.ceil(starts.length / size) }, (_, i) => {
      return { starts: starts.slice(i * size, (i + 1) * size), sampling };
    });
  };
  return {
    greedy: pieces(1, { maxNew, temperature: 0, topK: 0 }),
    sampled: pieces(samples, { maxNew, temperature, topK: temperature === 0 ? 0 : topK }),
  };
}

/** The samples of a measurement follow from its seed alone, so that it changes nothing of what training draws. */
export async function evaluatePrompts(
  rollouts: Rollouts,
  prompts: readonly Prompt[],
  options: PromptEvaluationOptions,
): Promise<PromptEvaluation> {
  const { samples, signal, solvedAt, keepHidden = 0 } = options;
  const pieces = piecesOf(prompts, options);
  const answer = async (asked: readonly PromptPiece[], kept: number): Promise<Judged[]> => {
    const judged: Judged[] = [];
    for (const { starts, sampling } of asked) {
      const { rows } = await rollouts.run(starts, sampling, signal);
      const { length } = judged;
      judged.push(...rows.map((row, i) => (length + i < kept ? row : { ...row, hidden: empty })));
    }
    return judged;
  };
  const greedy = await answer(pieces.greedy, keepHidden);
  const sampled = await answer(pieces.sampled, 0);
  return { ...promptFigures(greedy, sampled, samples, solvedAt), greedy };
}

const empty = new Float32Array(0);

/** 1, 2, 4, ... up to n, and n. */
function powersOfTwo(n: number): number[] {
  const ks: number[] = [];
  for (let k = 1; k < n; k *= 2) ks.push(k);
  return [...ks, n];
}
