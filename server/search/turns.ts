/**
 * Search over turns in a world: a node is the state behind a turn and what was said to it, an edge is a turn that the model wrote.
 * A leaf is reached by PUCT, as in a search over tokens; several turns are drawn there, each of which is played on to the end
 * of the episode. So a turn is expanded and simulated at once, and nothing is written that does not count. Worlds answer the
 * same to the same: an episode that is over is never simulated again, and turns of the same words are one child. Where all children
 * are over, more turns are drawn, until a draw brings none that is new.
 */
import { environmentErrors } from '../environments/errors.ts';
import { Random, type RandomState, seedFrom } from '../random.ts';
import { type Course, earned, type TakenTurn, type TurnPlayer } from './courses.ts';
import { searchErrors } from './errors.ts';
import {
  checkBudget,
  parseSearchOptions,
  type SearchBudget,
  type SearchOptions,
  type SearchSettings,
  type Spent,
} from './options.ts';
import { bestChild, narrowed } from './selection.ts';
import { type Simulation, SimulationLog } from './simulations.ts';
import { Steered } from './steered.ts';
import { flag, SearchTree } from './tree.ts';
import { ValueRange } from './value-range.ts';

export interface TurnSettings
  extends Pick<
    SearchSettings,
    'breadth' | 'root_breadth' | 'cpuct' | 'gamma' | 'widening' | 'temperature' | 'seed' | 'max_new'
  > {
  /** What a simulation is worth: what its episode earns, what V says behind its first turn, or a mix of both. */
  readonly value?: { readonly rollout?: number; readonly value?: number };
  readonly byAction?: boolean;
}

/** An episode from the start. */
export interface TurnEpisode {
  readonly turns: readonly TakenTurn[];
  readonly reward: number;
  readonly over: boolean;
}

export type TurnEvent =
  | { readonly kind: 'expanded'; readonly node: number; readonly children: readonly number[] }
  | { readonly kind: 'simulated'; readonly simulation: Simulation };

/** Why a run ended. `solved`: an episode earned as much as there is. `exhausted`: every branch is over. */
export type TurnEnd = 'simulations' | 'tokens' | 'seconds' | 'solved' | 'exhausted';

/** What a search over turns knows that its tree does not say. */
export interface TurnMemory {
  readonly byAction: boolean;
  /** By node. */
  readonly taken: readonly (TakenTurn | undefined)[];
  readonly weight: readonly number[];
  readonly drained: readonly number[];
  /** By simulation. */
  readonly rests: readonly (readonly TakenTurn[] | undefined)[];
}

export class TurnSearch extends Steered {
  readonly options: SearchOptions;
  readonly tree: SearchTree;
  readonly log: SimulationLog;
  readonly spent: Spent = { simulations: 0, tokens: 0, seconds: 0 };
  /** The turn that leads to each node; undefined for the start. */
  private readonly taken: (TakenTurn | undefined)[] = [undefined];
  /** By simulation: how it went on behind its node, where it came to its end. */
  private readonly rests: (readonly TakenTurn[] | undefined)[] = [];
  /** How often each node's turn was drawn, or the probability of its action. */
  private readonly weight: number[] = [0];
  /** Nodes at which nothing new was drawn the last time. */
  private readonly drained = new Set<number>();
  protected readonly range: ValueRange;
  private readonly byAction: boolean;

  /** @throws search.options, search.noValue, search.drawnTurns */
  constructor(
    readonly player: TurnPlayer,
    settings: TurnSettings = {},
  ) {
    super();
    const { byAction = false, ...rest } = settings;
    this.byAction = byAction;
    // Rewards of worlds have any scale.
    this.options = parseSearchOptions({ temperature: 1, ...rest, normalise: true });
    const { value, temperature, gamma } = this.options;
    if (value.value > 0 && !player.hasValue) throw searchErrors.noValue();
    if (temperature === 0 && !byAction) throw searchErrors.drawnTurns();
    this.tree = new SearchTree(gamma);
    this.tree.add(-1, { actions: [], tokens: [], errors: [], prior: Number.NaN, terminal: false }, 0);
    this.log = new SimulationLog(this.tree, new Set(), Number.POSITIVE_INFINITY);
    this.range = new ValueRange(this.tree, this.log);
  }

  // What a page is made from, beside the tree.
  get model(): Pick<TurnPlayer, 'numCodes'> {
    return this.player;
  }
  get prompt(): readonly number[] {
    return this.player.start;
  }
  /** What is drawn follows from the seed and the number of the simulation. */
  get randomState(): RandomState {
    return new Random(this.options.seed).state;
  }

