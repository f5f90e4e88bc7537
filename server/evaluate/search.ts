/**
 * Ways to answer at the same number of generated tokens: the greedy answer, the best of N samples, the most frequent of them, MCTS,
 * and MCTS-Q where the model has Q (paper, section 4.3.2). A judge, such as a reward model, guides the search and picks among
 * the answers; the reward of the task sees only what was picked. Where there is no judge that reward picks itself: this is what
 * search can find, not what a model does alone, and is called oracle. Where the model has a value head, V picks too, in place of
 * any judge.
 */
import type { ColaModel } from '../cola/model.ts';
import { Random } from '../random.ts';
import type { Reward } from '../rewards/reward.ts';
import { bestOfN, type Sample } from '../search/best-of-n.ts';
import { type Branch, BranchedModel } from '../search/branches.ts';
import { type Answer, askJudge, isScore, type Judge, rewardJudge } from '../search/judge.ts';
import type { SearchModel } from '../search/model.ts';
import type { SearchBudget, SearchSettings } from '../search/options.ts';
import { Search } from '../search/search.ts';
import { tokenizerOf } from '../train/data.ts';
import type { Figures } from '../train/measures/figures.ts';
import type { Prompt } from '../train/reinforce/episode.ts';
import type { StageContext } from '../train/stage.ts';
import { qCorrelation } from './q-gate.ts';
import type { EvaluationSettings } from './report.ts';
import type { TaskSpec } from './task.ts';

/** Answers a token at most. */
const mostAnswers = 4;

/** What a way to answer came to on one prompt. */
interface Picked {
  /** Undefined where none had a score. */
  readonly answer: Answer | undefined;
  readonly tokens: number;
  /** Simulations or samples. */
  readonly answers: number;
}

/** {@link Picked}, as the reward of the task sees it. */
export interface SearchedPrompt {
  /** 0 where nothing was picked, or what was picked has no score. */
  readonly reward: number;
  readonly tokens: number;
  readonly answers: number;
}

/** What is picked, by the names of the figures. */
type Way = (prompt: readonly number[], judge: Judge, seed: number) => Promise<Readonly<Record<string, Picked>>>;

/** How long the reward of the task may take for an answer. */
const rewardSeconds = 60;

interface SearchParts {
  readonly task: Pick<TaskSpec, 'max_new' | 'temperature'>;
  /** What says how good an answer is in the end. */
  readonly reward: Reward;
  readonly settings: Omit<EvaluationSettings['search'], 'judge'>;
  /** What picks among answers; the reward itself, if not given. */
  readonly picker?: Reward | undefined;
}

/** What is searched for, and how. */
export interface SearchMeasure extends SearchParts {
  readonly task: SearchParts['task'] & Pick<TaskSpec, 'solved_at'>;
  readonly prompts: readonly Prompt[];
  readonly seed: number;
  /** Searches in other processes; @returns in the order of the jobs */
  readonly elsewhere?: ((...asked: SearchAsked) => Promise<readonly SearchFound[]>) | undefined;
  /** Hears `<way>_solved_each`: of every prompt whether what was picked solves it. */
  readonly each?: (name: string, values: readonly number[]) => void;
}

/** A prompt with the seed of its searches. */
export interface SearchJob {
  readonly prompt: Prompt;
  readonly seed: number;
}

export type SearchAsked = [jobs: readonly SearchJob[], withQ: boolean, longest: number];

export type SearchFound = Readonly<Record<string, SearchedPrompt>>;

/** Searches prompts one by one; none shares anything with another. */
export class PromptSearcher {
  private readonly model: BranchedModel;
  private readonly text: (tokens: readonly number[]) => string;

  /** @param longest tokens of a prompt */
  constructor(
    private readonly context: StageContext,
    cola: ColaModel,
    private readonly measure: SearchParts,
    longest: number,
  ) {
    const { task, settings } = measure;
    this.model = new BranchedModel(context.device, cola, {
      tokens: longest + task.max_new,
      rows: settings.breadth,
      megabytes: settings.cache,
      value: cola.has('value'),
    });
    const tokenizer = tokenizerOf(context);
    this.text = (tokens) => tokenizer.decode(tokens, { skipSpecialTokens: true });
  }

  private judgeOf(reward: Reward, { text: asked, row, messages }: Prompt): Judge {
    return rewardJudge(reward, this.text, { prompt: asked, row, ...(messages === undefined ? {} : { messages }) });
  }

