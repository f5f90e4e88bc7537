/** One search over latent actions with what it needs: the model, the reward, and its file. */
import { z } from 'zod';
import type { LoadedModel } from '../completion/loaded-model.ts';
import { probabilities } from '../model/sampling.ts';
import { StreamDecoder } from '../model/tokenizer/tokenizer.ts';
import type { ResultOf } from '../protocol/channel/request.ts';
import type { inspectNode, SearchDescription, SearchEvent, SearchKey, TreeNode } from '../protocol/search.ts';
import { openReward } from '../reward-model/learned-reward.ts';
import type { Reward, RewardSpec } from '../rewards/index.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { type Branch, BranchedModel } from '../search/branches.ts';
import { rewardJudge } from '../search/judge.ts';
import type { SearchOptions } from '../search/options.ts';
import { parseSearchOptions } from '../search/options.ts';
import { searchPage } from '../search/page.ts';
import { Search } from '../search/search.ts';
import type { Simulation } from '../search/simulations.ts';
import { parseSnapshot, restoreSearch, takeSnapshot } from '../search/snapshot.ts';
import { engineErrors } from './errors.ts';
import { finite, nodeOf, type OpenSearch, progressOf, searchFile } from './open-search.ts';

const fileSchema = z.object({
  prompt: z.string(),
  row: z.record(z.string(), z.unknown()),
  reward: z.unknown(),
  /** Folder of the model it was made with. */
  model: z.string(),
  search: z.unknown(),
});

/** What a search is about. */
export interface Subject {
  readonly prompt: string;
  readonly row: Readonly<Record<string, unknown>>;
  readonly reward: unknown;
}

export class SearchSession implements OpenSearch {
  readonly asks = false;
  readonly room = 0;

  private constructor(
    readonly key: SearchKey,
    readonly subject: Subject,
    readonly search: Search<Branch>,
    private readonly model: LoadedModel,
    private readonly branches: BranchedModel,
    private readonly reward: Reward,
  ) {}

  /** @throws search.*, rewards.* */
  static async create(key: SearchKey, subject: Subject, settings: unknown, model: LoadedModel): Promise<SearchSession> {
    const options = parseSearchOptions(settings);
    const prompt = [...model.tokenizer.encode(subject.prompt)];
    return SearchSession.open(key, subject, options, prompt.length, model, (branches, judge) => {
      return new Search(branches, prompt, judge, options);
    });
  }