  /** The turn that leads to a node; undefined for the start. */
  turnOf(node: number): TakenTurn | undefined {
    return this.taken[node];
  }

  /** Turns from the start to a node. */
  turnsTo(node: number): TakenTurn[] {
    return this.tree.path(node).flatMap((id) => this.taken[id] ?? []);
  }

  /**
   * Searches on until the budget is spent; it is checked between expansions, so a run may overshoot by one.
   *
   * @throws search.budget, environment.changed; the signal's reason, with the tree so far
   */
  async *run(budget: SearchBudget, signal = new AbortController().signal): AsyncGenerator<TurnEvent, TurnEnd> {
    checkBudget(budget);
    const before = { ...this.spent };
    for (;;) {
      if (this.isSolved()) return 'solved';
      for (const name of ['simulations', 'tokens', 'seconds'] as const) {
        if (this.spent[name] - before[name] >= (budget[name] ?? Number.POSITIVE_INFINITY)) return name;
      }
      const leaf = this.leaf();
      if (leaf < 0) return 'exhausted';
      signal.throwIfAborted();
      const start = performance.now();
      const breadth = leaf === 0 ? (this.options.root_breadth ?? this.options.breadth) : this.options.breadth;
      const events = await this.expand(leaf, breadth, signal);
      this.spent.seconds += (performance.now() - start) / 1000;
      yield* events;
    }
  }

  /** What is kept of it beside its tree and its simulations. */
  get memory(): TurnMemory {
    const { tree, weight, drained, rests, byAction } = this;
    const ids = Array.from({ length: tree.count }, (_, id) => id);
    return {
      byAction,
      taken: ids.map((id) => this.taken[id]),
      weight: [...weight],
      drained: [...drained],
      rests: [...rests],
    };
  }

  /** Goes on from what was kept, once tree and simulations are as they were. */
  resume({ taken, weight, drained, rests }: TurnMemory, spent: Spent): void {
    for (const [id, turn] of taken.entries()) this.taken[id] = turn;
    for (const [id, each] of weight.entries()) this.weight[id] = each;
    for (const id of drained) this.drained.add(id);
    this.rests.push(...rests);
    Object.assign(this.spent, spent);
    this.range.forget();
    this.derive();
  }

  /** The simulation whose episode earned most, or a person scored highest, the first among equals; -1 before one came to its end. */
  bestSimulation(): number {
    const { tree, log, rests } = this;
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (const [order, rest] of rests.entries()) {
      if (rest === undefined) continue;
      const { node, reward } = log.entries[order];
      const score = tree.score[node];
      const worth = Number.isNaN(score) ? (reward ?? Number.NEGATIVE_INFINITY) : score;
      if (worth > most && this.permits(node, rest)) {
        best = order;
        most = worth;
      }
    }
    return best;
  }

  /** The episode of {@link bestSimulation}. */
  best(): TurnEpisode | undefined {
    const order = this.bestSimulation();
    return order < 0
      ? undefined
      : { turns: this.episode(order), reward: this.log.entries[order].reward ?? 0, over: true };
  }

  /** The turns of a simulation, as far as they are known: where it did not come to its end, those to its node. */
  episode(order: number): TakenTurn[] {
    return [...this.turnsTo(this.log.entries[order].node), ...(this.rests[order] ?? [])];
  }

  /** Whether a person has let a branch stand, and what was played on from it. */
  private permits(from: number, rest: readonly TakenTurn[]): boolean {
    const { tree } = this;
    let node = from;
    for (let at = 0; ; at++) {
      if (tree.has(node, flag.excluded)) return false;
      const next = tree.childrenOf(node).find((child) => this.taken[child]?.said === rest[at]?.said);
      if (next === undefined) return at >= rest.length || !narrowed(tree, node);
      node = next;
    }
  }

  /** Where nothing is open more turns may be drawn, but for what is over, was drawn in vain, or is held to what a person forced. */
  protected derive(): void {
    const { tree } = this;
    tree.derive((id, open) => tree.has(id, flag.terminal) || (!open && (this.drained.has(id) || narrowed(tree, id))));
  }

  /**
   * {@link best}; where episodes were valued unfinished, the most promising one is played on with what is likeliest, and is taken if
   * it earns more.
   */
  async answer(signal: AbortSignal): Promise<TurnEpisode | undefined> {
    const best = this.best();
    const open = (id: number) => !this.tree.has(id, flag.terminal);
    const node = this.options.value.rollout === 0 ? this.tree.best(open) : -1;
    if (node < 0) return best;
    const behind = this.turnsTo(node);
    const plan = { seeds: [0], temperature: 0, single: false, valued: false, byAction: false };
    const [course] = await this.player.play(behind, plan, signal);
    this.spent.tokens += course.generated;
    const turns = [...behind, ...course.turns];
    const reward = earned(turns);
    return !course.over || (best !== undefined && best.reward >= reward) ? best : { turns, reward, over: true };
  }

