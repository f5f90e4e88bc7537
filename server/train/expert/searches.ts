/** Searches of prompts, and what they teach. */
import type { ColaModel } from '../../cola/model.ts';
import type { Reward } from '../../rewards/reward.ts';
import { type Branch, BranchedModel } from '../../search/branches.ts';
import { rewardJudge } from '../../search/judge.ts';
import { type SearchOptions, searchOptionsSchema } from '../../search/options.ts';
import { Search } from '../../search/search.ts';
import type { Simulation } from '../../search/simulations.ts';
import { visitPaths } from '../../search/visits.ts';
import type { ExpertSettings } from '../../spec/settings/expert.ts';
import { tokenizerOf } from '../data.ts';
import type { Lesson, LessonPoint } from '../lessons.ts';
import type { Prompt } from '../reinforce/episode.ts';
import type { StageContext } from '../stage.ts';

/** What is told of the search of a prompt; its lessons may stay where they were made. */
export interface Told {
  readonly best: Pick<Simulation, 'actions' | 'tokens' | 'reward' | 'parts'> | null;
  readonly rewards: readonly number[];
  /** Why answers have no score, one entry an answer without one. */
  readonly unscored: readonly string[];
  /** Generated. */
  readonly tokens: number;
  readonly nodes: number;
  /** How many. */
  readonly lessons: number;
}

export interface Found {
  readonly told: Told;
  readonly lessons: readonly Lesson[];
}

export class PromptSearches {
  private readonly branches: BranchedModel;
  private readonly options: SearchOptions;

  /**
   * @param trained names of the weights that change between two rounds
   * @param longest tokens of a prompt
   */
  constructor(
    private readonly context: StageContext,
    private readonly settings: ExpertSettings,
    private readonly reward: Reward,
    cola: ColaModel,
    trained: readonly string[],
    longest: number,
  ) {
    this.options = searchOptions(settings);
    this.branches = new BranchedModel(context.device, cola, {
      tokens: longest + settings.max_new,
      rows: searchedRows(settings),
      megabytes: settings.cache,
      keepHidden: true,
      q: settings.edges === 'q',
      value: false,
      live: { states: [context.weights.state], trained: new Set(trained) },
    });
  }

  /** The policy has changed, and with it what lies ahead of every state. */
  forget(): Promise<void> {
    return this.branches.forget();
  }

  /** Searches one prompt and takes its tree apart. */
  async search(prompt: Prompt, seed: number, signal: AbortSignal): Promise<Found> {
    const { settings, reward, context, branches } = this;
    const text = (tokens: readonly number[]) => tokenizerOf(context).decode(tokens, { skipSpecialTokens: true });
    const judge = rewardJudge(reward, text, { prompt: prompt.text, row: prompt.row });
    const search = new Search<Branch>(branches, [...prompt.ids], judge, { ...this.options, seed });
    for await (const _ of search.run({ simulations: settings.simulations }, signal)) await context.turn?.();
    signal.throwIfAborted();
    const { entries } = search.log;
    const lessons: Lesson[] = [];
    const first = prompt.ids.length - 1;
    for (const path of visitPaths(search.tree, { paths: settings.paths, leastVisits: settings.least_visits })) {
      let state = search.stateOf(path.node);
      for (const token of path.beyond) state = branches.child(state, token);
      const points = path.points.map(({ length, ...point }): LessonPoint => ({ at: first + length, ...point }));
      lessons.push({ hidden: await branches.hidden(state), points });
    }
    const told = {
      best: search.best() ?? null,
      rewards: entries.flatMap(({ reward: found }) => found ?? []),
      unscored: entries.flatMap(({ noScore }) => noScore ?? []),
      tokens: search.spent.tokens,
      nodes: search.tree.count,
      lessons: lessons.length,
    };
    return { told, lessons };
  }

  dispose(): Promise<void> {
    return this.branches.dispose();
  }
}

function searchOptions(settings: ExpertSettings): SearchOptions {
  const { edges, edge_steps, threshold, max_extra, breadth, root_breadth, cpuct, gamma, max_new } = settings;
  return searchOptionsSchema.parse({
    breadth,
    ...(root_breadth === undefined ? {} : { root_breadth }),
    cpuct,
    gamma,
    max_new,
    edge: edges === 'q' ? { kind: 'q', threshold, max_extra } : { kind: 'steps', steps: edge_steps },
    temperature: settings.temperature,
    batch: settings.lockstep,
  });
}

/** States that a search reads at once. */
export const searchedRows = ({ breadth, root_breadth, lockstep }: ExpertSettings) =>
  Math.max(breadth, root_breadth ?? 1, lockstep);
