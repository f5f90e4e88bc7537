/**
 * Search over latent actions (paper, section 4.3.2; rules as in test/fixtures/cola/README.md, section 10): descend, expand,
 * simulate, back up. A run is an async generator that yields between runs of the model; whoever drives it may
 * pause by not asking for more, and meanwhile ban, force or score nodes, save, or ask what lies ahead of one.
 */
import { colaErrors } from '../cola/errors.ts';
import { Random, type RandomState } from '../random.ts';
import type { RewardResult } from '../rewards/reward.ts';
import { firstCodes, growEdges } from './edges.ts';
import { searchErrors } from './errors.ts';
import { answerAt, type Flight, flightValue, fly, type Judged, judgeAll } from './flight.ts';
import { type Answer, isScore, type Judge } from './judge.ts';
import type { Outlook, SearchModel } from './model.ts';
import {
  checkBudget,
  parseSearchOptions,
  type SearchBudget,
  type SearchOptions,
  type SearchSettings,
  type Spent,
} from './options.ts';
import { rollOut } from './rollout.ts';
import { bestChild, bestOfFrontier, expandable, firstWaiting, narrowed, permitted } from './selection.ts';
import { type Simulation, SimulationLog } from './simulations.ts';
import { NodeStates } from './states.ts';
import { Steered } from './steered.ts';
import { flag, SearchTree } from './tree.ts';
import { ValueRange } from './value-range.ts';

export type SearchEvent =
  /** The model ran; nothing of note happened. */
  | { readonly kind: 'step' }
  | { readonly kind: 'expanded'; readonly node: number; readonly children: readonly number[] }
  | { readonly kind: 'simulated'; readonly simulation: Simulation };

/** Why a run ended. `exhausted`: every branch is banned, or ended without a score. */
export type SearchEnd = 'simulations' | 'tokens' | 'seconds' | 'ended' | 'exhausted' | 'cancelled';

const step: SearchEvent = { kind: 'step' };

export class Search<S> extends Steered {
  readonly options: SearchOptions;
  readonly tree: SearchTree;
  readonly log: SimulationLog;
  readonly spent: Spent = { simulations: 0, tokens: 0, seconds: 0 };
  private readonly random: Random;
  private readonly nodes: NodeStates<S>;
  /** The generator before the batch under way. */
  private started: RandomState | undefined;
  private waiting = 0;
  protected readonly range: ValueRange;
  private running = false;

  /**
   * @param clock milliseconds, for the budget of seconds
   * @throws search.options, search.emptyPrompt, search.promptTooLong, search.noQ, search.noValue
   */
  constructor(
    readonly model: SearchModel<S>,
    readonly prompt: readonly number[],
    private readonly judge: Judge,
    settings: SearchSettings = {},
    private readonly clock: () => number = () => performance.now(),
  ) {
    super();
    const options = parseSearchOptions(settings);
    checkPrompt(model, prompt, options.max_new);
    if ((options.edge.kind === 'q' || options.value.q > 0) && !model.hasQ) throw searchErrors.noQ();
    if (options.value.value > 0 && !model.hasValue) throw searchErrors.noValue();
    this.options = options;
    this.random = new Random(options.seed);
    this.tree = new SearchTree(options.gamma);
    this.nodes = new NodeStates(model, this.tree, prompt, this.spent);
    this.log = new SimulationLog(this.tree, model.endIds, options.max_new);
    this.range = new ValueRange(this.tree, this.log);
    const prior = options.order === 'global' ? 0.5 : Number.NaN;
    this.tree.add(-1, { actions: [], tokens: [], errors: [], prior, terminal: false }, 0);
  }

  /** State of the random generator after the last counted simulation, for saving. */
  get randomState(): RandomState {
    return this.started ?? this.random.state;
  }

  /** Continues with a generator and expenses of an earlier search; for loading. */
  resume(random: RandomState, spent: Spent): void {
    this.random.restore(random);
    Object.assign(this.spent, spent);
    this.waiting = 0;
  }

  /**
   * Searches on until the budget, counted from now, is spent. Stopping early (`return()`, or the signal) leaves a whole
   * tree: what was under way is forgotten.
   *
   * @throws search.budget, search.running, search.rewardFailed, search.rewardTimeout, search.rewardNotFinite, and what
   *   the model throws; the tree so far is kept, and the search can run again
   */
  async *run(budget: SearchBudget, signal = new AbortController().signal): AsyncGenerator<SearchEvent, SearchEnd> {
    checkBudget(budget);
    if (this.running) throw searchErrors.running();
    this.running = true;
    const before = { ...this.spent };
    const events = this.batches(budget, before, signal);
    try {
      for (;;) {
        if (signal.aborted) return 'cancelled';
        const start = this.clock();
        const next = await events.next();
        this.spent.seconds += (this.clock() - start) / 1000;
        if (next.done === true) return next.value;
        yield next.value;
      }
    } catch (error) {
      if (signal.aborted && error === signal.reason) return 'cancelled';
      throw error;
    } finally {
      // Ends what is under way, so that no node stays marked as pending.
      await events.return('cancelled');
      this.running = false;
    }
  }