  private isSolved(): boolean {
    const { most } = this.player;
    const reward = this.log.entries[this.bestSimulation()]?.reward;
    return most !== undefined && (reward ?? Number.NEGATIVE_INFINITY) >= most;
  }

  /** A node at which turns are to be drawn: one without children that are open; -1 where all is over. */
  private leaf(): number {
    const { tree, options } = this;
    if (tree.has(0, flag.closed)) return -1;
    let node = 0;
    for (;;) {
      const next = bestChild(tree, node, options, this.range.get());
      if (next < 0) return node;
      node = next;
    }
  }

  /** Draws turns at a node and plays each to the end; turns of the same words are one child. */
  private async expand(node: number, breadth: number, signal: AbortSignal): Promise<TurnEvent[]> {
    const { tree, options, player, byAction } = this;
    const behind = this.turnsTo(node);
    const { value: weights, temperature, seed } = options;
    const plan = {
      seeds: Array.from({ length: breadth }, (_, i) => seedFrom(seed, this.log.count + i)),
      temperature,
      single: weights.rollout === 0,
      valued: weights.value > 0,
      byAction,
    };
    const courses = await player.play(behind, plan, signal);
    const known = tree.childrenOf(node);
    const leads = courses.map((course) => this.lead(node, behind, course));
    const children = tree.childrenOf(node).slice(known.length);
    const total = tree.childrenOf(node).reduce((sum, child) => sum + this.weight[child], 0);
    for (const child of tree.childrenOf(node)) tree.prior[child] = this.weight[child] / total;
    const simulated = courses.map((course, i) => this.count(leads[i], behind, course));
    if (children.length === 0) this.drained.add(node);
    this.derive();
    return [
      { kind: 'expanded', node, children },
      ...simulated.map((simulation): TurnEvent => ({ kind: 'simulated', simulation })),
    ];
  }

  /** The child that a course begins with; where its turn had no answer, nobody knows where it leads: the node itself. */
  private lead(node: number, behind: readonly TakenTurn[], course: Course): number {
    const { tree, player } = this;
    const first = course.turns.at(0);
    if (first === undefined) return node;
    const there = tree.childrenOf(node).find((child) => this.taken[child]?.said === first.said);
    const weight = course.prior ?? 1;
    if (there !== undefined) {
      if (this.taken[there]?.observation !== first.observation)
        throw environmentErrors.changed(player.name, behind.length + 1);
      this.weight[there] += weight;
      return there;
    }
    const { actions, tokens } = first;
    const terminal = course.turns.length === 1 && course.over;
    const child = tree.add(node, { actions, tokens, errors: [], prior: 0, terminal }, this.log.count);
    this.taken[child] = first;
    this.weight[child] = weight;
    return child;
  }

  private count(leaf: number, behind: readonly TakenTurn[], course: Course): Simulation {
    const { tree } = this;
    const turns = [...behind, ...course.turns];
    const reward = course.over ? earned(turns) : null;
    const noScore = course.failed ?? null;
    let value: number | null = null;
    if (noScore === null) {
      value = this.worth([...behind, ...course.turns.slice(0, 1)], reward, course);
      tree.backup(leaf, value);
      if (course.turns.length === 1 && reward !== null) tree.reward[leaf] = reward;
      if (course.value !== undefined) tree.value[leaf] = course.value;
    } else tree.flags[leaf] |= flag.unscored;
    this.spent.simulations++;
    this.spent.tokens += course.generated;
    const rest = course.turns.slice(1);
    this.rests.push(noScore === null && reward !== null ? rest : undefined);
    return this.log.push({
      node: leaf,
      value,
      reward: noScore === null ? reward : null,
      parts: null,
      noScore,
      rolloutActions: rest.flatMap(({ actions }) => actions),
      rolloutTokens: rest.flatMap(({ tokens }) => tokens),
      generated: this.spent.tokens,
    });
  }

  /** @param child turns up to the child @param reward of the whole episode, where it was played on */
  private worth(child: readonly TakenTurn[], reward: number | null, course: Course): number {
    const { rollout, value } = this.options.value;
    // Of an episode that is over nothing is left to be guessed.
    if (course.over && course.turns.length === 1) return reward ?? 0;
    const guessed = earned(child) + (course.value ?? 0);
    return (rollout * (reward ?? 0) + value * guessed) / (rollout + value);
  }
}
