/**
 * The tree of a search in columns: one typed array a property, one entry a node, grown by doubling, so that a million
 * nodes are a matter of 150 MB and not of a million objects. Ids count in order of creation, the root is 0, and a
 * parent's id is below its children's.
 */
import { nodeFlags } from '../protocol/search.ts';

/** Bits of {@link SearchTree.flags}: those that pages are told, and two more. */
export const flag = {
  ...nodeFlags,
  /** Derived: below a banned branch, or beside a forced one. */
  excluded: 16,
  /** Derived: nothing in this subtree can be visited any more. */
  closed: 32,
} as const;

/** The flags that a person or a reward set; the others follow from them. */
export const ownFlags = flag.terminal | flag.banned | flag.forced | flag.unscored;

/** What leads from a node to a child. */
export interface Edge {
  readonly actions: readonly number[];
  /** One a action. */
  readonly tokens: readonly number[];
  /** Bellman errors; one shorter than `actions` if the edge ended the answer; empty without Q. */
  readonly errors: readonly number[];
  /** P. NaN for the root. */
  readonly prior: number;
  /** Whether the answer has ended with it. */
  readonly terminal: boolean;
}

type Column = Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

function grown<T extends Column>(column: T, capacity: number): T {
  const wider = new (column.constructor as new (length: number) => T)(capacity);
  wider.set(column as never);
  return wider;
}

export class SearchTree {
  /** Number of nodes. */
  count = 0;
  /** -1 for the root. */
  parent = new Int32Array(16);
  /** -1 for none; so are the next two. */
  firstChild = new Int32Array(16);
  lastChild = new Int32Array(16);
  nextSibling = new Int32Array(16);
  children = new Uint32Array(16);
  /** Tokens since the prompt. */
  length = new Uint32Array(16);
  /** Where the edge lies in {@link actions} and {@link tokens}, and how long it is. */
  edgeStart = new Uint32Array(16);
  edgeLength = new Uint32Array(16);
  errorStart = new Uint32Array(16);
  errorCount = new Uint32Array(16);
  /** N: simulations that ended at this node or below. */
  N = new Uint32Array(16);
  /** W: their discounted values. */
  W = new Float64Array(16);
  /** P; NaN for the root of a descent. */
  prior = new Float64Array(16);
  /** V of the value head; NaN where it was not asked. */
  value = new Float64Array(16);
  /** Reward of this node's own simulation; NaN if it has none. */
  reward = new Float64Array(16);
  /** A person's score; NaN if there is none. */
  score = new Float64Array(16);
  /** Counted simulations that ended at this very node; `judged` of them have a value of their own, which sum to `judgedSum`. */
  own = new Uint32Array(16);
  judged = new Uint32Array(16);
  judgedSum = new Float64Array(16);
  /** Simulations under way. */
  pending = new Uint16Array(16);
  flags = new Uint8Array(16);
  /** How many simulations were done when the node was made. */
  born = new Uint32Array(16);

  /** The shared pools of the edges. */
  actions = new Uint16Array(16);
  tokens = new Int32Array(16);
  errors = new Float64Array(16);
  private pooled = 0;
  private pooledErrors = 0;

  /** @param gamma discount for each edge */
  constructor(readonly gamma: number) {}

  /**
   * Adds a node as the last child of `parent` (-1: the root).
   *
   * @returns its id
   */
  add(parent: number, edge: Edge, born: number): number {
    const id = this.count++;
    if (id === this.parent.length) this.grow(2 * id);
    this.parent[id] = parent;
    this.firstChild[id] = -1;
    this.lastChild[id] = -1;
    this.nextSibling[id] = -1;
    this.prior[id] = edge.prior;
    this.value[id] = Number.NaN;
    this.reward[id] = Number.NaN;
    this.score[id] = Number.NaN;
    this.flags[id] = edge.terminal ? flag.terminal : 0;
    this.born[id] = born;
    this.writeEdge(id, edge);
    if (parent < 0) return id;
    this.length[id] = this.length[parent] + edge.tokens.length;
    if (this.lastChild[parent] < 0) this.firstChild[parent] = id;
    else this.nextSibling[this.lastChild[parent]] = id;
    this.lastChild[parent] = id;
    this.children[parent]++;
    if (this.has(parent, flag.excluded)) this.flags[id] |= flag.excluded;
    return id;
  }