  private async *batches(
    budget: SearchBudget,
    before: Readonly<Spent>,
    signal: AbortSignal,
  ): AsyncGenerator<SearchEvent, SearchEnd> {
    for (;;) {
      for (const name of ['simulations', 'tokens', 'seconds'] as const) {
        if (this.spent[name] - before[name] >= (budget[name] ?? Number.POSITIVE_INFINITY)) return name;
      }
      const left = (budget.simulations ?? Number.POSITIVE_INFINITY) - (this.spent.simulations - before.simulations);
      const end = yield* this.batch(Math.min(this.options.batch, Math.ceil(left)), signal);
      if (end !== undefined) return end;
    }
  }

  /** One batch of simulations: all descents, then all rollouts in lockstep, then all rewards at once, then the backups. */
  private async *batch(size: number, signal: AbortSignal): AsyncGenerator<SearchEvent, SearchEnd | undefined> {
    const flights: Flight[] = [];
    this.started = this.random.state;
    try {
      while (flights.length < size) {
        const leaf = this.options.order === 'descent' ? yield* this.descend() : yield* this.fromFrontier();
        if (leaf < 0) break;
        this.tree.pend(leaf, 1);
        flights.push({ leaf, random: this.random.fork(), rollout: undefined, outlook: undefined });
      }
      if (flights.length === 0) return 'exhausted';
      yield* steps(fly(this.tree, this.nodes, this.options, flights));
      const { reward_seconds: seconds } = this.options;
      const { endIds } = this.model;
      const judged = await judgeAll(this.tree, endIds, seconds, flights, this.judge, this.log.count, signal);
      return yield* this.settle(flights, judged);
    } finally {
      for (const { leaf } of flights) this.tree.pend(leaf, -1);
      // A batch that was given up before any backup has not happened.
      if (this.started !== undefined) this.random.restore(this.started);
      this.started = undefined;
    }
  }

  private async *descend(): AsyncGenerator<SearchEvent, number> {
    const { tree, options } = this;
    if (tree.has(0, flag.closed)) return -1;
    let node = 0;
    for (;;) {
      // Children alone do not make a node visited: a batch that was given up may have left some.
      if (!expandable(tree, node) && !narrowed(tree, node)) return node;
      if (tree.firstChild[node] < 0) yield* this.expand(node);
      const next = bestChild(tree, node, options, options.normalise ? this.range.get() : undefined);
      if (next < 0) return -1;
      node = next;
    }
  }

  /** The authors' order: every child of the best frontier node is simulated, in order, before the next is expanded. */
  private async *fromFrontier(): AsyncGenerator<SearchEvent, number> {
    const { tree, options } = this;
    for (;;) {
      const next = firstWaiting(tree, this.waiting);
      if (next >= 0) {
        this.waiting = next;
        return next;
      }
      const node = bestOfFrontier(tree, options.cpuct, options.depth_window);
      if (node < 0) return -1;
      yield* this.expand(node);
    }
  }

  /** Makes the children of a node. */
  private async *expand(node: number): AsyncGenerator<SearchEvent, void> {
    const { options, nodes } = this;
    const [outlook] = await nodes.ahead([node]);
    yield step;
    const breadth = node === 0 ? (options.root_breadth ?? options.breadth) : options.breadth;
    const from = { state: nodes.of(node), outlook, length: this.tree.length[node] };
    const edges = yield* steps(
      growEdges(this.model, nodes.look, options, from, firstCodes(outlook, breadth, options.merge)),
    );
    // A person may have made the children in the meantime, by forcing one.
    if (this.tree.firstChild[node] >= 0) return;
    const children = edges.map((edge) => this.tree.add(node, edge, this.log.count));
    yield { kind: 'expanded', node, children };
  }

  /** Backs up, in order, everything that could be judged; then throws the first error of the rewards, if any. */
  private async *settle(
    flights: readonly Flight[],
    judged: readonly Judged[],
  ): AsyncGenerator<SearchEvent, SearchEnd | undefined> {
    const simulations: Simulation[] = [];
    let failure: { readonly reason: unknown } | undefined;
    for (const [i, flight] of flights.entries()) {
      const outcome = judged[i];
      if (outcome.status === 'fulfilled') simulations.push(this.count(flight, outcome.value));
      else failure ??= { reason: outcome.reason };
    }
    if (simulations.length > 0) this.started = undefined;
    for (const simulation of simulations) yield { kind: 'simulated', simulation };
    if (failure !== undefined) throw failure.reason;
    const ended = flights.some(({ leaf }) => this.tree.has(leaf, flag.terminal));
    return this.options.stop_at_end && ended ? 'ended' : undefined;
  }