  /** How far Q knows what answers to some prompts are worth. */
  async correlation(prompts: readonly Prompt[], seed: number): Promise<number> {
    const { task, reward } = this.measure;
    const asked = prompts.map((prompt) => ({ prompt: [...prompt.ids], judge: this.judgeOf(reward, prompt) }));
    const sampling = { maxNew: task.max_new, temperature: task.temperature, seed };
    const found = await qCorrelation(this.model, asked, sampling, this.context.signal);
    await this.model.forget();
    return found;
  }

  /** What each way picks. @param withQ whether Q is followed, too, where the model has it */
  async search({ prompt, seed }: SearchJob, withQ: boolean): Promise<SearchFound> {
    const { measure, model, context } = this;
    const { task, reward, settings, picker } = measure;
    const verifier = this.judgeOf(reward, prompt);
    const judge = picker === undefined ? verifier : this.judgeOf(picker, prompt);
    const found: Record<string, SearchedPrompt> = {};
    for (const way of waysOf(model, task, settings, context.signal, picker === undefined ? '_oracle' : '', withQ)) {
      for (const [name, picked] of Object.entries(await way([...prompt.ids], judge, seed)))
        found[name] = await verified(picked, verifier, context.signal);
    }
    // The next prompt shares nothing with this one.
    await model.forget();
    return found;
  }

  dispose(): Promise<void> {
    return this.model.dispose();
  }
}

/**
 * For each way `<way>_reward`, `<way>_solved`, `<way>_tokens` and `<way>_answers`, means over the prompts; ways are `greedy`,
 * `majority` (of the samples of best-of-N), `best_of_n`, `mcts`, `mcts_q`; without a judge the last three are `<way>_oracle`;
 * with a value head also `best_of_n_value` and `mcts_value`; with Q `q_correlation`, and `mcts_q` where that is above `q_above`. Tokens are states the model is run for: what a way comes back to costs it nothing, and it ends,
 * too, with four times as many answers as tokens. A budget is checked after each answer, so a way may generate one answer more than it allows.
 */
export async function measureSearch(
  context: StageContext,
  cola: ColaModel,
  { prompts, seed, each, elsewhere, ...measure }: SearchMeasure,
): Promise<Figures> {
  const { task, settings } = measure;
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  const asks = cola.has('q') && settings.q_above > -1;
  const own = asks || elsewhere === undefined ? new PromptSearcher(context, cola, measure, longest) : undefined;
  const random = new Random(seed);
  const known: Record<string, number> = {};
  const found = new Map<string, SearchedPrompt[]>();
  try {
    if (asks && own !== undefined) known.q_correlation = await own.correlation(prompts, seed);
    const withQ = !asks || known.q_correlation > settings.q_above;
    if (!withQ)
      context.say(
        `MCTS-Q is not measured: Q correlates by ${known.q_correlation.toFixed(2)} with the rewards of sampled answers, and ${settings.q_above} is asked for. Train the stage q for longer, or set q_above.`,
      );
    const jobs = prompts.map((prompt): SearchJob => ({ prompt, seed: random.uint32() }));
    const take = (ways: SearchFound) => {
      for (const [name, picked] of Object.entries(ways)) found.set(name, [...(found.get(name) ?? []), picked]);
    };
    if (elsewhere !== undefined) for (const ways of await elsewhere(jobs, withQ, longest)) take(ways);
    else if (own !== undefined) for (const job of jobs) take(await own.search(job, withQ));
  } finally {
    await own?.dispose();
  }
  for (const [name, outcomes] of found)
    each?.(
      `${name}_solved_each`,
      outcomes.map((outcome) => +(outcome.reward >= task.solved_at)),
    );
  const figures = [...found].flatMap(([name, outcomes]) => figuresOf(name, outcomes, task.solved_at));
  return { ...known, ...Object.fromEntries(figures) };
}

/**
 * @param named what is behind the name of a way whose answers the judge has picked
 * @param withQ whether Q is to be followed
 */