  private writeEdge(id: number, { actions, tokens, errors }: Edge): void {
    this.edgeStart[id] = this.pooled;
    this.edgeLength[id] = actions.length;
    this.errorStart[id] = this.pooledErrors;
    this.errorCount[id] = errors.length;
    while (this.pooled + actions.length > this.actions.length) {
      this.actions = grown(this.actions, 2 * this.actions.length);
      this.tokens = grown(this.tokens, 2 * this.tokens.length);
    }
    for (let i = 0; i < actions.length; i++) {
      this.actions[this.pooled] = actions[i];
      this.tokens[this.pooled++] = tokens[i];
    }
    while (this.pooledErrors + errors.length > this.errors.length)
      this.errors = grown(this.errors, 2 * this.errors.length);
    for (let i = 0; i < errors.length; i++) this.errors[this.pooledErrors++] = errors[i];
  }

  private grow(capacity: number): void {
    this.parent = grown(this.parent, capacity);
    this.firstChild = grown(this.firstChild, capacity);
    this.lastChild = grown(this.lastChild, capacity);
    this.nextSibling = grown(this.nextSibling, capacity);
    this.children = grown(this.children, capacity);
    this.length = grown(this.length, capacity);
    this.edgeStart = grown(this.edgeStart, capacity);
    this.edgeLength = grown(this.edgeLength, capacity);
    this.errorStart = grown(this.errorStart, capacity);
    this.errorCount = grown(this.errorCount, capacity);
    this.N = grown(this.N, capacity);
    this.W = grown(this.W, capacity);
    this.prior = grown(this.prior, capacity);
    this.value = grown(this.value, capacity);
    this.reward = grown(this.reward, capacity);
    this.score = grown(this.score, capacity);
    this.own = grown(this.own, capacity);
    this.judged = grown(this.judged, capacity);
    this.judgedSum = grown(this.judgedSum, capacity);
    this.pending = grown(this.pending, capacity);
    this.flags = grown(this.flags, capacity);
    this.born = grown(this.born, capacity);
  }

  has(id: number, bits: number): boolean {
    return (this.flags[id] & bits) !== 0;
  }

  /** Ids of the children in order of creation. */
  childrenOf(id: number): number[] {
    const ids: number[] = [];
    for (let child = this.firstChild[id]; child >= 0; child = this.nextSibling[child]) ids.push(child);
    return ids;
  }

  /** The first action of the edge; -1 for the root. */
  firstAction(id: number): number {
    return this.edgeLength[id] === 0 ? -1 : this.actions[this.edgeStart[id]];
  }

  edgeActions(id: number): Uint16Array {
    return this.actions.subarray(this.edgeStart[id], this.edgeStart[id] + this.edgeLength[id]);
  }

  edgeTokens(id: number): Int32Array {
    return this.tokens.subarray(this.edgeStart[id], this.edgeStart[id] + this.edgeLength[id]);
  }

  edgeErrors(id: number): Float64Array {
    return this.errors.subarray(this.errorStart[id], this.errorStart[id] + this.errorCount[id]);
  }

  /** Ids from the root to the node, both included. */
  path(id: number): number[] {
    const ids: number[] = [];
    for (let node = id; node >= 0; node = this.parent[node]) ids.push(node);
    return ids.reverse();
  }

  /** Actions and tokens from the prompt to the node. */
  response(id: number): { actions: number[]; tokens: number[] } {
    let at = this.length[id];
    const actions = new Array<number>(at);
    const tokens = new Array<number>(at);
    for (let node = id; node >= 0; node = this.parent[node]) {
      for (let i = this.edgeStart[node] + this.edgeLength[node] - 1; i >= this.edgeStart[node]; i--) {
        actions[--at] = this.actions[i];
        tokens[at] = this.tokens[i];
      }
    }
    return { actions, tokens };
  }

  /** Adds `visits` to N and `total` to W of the node and, discounted edge by edge, of its ancestors. */
  private credit(id: number, visits: number, total: number): void {
    for (let node = id, share = total; node >= 0; node = this.parent[node], share *= this.gamma) {
      this.N[node] += visits;
      this.W[node] += share;
    }
  }

