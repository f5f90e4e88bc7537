/** The tree as the page knows it: its shape and figures in columns, grown by what the engine tells, and as it was before. */

import type { Growth } from '../../server/protocol/search.ts';
import { nodeFlags } from '../../server/protocol/search.ts';

/** How the tree stands, or stood, after some simulations. */
export interface Moment {
  /** Simulations done. */
  readonly done: number;
  /** How many nodes there are; their ids are below it. */
  readonly count: number;
  /** N by node. */
  readonly visits: ArrayLike<number>;
  /** Mean value by node; NaN before the first visit. */
  readonly q: ArrayLike<number>;
}

export class TreeModel {
  readonly parent: number[] = [];
  readonly born: number[] = [];
  /** First action of the edge; -1 for the root. */
  readonly action: number[] = [];
  /** Tokens on the edge. */
  readonly length: number[] = [];
  readonly prior: number[] = [];
  readonly flags: number[] = [];
  readonly score: number[] = [];
  /** Edges from the root. */
  readonly depth: number[] = [];
  /** In order of creation. */
  readonly children: number[][] = [];
  /** By simulation: the node it ended at, what was backed up, and the reward; NaN where there was none. */
  readonly simulated: number[] = [];
  readonly value: number[] = [];
  readonly reward: number[] = [];
  /** The largest reward up to and with the simulation; NaN before the first. */
  readonly best: number[] = [];
  /** Q of the root after the simulation; NaN before the first that counted. */
  readonly rootValue: number[] = [];
  private readonly visits: number[] = [];
  private readonly q: number[] = [];
  private rootVisits = 0;
  private rootTotal = 0;

  /** @param gamma discount for each edge */
  constructor(readonly gamma: number) {}

  get count(): number {
    return this.parent.length;
  }

  get simulations(): number {
    return this.simulated.length;
  }

  /** What the engine told since there were {@link count} nodes and {@link simulations}. */
  append({ nodes, simulated, visited }: Growth): void {
    for (const [i, parent] of nodes.parent.entries()) {
      const id = this.parent.push(parent) - 1;
      this.born.push(nodes.born[i]);
      this.action.push(nodes.action[i]);
      this.length.push(nodes.length[i]);
      this.prior.push(nodes.prior[i] ?? Number.NaN);
      this.flags.push(nodes.flags[i]);
      this.score.push(nodes.score[i] ?? Number.NaN);
      this.depth.push(parent < 0 ? 0 : this.depth[parent] + 1);
      this.children.push([]);
      this.visits.push(0);
      this.q.push(Number.NaN);
      if (parent >= 0) this.children[parent].push(id);
    }
    for (const [i, node] of simulated.node.entries()) this.simulate(node, simulated.value[i], simulated.reward[i]);
    for (const [i, node] of visited.node.entries()) {
      this.visits[node] = visited.visits[i];
      this.q[node] = visited.q[i] ?? Number.NaN;
    }
  }

  private simulate(node: number, value: number | null, reward: number | null): void {
    const before = this.best.at(-1) ?? Number.NaN;
    this.simulated.push(node);
    this.value.push(value ?? Number.NaN);
    this.reward.push(reward ?? Number.NaN);
    this.best.push(reward !== null && !(before >= reward) ? reward : before);
    if (value !== null) {
      this.rootVisits++;
      this.rootTotal += value * this.gamma ** this.depth[node];
    }
    this.rootValue.push(this.rootVisits === 0 ? Number.NaN : this.rootTotal / this.rootVisits);
  }

  has(id: number, bit: number): boolean {
    return (this.flags[id] & bit) !== 0;
  }

  /** As it stands. */
  now(): Moment {
    return { done: this.simulations, count: this.count, visits: this.visits, q: this.q };
  }

  /** As it was after the first `done` simulations, with the values as they were backed up; scores given later are left out. */
  asItWas(done: number): Moment {
    let count = Math.min(1, this.count);
    while (count < this.count && this.born[count] < done) count++;
    const visits = new Uint32Array(count);
    const q = new Float64Array(count);
    for (let i = 0; i < done; i++) {
      const value = this.value[i];
      if (Number.isNaN(value)) continue;
      let share = value;
      for (let id = this.simulated[i]; id >= 0; id = this.parent[id]) {
        visits[id]++;
        q[id] += share;
        share *= this.gamma;
      }
    }
    for (let id = 0; id < count; id++) q[id] = visits[id] === 0 ? Number.NaN : q[id] / visits[id];
    return { done, count, visits, q };
  }

  /** Ids from the root to the node, both included. */
  path(id: number): number[] {
    const ids: number[] = [];
    for (let node = id; node >= 0; node = this.parent[node]) ids.push(node);
    return ids.reverse();
  }

  /** Children that there are at the moment. */
  childrenAt(id: number, { count }: Moment): number[] {
    return this.children[id].filter((child) => child < count);
  }

  /** The child visited most, of those a person allows; the larger Q, then the older, among equals. -1 if none was visited. */
  mostVisited(id: number, moment: Moment): number {
    const all = this.childrenAt(id, moment).filter((child) => !this.has(child, nodeFlags.banned));
    const forced = all.filter((child) => this.has(child, nodeFlags.forced));
    let most = -1;
    for (const child of forced.length > 0 ? forced : all) {
      const [visits, q] = [moment.visits[child], moment.q[child]];
      if (visits === 0) continue;
      const better = most < 0 || visits > moment.visits[most] || (visits === moment.visits[most] && q > moment.q[most]);
      if (better) most = child;
    }
    return most;
  }

  /** The most visited child from the root on. Ids, without the root. */
  principalVariation(moment: Moment): number[] {
    const path: number[] = [];
    if (moment.count === 0) return path;
    for (let id = this.mostVisited(0, moment); id >= 0; id = this.mostVisited(id, moment)) path.push(id);
    return path;
  }
}