function waysOf(
  model: BranchedModel,
  task: SearchParts['task'],
  settings: Omit<EvaluationSettings['search'], 'judge'>,
  signal: AbortSignal,
  named: string,
  withQ: boolean,
): readonly Way[] {
  const { breadth, merge, cpuct, edge_steps, threshold, max_extra } = settings;
  // Where nothing new is left to generate, tokens alone would never be spent.
  const budget = { tokens: settings.tokens, simulations: mostAnswers * settings.tokens };
  const common = { max_new: task.max_new, breadth, merge, cpuct, temperature: settings.temperature };
  const samples = (prompt: readonly number[], judge: Judge, seed: number, temperature: number, limit: SearchBudget) =>
    sampled(bestOfN(model, prompt, judge, { maxNew: task.max_new, temperature, seed }, limit, signal));
  const tree =
    (name: string, own: SearchSettings): Way =>
    async (prompt, judge, seed) => {
      const search = new Search<Branch>(model, prompt, judge, { ...common, ...own, seed });
      return { [`${name}${named}`]: await searched(search, budget, signal) };
    };
  const byValue: Way[] = [
    async (prompt, _, seed) => {
      const { best, all, ...spent } = await samples(prompt, valueJudge(model, prompt), seed, task.temperature, budget);
      return { best_of_n_value: { answer: best, ...spent } };
    },
    async (prompt, _, seed) => {
      const own: SearchSettings = { edge: { kind: 'steps', steps: edge_steps }, value: { rollout: 0, value: 1 } };
      const search = new Search<Branch>(model, prompt, valueJudge(model, prompt), { ...common, ...own, seed });
      return { mcts_value: await searched(search, budget, signal) };
    },
  ];
  return [
    async (prompt, judge, seed) => {
      // There is nothing to pick among, so whatever the judge says of it, it is the answer.
      const { all, ...spent } = await samples(prompt, judge, seed, 0, { simulations: 1 });
      return { greedy: { answer: all[0], ...spent } };
    },
    async (prompt, judge, seed) => {
      const { all, best, ...spent } = await samples(prompt, judge, seed, task.temperature, budget);
      return { majority: { answer: mostFrequent(all), ...spent }, [`best_of_n${named}`]: { answer: best, ...spent } };
    },
    tree('mcts', { edge: { kind: 'steps', steps: edge_steps } }),
    ...(model.hasValue ? byValue : []),
    ...(model.hasQ && withQ ? [tree('mcts_q', { edge: { kind: 'q', threshold, max_extra } })] : []),
  ];
}

/** V of the state behind the whole answer: what the model itself expects of it (paper, section 4.3.1). */
export const valueJudge =
  <S>(model: SearchModel<S>, prompt: readonly number[]): Judge =>
  async ({ tokens }) => {
    const end = tokens.reduce((state, token) => model.child(state, token), model.open(prompt));
    const { value } = (await model.look([end])).outlooks[0] ?? {};
    return value === undefined ? { noScore: 'the model has no value head' } : { value, parts: {} };
  };

/** The answer that was given most often, the first among equals. */
export function mostFrequent<T extends Pick<Answer, 'tokens'>>(answers: readonly T[]): T | undefined {
  const counts = new Map<string, number>();
  const count = ({ tokens }: T) => counts.get(tokens.join()) ?? 0;
  for (const answer of answers) counts.set(answer.tokens.join(), count(answer) + 1);
  return answers.reduce<T | undefined>(
    (most, answer) => (most === undefined || count(answer) > count(most) ? answer : most),
    undefined,
  );
}

async function verified(picked: Picked, verifier: Judge, signal: AbortSignal): Promise<SearchedPrompt> {
  const { answer, tokens, answers } = picked;
  if (answer === undefined) return { reward: 0, tokens, answers };
  const result = await askJudge(verifier, answer, 0, rewardSeconds, signal);
  return { reward: isScore(result) ? result.value : 0, tokens, answers };
}

async function sampled(
  samples: ReturnType<typeof bestOfN>,
): Promise<{ all: Sample[]; best: Sample | undefined; tokens: number; answers: number }> {
  const all: Sample[] = [];
  for (;;) {
    const next = await samples.next();
    if (next.done === true) return { all, best: next.value, tokens: all.at(-1)?.generated ?? 0, answers: all.length };
    if (next.value !== 'step') all.push(next.value);
  }
}

async function searched(search: Search<Branch>, budget: SearchBudget, signal: AbortSignal): Promise<Picked> {
  for await (const _ of search.run(budget, signal)) signal.throwIfAborted();
  signal.throwIfAborted();
  const { tokens, simulations } = search.spent;
  // Without a score there is no choice either.
  const answer = search.best() === undefined ? undefined : await search.answer();
  return { answer, tokens, answers: simulations };
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