  private count({ leaf, rollout, outlook }: Flight, result: RewardResult | undefined): Simulation {
    const { tree } = this;
    const scored = !Number.isNaN(tree.score[leaf]);
    const score = result !== undefined && isScore(result) ? result : undefined;
    const noScore = result !== undefined && !isScore(result) ? result.noScore : null;
    let value: number | null = null;
    if (noScore !== null) {
      tree.flags[leaf] |= flag.unscored;
      if (tree.has(leaf, flag.terminal)) tree.close(leaf);
    } else if (scored && score === undefined) {
      tree.backupScored(leaf);
      value = tree.score[leaf];
    } else {
      if (score !== undefined) tree.reward[leaf] = score.value;
      const own = flightValue(this.options.value, tree.has(leaf, flag.terminal), score?.value, outlook);
      tree.backup(leaf, own);
      value = scored ? tree.score[leaf] : own;
    }
    this.spent.simulations++;
    return this.log.push({
      node: leaf,
      value,
      reward: score?.value ?? null,
      parts: score?.parts ?? null,
      noScore,
      rolloutActions: rollout?.actions ?? [],
      rolloutTokens: rollout?.tokens ?? [],
      generated: this.spent.tokens,
    });
  }

  /** The model's state at a node. @throws search.node */
  stateOf(node: number): S {
    this.checkNode(node);
    return this.nodes.of(node);
  }

  /** Policy, next tokens, Q and V at a node. @throws search.node */
  async inspect(node: number): Promise<Outlook> {
    this.checkNode(node);
    const [outlook] = await this.nodes.ahead([node]);
    return outlook;
  }

  /**
   * The child whose edge starts with `action`, or where codes are merged with the token it writes. A node without children is expanded first; an action beyond
   * its breadth gets a child of its own.
   *
   * @throws search.node, search.ended, cola.action
   */
  async childFor(node: number, action: number): Promise<number> {
    const { tree, model } = this;
    this.checkNode(node);
    if (tree.has(node, flag.terminal)) throw searchErrors.ended(node);
    if (!Number.isInteger(action) || action < 0 || action >= model.numCodes) {
      throw colaErrors.action(action, model.numCodes);
    }
    if (tree.firstChild[node] < 0) await drain(this.expand(node));
    const { merge } = this.options;
    const token = merge ? (await this.inspect(node)).nextTokens[action] : undefined;
    const leads = (child: number) => (merge ? tree.edgeTokens(child)[0] === token : tree.firstAction(child) === action);
    const find = () => tree.childrenOf(node).find(leads);
    const there = find();
    if (there !== undefined) return there;
    const outlook = await this.inspect(node);
    const from = { state: this.nodes.of(node), outlook, length: tree.length[node] };
    const [edge] = await drain(growEdges(model, this.nodes.look, this.options, from, [action]));
    const made = find() ?? tree.add(node, edge, this.log.count);
    this.derive();
    return made;
  }

  protected derive(): void {
    this.tree.derive();
    this.waiting = 0;
  }

  /**
   * The simulation that is worth most, the earliest node among equals; undefined before the first. Answers that go
   * through a banned branch, or past a forced one, do not count.
   */
  best(): Simulation | undefined {
    const { tree, log } = this;
    const { merge } = this.options;
    const behind = (id: number) => (merge ? log.of(id)?.tokens : log.of(id)?.actions)?.slice(tree.length[id]) ?? [];
    const node = tree.best((id) => permitted(tree, id, behind(id), merge));
    return node < 0 ? undefined : this.log.of(node);
  }

  /** The answer of {@link best}, finished greedily where the search valued it unfinished. */
  async answer(): Promise<Answer | undefined> {
    const best = this.best();
    if (best === undefined) return undefined;
    const { node, complete, actions, tokens } = best;
    if (complete) return { actions, tokens, finished: this.model.endIds.has(tokens[tokens.length - 1]) };
    const { model, nodes, tree, options } = this;
    const start = { state: nodes.of(node), length: tree.length[node], random: this.random };
    const [rollout] = await drain(rollOut(model, nodes.look, [start], options.max_new, 0));
    return answerAt(tree, node, rollout, model.endIds);
  }
}

/** @throws search.emptyPrompt, search.promptTooLong */
export function checkPrompt<S>(model: SearchModel<S>, prompt: readonly number[], maxNew: number): void {
  if (prompt.length === 0) throw searchErrors.emptyPrompt();
  if (prompt.length + maxNew > model.context) throw searchErrors.promptTooLong(prompt.length, maxNew, model.context);
}

/** The same work, with a step for each run of the model. */
async function* steps<T>(work: AsyncGenerator<void, T>): AsyncGenerator<SearchEvent, T> {
  for (;;) {
    const next = await work.next();
    if (next.done === true) return next.value;
    yield step;
  }
}

/** Runs work to its end, without a pause. */
async function drain<T>(work: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const next = await work.next();
    if (next.done === true) return next.value;
  }
}
