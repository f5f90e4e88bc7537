/**
 * Ways to answer at the same number of generated tokens: the greedy answer, the best of N samples, MCTS, and MCTS-Q where the model
 * has Q (paper, section 4.3.2). The reward picks among the answers, as it judges them: this is what search can find, not
 * what a model does alone.
 */
import type { ColaModel } from '../cola/model.ts';
import { Random } from '../random.ts';
import type { Reward } from '../rewards/reward.ts';
import { bestOfN } from '../search/best-of-n.ts';
import { type Branch, BranchedModel } from '../search/branches.ts';
import { type Judge, rewardJudge } from '../search/judge.ts';
import type { SearchBudget, SearchSettings } from '../search/options.ts';
import { Search } from '../search/search.ts';
import { tokenizerOf } from '../train/data.ts';
import type { Figures } from '../train/measures/figures.ts';
import type { Prompt } from '../train/reinforce/episode.ts';
import type { StageContext } from '../train/stage.ts';
import type { EvaluationSettings } from './report.ts';
import type { TaskSpec } from './task.ts';

/** Answers a token at most. */
const mostAnswers = 4;

/** What a way to answer came to on one prompt. */
interface SearchedPrompt {
  /** Of the best answer; 0 where none had a score. */
  readonly reward: number;
  readonly tokens: number;
  /** Simulations or samples. */
  readonly answers: number;
}

type Way = (prompt: readonly number[], judge: Judge, seed: number) => Promise<SearchedPrompt>;

/**
 * For each way `<way>_reward`, `<way>_solved`, `<way>_tokens` and `<way>_answers`, means over the prompts; ways are `greedy`,
 * `best_of_n`, `mcts`, `mcts_q`. Tokens are states the model is run for: what a way comes back to costs it nothing, and it ends,
 * too, with four times as many answers as tokens. A budget is checked after each answer, so a way may generate one answer more than it allows.
 */
export async function measureSearch(
  context: StageContext,
  cola: ColaModel,
  task: TaskSpec,
  prompts: readonly Prompt[],
  reward: Reward,
  settings: EvaluationSettings['search'],
  seed: number,
): Promise<Figures> {
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  const model = new BranchedModel(context.device, cola, {
    tokens: longest + task.max_new,
    rows: settings.breadth,
    megabytes: settings.cache,
    value: false,
  });
  const tokenizer = tokenizerOf(context);
  const text = (tokens: readonly number[]) => tokenizer.decode(tokens, { skipSpecialTokens: true });
  const random = new Random(seed);
  const found = new Map<string, SearchedPrompt[]>();
  try {
    const ways = waysOf(model, task, settings, context.signal);
    for (const prompt of prompts) {
      const judge = rewardJudge(reward, text, { prompt: prompt.text, row: prompt.row });
      const own = random.uint32();
      for (const [name, way] of Object.entries(ways)) {
        const outcome = await way([...prompt.ids], judge, own);
        found.set(name, [...(found.get(name) ?? []), outcome]);
      }
      // The next prompt shares nothing with this one.
      await model.forget();
    }
  } finally {
    await model.dispose();
  }
  return Object.fromEntries([...found].flatMap(([name, outcomes]) => figuresOf(name, outcomes, task.solved_at)));
}

function waysOf(
  model: BranchedModel,
  task: TaskSpec,
  settings: EvaluationSettings['search'],
  signal: AbortSignal,
): Readonly<Record<string, Way>> {
  const { breadth, cpuct, edge_steps, threshold, max_extra } = settings;
  // Where nothing new is left to generate, tokens alone would never be spent.
  const budget = { tokens: settings.tokens, simulations: mostAnswers * settings.tokens };
  const common = { max_new: task.max_new, breadth, cpuct, temperature: settings.temperature };
  const samples =
    (temperature: number, limit: SearchBudget): Way =>
    async (prompt, judge, seed) =>
      sampled(bestOfN(model, prompt, judge, { maxNew: task.max_new, temperature, seed }, limit, signal));
  const tree =
    (own: SearchSettings): Way =>
    async (prompt, judge, seed) =>
      searched(new Search<Branch>(model, prompt, judge, { ...common, ...own, seed }), budget, signal);
  return {
    greedy: samples(0, { simulations: 1 }),
    best_of_n: samples(task.temperature, budget),
    mcts: tree({ edge: { kind: 'steps', steps: edge_steps } }),
    ...(model.hasQ ? { mcts_q: tree({ edge: { kind: 'q', threshold, max_extra } }) } : {}),
  };
}

async function sampled(samples: ReturnType<typeof bestOfN>): Promise<SearchedPrompt> {
  let [tokens, answers] = [0, 0];
  for (;;) {
    const next = await samples.next();
    if (next.done === true) return { reward: next.value?.reward ?? 0, tokens, answers };
    if (next.value === 'step') continue;
    tokens = next.value.generated;
    answers++;
  }
}

async function searched(search: Search<Branch>, budget: SearchBudget, signal: AbortSignal): Promise<SearchedPrompt> {
  for await (const _ of search.run(budget, signal)) signal.throwIfAborted();
  signal.throwIfAborted();
  const { tokens, simulations } = search.spent;
  return { reward: search.best()?.reward ?? 0, tokens, answers: simulations };
}

function figuresOf(name: string, outcomes: readonly SearchedPrompt[], solvedAt: number): [string, number][] {
  const mean = (of: (outcome: SearchedPrompt) => number) => outcomes.reduce((n, o) => n + of(o), 0) / outcomes.length;
  return [
    [`${name}_reward`, mean(({ reward }) => reward)],
    [`${name}_solved`, mean(({ reward }) => +(reward >= solvedAt))],
    [`${name}_tokens`, mean(({ tokens }) => tokens)],
    [`${name}_answers`, mean(({ answers }) => answers)],
  ];
}
