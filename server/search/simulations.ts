/** The simulations of a search in order: enough to show each again, and the tree as it was after any of them. */
import type { SearchTree } from './tree.ts';

export interface Simulation {
  /** Counts from 0. */
  readonly order: number;
  /** The node it ended at. */
  readonly node: number;
  /** Node ids from the root. */
  readonly path: readonly number[];
  /** What was backed up; null if nothing was. */
  readonly value: number | null;
  /** The reward's answer; null if it was not asked or had none. */
  readonly reward: number | null;
  readonly parts: Readonly<Record<string, number>>;
  /** Why the reward had no score; null if it was not asked or had one. Such a simulation is not counted in N and W. */
  readonly noScore: string | null;
  /** All actions and tokens since the prompt, the rollout included. */
  readonly actions: readonly number[];
  readonly tokens: readonly number[];
  /** Whether the answer has ended; not so where the search values unfinished answers. */
  readonly complete: boolean;
  /** Generated tokens up to here. */
  readonly generated: number;
}

/** What the log keeps of a simulation; the rest follows from the tree. */
export interface SimulationEntry {
  readonly node: number;
  readonly value: number | null;
  readonly reward: number | null;
  readonly parts: Readonly<Record<string, number>> | null;
  readonly noScore: string | null;
  /** Actions and tokens after the node. */
  readonly rolloutActions: ArrayLike<number>;
  readonly rolloutTokens: ArrayLike<number>;
  readonly generated: number;
}

export class SimulationLog {
  readonly entries: SimulationEntry[] = [];

  constructor(
    private readonly tree: SearchTree,
    private readonly endIds: ReadonlySet<number>,
    private readonly maxNew: number,
  ) {}

  get count(): number {
    return this.entries.length;
  }

  push(entry: SimulationEntry): Simulation {
    const order = this.entries.push({
      ...entry,
      rolloutActions: Uint16Array.from(entry.rolloutActions),
      rolloutTokens: Int32Array.from(entry.rolloutTokens),
    });
    return this.at(order - 1);
  }

  at(order: number): Simulation {
    const { node, value, reward, parts, noScore, rolloutActions, rolloutTokens, generated } = this.entries[order];
    const { actions, tokens } = this.tree.response(node);
    for (let i = 0; i < rolloutActions.length; i++) {
      actions.push(rolloutActions[i]);
      tokens.push(rolloutTokens[i]);
    }
    const last = tokens.at(-1);
    return {
      order,
      node,
      path: this.tree.path(node),
      value,
      reward,
      parts: parts ?? {},
      noScore,
      actions,
      tokens,
      complete: (last !== undefined && this.endIds.has(last)) || tokens.length >= this.maxNew,
      generated,
    };
  }

  /** The first simulation that ended at the node. */
  of(node: number): Simulation | undefined {
    const order = this.entries.findIndex((entry) => entry.node === node);
    return order < 0 ? undefined : this.at(order);
  }

  /**
   * The tree as it was after the first `done` simulations: how many nodes it had, and their N and W (with the values as
   * they were backed up; scores that a person gave later are left out).
   */
  replay(done: number): { count: number; N: Uint32Array; W: Float64Array } {
    const { tree } = this;
    let count = 1;
    while (count < tree.count && tree.born[count] < done) count++;
    const N = new Uint32Array(tree.count);
    const W = new Float64Array(tree.count);
    for (const { node, value } of this.entries.slice(0, done)) {
      if (value === null) continue;
      for (let id = node, share = value; id >= 0; id = tree.parent[id], share *= tree.gamma) {
        N[id]++;
        W[id] += share;
      }
    }
    return { count, N: N.subarray(0, count), W: W.subarray(0, count) };
  }
}
