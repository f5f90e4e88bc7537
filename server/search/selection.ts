/** Which node a simulation goes to. */
import { flag, type SearchTree } from './tree.ts';

const skipped = flag.excluded | flag.closed;

/**
 * The child with the largest mean + cpuct P sqrt(N_parent) / (1 + N); ties go to the lowest first action. Simulations
 * under way count as visits of worth `virtual`.
 *
 * @returns -1 if no child is open
 */
export function bestChild(tree: SearchTree, parent: number, cpuct: number, virtual: number): number {
  const { N, W, prior, pending, flags, nextSibling } = tree;
  const root = cpuct * Math.sqrt(Math.max(1, N[parent] + pending[parent]));
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let child = tree.firstChild[parent]; child >= 0; child = nextSibling[child]) {
    if ((flags[child] & skipped) !== 0) continue;
    const visits = N[child] + pending[child];
    const mean = visits === 0 ? 0 : (W[child] + pending[child] * virtual) / visits;
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

/** Whether a rollout from a node keeps to what is allowed below it: through no banned branch, and not past a forced one. */
export function permitted(tree: SearchTree, id: number, rollout: readonly number[]): boolean {
  let [node, at] = [id, 0];
  while (at < rollout.length) {
    const child = tree.childrenOf(node).find((c) => tree.firstAction(c) === rollout[at]);
    if (child === undefined) return !narrowed(tree, node);
    if (tree.has(child, flag.excluded)) return false;
    if (tree.edgeActions(child).some((action, i) => action !== rollout[at + i])) return true;
    at += tree.edgeLength[child];
    node = child;
  }
  return true;
}
