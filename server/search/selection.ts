/** Which node a simulation goes to. */
import type { SearchOptions } from './options.ts';
import { flag, type SearchTree } from './tree.ts';
import type { Range } from './value-range.ts';

const skipped = flag.excluded | flag.closed;

export type Selection = Pick<SearchOptions, 'cpuct' | 'virtual_reward' | 'widening'>;

/**
 * The child with the largest mean + cpuct P sqrt(N_parent) / (1 + N); ties go to the lowest first action. Simulations
 * under way count as visits of worth `virtual_reward`. A child without visits has a mean of 0, or with a range the least one.
 *
 * @param range what means are scaled by to 0 to 1; undefined: they count as they are
 * @returns -1 if no child is open
 */
export function bestChild(
  tree: SearchTree,
  parent: number,
  { cpuct, virtual_reward: virtual, widening }: Selection,
  range?: Range,
): number {
  const { N, W, prior, pending, flags, nextSibling } = tree;
  const simulated = Math.max(1, N[parent] + pending[parent]);
  const root = cpuct * Math.sqrt(simulated);
  const width = range === undefined ? 1 : range.most - range.least;
  const scaled = (mean: number) => (range === undefined ? mean : width > 0 ? (mean - range.least) / width : 0);
  let left = widening === undefined ? Number.POSITIVE_INFINITY : Math.ceil(widening.c * simulated ** widening.alpha);
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let child = tree.firstChild[parent]; child >= 0; child = nextSibling[child]) {
    if ((flags[child] & skipped) !== 0) continue;
    if (left-- <= 0) break;
    const visits = N[child] + pending[child];
    const mean = visits === 0 ? 0 : scaled((W[child] + pending[child] * virtual) / visits);
    const score = mean + (root * prior[child]) / (1 + visits);
    if (score > most || (score === most && tree.firstAction(child) < tree.firstAction(best))) {
      best = child;
      most = score;
    }
  }
  return best;
}

/** Whether a node may have children now: not ended, and simulated (or tried in vain) before. */
export function expandable(tree: SearchTree, id: number): boolean {
  const visited = tree.N[id] + tree.pending[id] > 0 || tree.has(id, flag.unscored);
  return visited && !tree.has(id, flag.terminal);
}

/**
 * The authors' order: of all nodes without children the one with the largest mean + cpuct P sqrt(N_parent) / (1 + N),
 * where P is the mean probability along its edge and 0.5 for the root; nodes more than `window` actions above
 * the deepest of the tree are passed over (unless there is no other). Linear in the number of nodes.
 *
 * @returns -1 if no node can be expanded
 */
export function bestOfFrontier(tree: SearchTree, cpuct: number, window: number): number {
  let deepest = 0;
  for (let id = 0; id < tree.count; id++) deepest = Math.max(deepest, tree.length[id]);
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  let inWindow = false;
  for (let id = 0; id < tree.count; id++) {
    if (tree.firstChild[id] >= 0 || tree.has(id, skipped) || !expandable(tree, id)) continue;
    const parent = tree.parent[id];
    const above = parent < 0 ? tree.N[id] : tree.N[parent];
    const score = tree.mean(id) + (cpuct * tree.prior[id] * Math.sqrt(above)) / (1 + tree.N[id]);
    const near = tree.length[id] >= deepest - window;
    if ((near && !inWindow) || (near === inWindow && score > most)) {
      best = id;
      most = score;
      inWindow = near;
    }
  }
  return best;
}

/** The first node from `from` on that waits for its simulation, in the global order; -1 if none does. */
export function firstWaiting(tree: SearchTree, from: number): number {
  for (let id = from; id < tree.count; id++) {
    const done = tree.N[id] + tree.pending[id] > 0 || tree.has(id, flag.unscored | skipped);
    if (!done) return id;
  }
  return -1;
}

/** Whether a person forced one of the children. */
export function narrowed(tree: SearchTree, id: number): boolean {
  for (let child = tree.firstChild[id]; child >= 0; child = tree.nextSibling[child]) {
    if ((tree.flags[child] & (flag.forced | flag.banned)) === flag.forced) return true;
  }
  return false;
}

/**
 * Whether a rollout from a node keeps to what is allowed below it: through no banned branch, and not past a forced one.
 *
 * @param rollout actions after the node, or tokens where codes of one token are one child
 */
export function permitted(tree: SearchTree, id: number, rollout: readonly number[], merged = false): boolean {
  const edge = (child: number) => (merged ? tree.edgeTokens(child) : tree.edgeActions(child));
  let [node, at] = [id, 0];
  while (at < rollout.length) {
    const child = tree.childrenOf(node).find((c) => edge(c)[0] === rollout[at]);
    if (child === undefined) return !narrowed(tree, node);
    if (tree.has(child, flag.excluded)) return false;
    if (edge(child).some((step, i) => step !== rollout[at + i])) return true;
    at += tree.edgeLength[child];
    node = child;
  }
  return true;
}