  /** @param json what its file has @throws engine.searchFile, search.*, rewards.* */
  static async load(key: SearchKey, json: unknown, model: LoadedModel): Promise<SearchSession> {
    const file = searchFile(key);
    const parsed = fileSchema.safeParse(json);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      throw engineErrors.searchFile(file, `${path}: ${detail}`);
    }
    const snapshot = parseSnapshot(parsed.data.search, file);
    const { options, prompt } = snapshot;
    return SearchSession.open(key, parsed.data, options, prompt.length, model, (branches, judge) =>
      restoreSearch(snapshot, branches, judge),
    );
  }

  private static async open(
    key: SearchKey,
    subject: Subject,
    options: SearchOptions,
    promptTokens: number,
    model: LoadedModel,
    make: (branches: BranchedModel, judge: ReturnType<typeof rewardJudge>) => Search<Branch>,
  ): Promise<SearchSession> {
    const rows = Math.max(options.breadth, options.root_breadth ?? 1, options.batch);
    // Its form is checked when it is made.
    const reward = await openReward(subject.reward as RewardSpec, key.root);
    const branches = new BranchedModel(model.device, model.cola, { tokens: promptTokens + options.max_new, rows });
    try {
      const text = (tokens: readonly number[]) => decode(model, tokens, true);
      const search = make(branches, rewardJudge(reward, text, { prompt: subject.prompt, row: subject.row }));
      return new SearchSession(key, subject, search, model.retain(), branches, reward);
    } catch (error) {
      await branches.dispose();
      await reward.close();
      throw error;
    }
  }

  run(simulations: number, signal: AbortSignal) {
    return this.search.run({ simulations }, signal);
  }

  async tryAction(node: number, action: number): Promise<number> {
    const child = await this.search.childFor(node, action);
    this.search.force(child);
    return child;
  }

  /** The whole of it, as its file has it. */
  json(): string {
    const { prompt, row, reward } = this.subject;
    const json = { prompt, row, reward, model: this.model.cola.folder, search: takeSnapshot(this.search) };
    return `${JSON.stringify(json)}\n`;
  }

  /** A page of HTML that needs nothing else. */
  page(): string {
    const { search, subject, model, key } = this;
    const best = search.best();
    return searchPage(takeSnapshot(search), {
      title: key.search,
      facts: [
        ['model', model.cola.folder],
        ['prompt', subject.prompt],
        ['reward', JSON.stringify(subject.reward)],
        ['simulations', String(search.log.count)],
        ...(best === undefined ? [] : ([['best answer', decode(model, best.tokens, true)]] as const)),
      ],
      text: (tokens) => decode(model, tokens, false),
    });
  }

  describe(): SearchDescription {
    const { subject, search, model } = this;
    return {
      prompt: subject.prompt,
      reward: subject.reward,
      options: { ...search.options },
      gamma: search.options.gamma,
      model: model.cola.folder,
      labels: [...model.labels],
      world: null,
    };
  }

  /** Ids of at most `most` nodes whose edge completes the text, which may begin in edges before. */
  find(text: string, most: number): number[] {
    const { tree } = this.search;
    const wanted = text.toLowerCase();
    /** By node: what of the text before it may belong to a match. */
    const tails: string[] = [];
    const found: number[] = [];
    for (let id = 0; id < tree.count && found.length < most; id++) {
      const before = id === 0 ? '' : tails[tree.parent[id]];
      const all = before + decode(this.model, tree.edgeTokens(id), false).toLowerCase();
      if (all.includes(wanted)) found.push(id);
      tails.push(all.slice(Math.max(0, all.length - wanted.length + 1)));
    }
    return found;
  }

  progress(end: SearchEvent['end']): SearchEvent {
    const best = this.search.best();
    return progressOf(this.key, this.search, best === undefined ? null : { node: best.node, value: best.value }, end);
  }

  node(id: number): TreeNode {
    const { tree } = this.search;
    return nodeOf(tree, id, decode(this.model, tree.edgeTokens(id), false));
  }

  simulation(order: number) {
    const { node, value, reward, parts, noScore, actions, tokens }: Simulation = this.search.log.at(order);
    const text = decode(this.model, tokens, true);
    return { order, node, value, reward, parts: { ...parts }, noScore, text, actions: [...actions] };
  }

  /** @throws search.node */
  async inspect(node: number): Promise<ResultOf<typeof inspectNode>> {
    const outlook = await this.search.inspect(node);
    const { tree } = this.search;
    const { labels } = this.model;
    const children = new Map(tree.childrenOf(node).map((child) => [tree.firstAction(child), child]));
    const visits = [...children.values()].reduce((sum, child) => sum + tree.N[child], 0);
    const p = probabilities(outlook.policy, 0, outlook.policy.length);
    const codes = Array.from(p.keys(), (action) => {
      const child = children.get(action) ?? null;
      const q = child !== null && tree.N[child] > 0 ? tree.W[child] / tree.N[child] : outlook.q?.[action];
      return {
        action,
        label: labels[action],
        probability: p[action],
        token: outlook.nextTokens[action],
        text: decode(this.model, [outlook.nextTokens[action]], false),
        q: q === undefined ? null : finite(q),
        child,
        share: child === null || visits === 0 ? 0 : tree.N[child] / visits,
      };
    });
    codes.sort((a, b) => b.probability - a.probability || a.action - b.action);
    const { actions, tokens } = tree.response(node);
    const decoder = new StreamDecoder(this.model.tokenizer, { skipSpecialTokens: false, continuation: true });
    const path = actions.map((action, i) => ({ action, text: decoder.push(tokens[i]) }));
    return { value: outlook.value === undefined ? null : finite(outlook.value), path, codes };
  }

  async dispose(): Promise<void> {
    await this.branches.dispose();
    await this.reward.close();
    await this.model.release();
  }
}

function decode({ tokenizer }: LoadedModel, tokens: ArrayLike<number>, skipSpecialTokens: boolean): string {
  return tokenizer.decode(tokens, { skipSpecialTokens, continuation: true });
}
