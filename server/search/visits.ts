/**
 * What a search says about the policy: at each node that was visited on from, how its visits were shared out among its children.
 * The paths that carry most of the visits are taken apart so that no node counts twice.
 */
import type { SearchTree } from './tree.ts';

/** A position at which the search says what the policy should do. */
export interface VisitPoint {
  /** Tokens between the prompt and the state that chooses. */
  readonly length: number;
  /**
   * At a node the share of its visits that each child's first action got; along an edge 1 for the action taken. They sum to 1.
   */
  readonly shares: readonly { readonly code: number; readonly share: number }[];
  /** Visits that it stands for, as a share of those of the root. */
  readonly weight: number;
  /** W / N of the node, on the scale of the reward; undefined along an edge, which has no value of its own. */
  readonly value: number | undefined;
  /** W / N behind actions, with the share of the root's visits that they had. */
  readonly returns: readonly { readonly code: number; readonly value: number; readonly weight: number }[];
}

/** Points that lie on one answer. */
export interface VisitPath {
  /** The node below which no state is needed but those along `beyond`. */
  readonly node: number;
  /** Tokens after the node up to the last state that chooses. */
  readonly beyond: readonly number[];
  /** In order of their position. */
  readonly points: readonly VisitPoint[];
}

export interface VisitOptions {
  /** Paths at most. */
  readonly paths: number;
  /** Visits of its children below which a node says nothing. */
  readonly leastVisits: number;
}

/**
 * The most visited paths of a search. The first follows the most visited child from the root; each further one leads through the
 * most visited node that none before it has passed. Where edges are longer than one action, the choice lies in the
 * first; the actions behind it are what the visits of the child were spent on, so they are points of their own.
 */
export function visitPaths(tree: SearchTree, { paths, leastVisits }: VisitOptions): VisitPath[] {
  const below = visitsBelow(tree);
  const least = Math.max(1, leastVisits);
  const speaks = (id: number) => below[id] >= least;
  const order = Array.from({ length: tree.count }, (_, id) => id)
    .filter(speaks)
    .sort((a, b) => below[b] - below[a] || a - b);
  const taken = new Set<number>();
  const entered = new Set<number>();
  const found: VisitPath[] = [];
  for (const start of order) {
    if (found.length === paths) break;
    if (taken.has(start)) continue;
    const nodes = tree.path(start);
    for (let next = mostVisited(tree, start); next >= 0 && speaks(next); next = mostVisited(tree, next))
      nodes.push(next);
    const last = nodes[nodes.length - 1];
    // The last edge ends in a node that says nothing; the actions along it may.
    const end = mostVisited(tree, last);
    const edges = [...nodes.slice(1), ...(end >= 0 && tree.N[end] >= least ? [end] : [])].filter(
      (id) => !entered.has(id),
    );
    const points = nodes.filter((id) => !taken.has(id)).map((id) => nodePoint(tree, id, below[id]));
    points.push(...edges.flatMap((id) => edgePoints(tree, id)));
    for (const id of nodes) taken.add(id);
    for (const id of edges) entered.add(id);
    points.sort((a, b) => a.length - b.length);
    const reach = points[points.length - 1].length - tree.length[last];
    found.push({ node: last, beyond: reach <= 0 ? [] : [...tree.edgeTokens(end)].slice(0, reach), points });
  }
  return found;
}

/** Visits of the children of each node. */
function visitsBelow(tree: SearchTree): Float64Array {
  const below = new Float64Array(tree.count);
  for (let id = 1; id < tree.count; id++) below[tree.parent[id]] += tree.N[id];
  return below;
}

/** The child with the most visits, the first among equals; -1 if none has any. */
function mostVisited(tree: SearchTree, id: number): number {
  let best = -1;
  for (const child of tree.childrenOf(id)) {
    if (tree.N[child] > (best < 0 ? 0 : tree.N[best])) best = child;
  }
  return best;
}

function nodePoint(tree: SearchTree, id: number, below: number): VisitPoint {
  const visited = tree.childrenOf(id).filter((child) => tree.N[child] > 0);
  const all = tree.N[0];
  return {
    length: tree.length[id],
    shares: visited.map((child) => ({ code: tree.firstAction(child), share: tree.N[child] / below })),
    weight: below / all,
    value: tree.mean(id),
    returns: visited.map((child) => ({
      code: tree.firstAction(child),
      value: tree.mean(child),
      weight: tree.N[child] / all,
    })),
  };
}

/** The actions behind the first of the edge to a node. */
function edgePoints(tree: SearchTree, id: number): VisitPoint[] {
  const start = tree.length[id] - tree.edgeLength[id];
  const weight = tree.N[id] / tree.N[0];
  return Array.from(tree.edgeActions(id).subarray(1), (code, i) => ({
    length: start + 1 + i,
    shares: [{ code, share: 1 }],
    weight,
    value: undefined,
    returns: [{ code, value: tree.mean(id), weight }],
  }));
}