  /** Counts a simulation that ended at the node. Where a person scored the node, that score counts in place of `value`. */
  backup(id: number, value: number): void {
    this.own[id]++;
    this.judged[id]++;
    this.judgedSum[id] += value;
    const score = this.score[id];
    this.credit(id, 1, Number.isNaN(score) ? value : score);
  }

  /** Counts a simulation of a node that a person scored before any reward was asked. */
  backupScored(id: number): void {
    this.own[id]++;
    this.credit(id, 1, this.score[id]);
  }

  /**
   * Sets a person's score: it takes the place of the values of all simulations that ended at this node, past and future,
   * in W of the node and its ancestors. N stays. NaN takes the score back: past simulations count with their
   * own values again, and those that never had one are uncounted.
   */
  rescore(id: number, score: number): void {
    const before = this.score[id];
    const counted = Number.isNaN(before) ? this.judgedSum[id] : this.own[id] * before;
    this.score[id] = score;
    if (!Number.isNaN(score)) {
      this.credit(id, 0, this.own[id] * score - counted);
      this.flags[id] &= ~flag.unscored;
      return;
    }
    this.credit(id, this.judged[id] - this.own[id], this.judgedSum[id] - counted);
    this.own[id] = this.judged[id];
  }

  /** What the node's own simulations are worth: a person's score, else their mean; NaN if there were none. */
  worth(id: number): number {
    if (!Number.isNaN(this.score[id])) return this.own[id] > 0 ? this.score[id] : Number.NaN;
    return this.judged[id] === 0 ? Number.NaN : this.judgedSum[id] / this.judged[id];
  }

  /** W / N, 0 for a node never visited. */
  mean(id: number): number {
    return this.N[id] === 0 ? 0 : this.W[id] / this.N[id];
  }

  /**
   * The node whose own simulation is worth most, the lowest id among equals; excluded branches do not count. -1 if none.
   *
   * @param accepts asked of each candidate
   */
  best(accepts: (id: number) => boolean = () => true): number {
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let id = 0; id < this.count; id++) {
      const worth = this.worth(id);
      if (worth > most && !this.has(id, flag.excluded) && accepts(id)) {
        best = id;
        most = worth;
      }
    }
    return best;
  }

  /** Marks a simulation on its way to the node (+1), or done (-1). */
  pend(id: number, by: 1 | -1): void {
    for (let node = id; node >= 0; node = this.parent[node]) this.pending[node] += by;
  }

  /** A terminal node without a score leads nowhere: closes it, and every ancestor with nothing else open. */
  close(id: number): void {
    this.flags[id] |= flag.closed;
    for (let node = this.parent[id]; node >= 0 && !this.openChildren(node); node = this.parent[node]) {
      this.flags[node] |= flag.closed;
    }
  }

  private openChildren(id: number): boolean {
    for (let child = this.firstChild[id]; child >= 0; child = this.nextSibling[child]) {
      if (!this.has(child, flag.excluded | flag.closed)) return true;
    }
    return false;
  }

  /**
   * Works out the derived flags anew, after a person banned, forced, scored or released a node.
   *
   * @param ends whether nothing in a subtree can be visited any more, told whether a child of its node can
   */
  derive(ends: (id: number, open: boolean) => boolean = (id, open) => this.leadsNowhere(id, open)): void {
    const narrowed = new Uint8Array(this.count);
    for (let id = 1; id < this.count; id++) {
      if ((this.flags[id] & (flag.forced | flag.banned)) === flag.forced) narrowed[this.parent[id]] = 1;
    }
    for (let id = 0; id < this.count; id++) {
      this.flags[id] &= ownFlags;
      const parent = this.parent[id];
      const beside = parent >= 0 && narrowed[parent] === 1 && !this.has(id, flag.forced);
      if (this.has(id, flag.banned) || beside || (parent >= 0 && this.has(parent, flag.excluded))) {
        this.flags[id] |= flag.excluded;
      }
    }
    for (let id = this.count - 1; id >= 0; id--) if (ends(id, this.openChildren(id))) this.flags[id] |= flag.closed;
  }

  private leadsNowhere(id: number, open: boolean): boolean {
    const dead = this.has(id, flag.terminal) && this.has(id, flag.unscored);
    return dead || (this.firstChild[id] >= 0 && !open);
  }
}
