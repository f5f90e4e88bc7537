/**
 * Which cards are shown: those with enough visits, what a person opened, and a stub that counts what is folded. Nodes that
 * follow each other without a choice between them share a card.
 */
import { nodeFlags } from '../../server/protocol/search.ts';
import type { Moment, TreeModel } from './model.ts';

export interface Folding {
  /** Children with fewer visits are folded. */
  readonly least: number;
  /** By node: whether a person opened all its children, or closed them. */
  readonly chosen: ReadonlyMap<number, boolean>;
  /** Nodes that are shown whatever their visits, with the way to them. */
  readonly kept: ReadonlySet<number>;
  /** Nodes with a card that ends with them: what is selected, and what was found. */
  readonly own: ReadonlySet<number>;
  /** Nodes that a person wants to see apart from their only child. */
  readonly apart: ReadonlySet<number>;
}

/** The shown cards and stubs in depth-first order, a parent before its children, siblings in order of creation, a stub last. */
export interface Shown {
  /** The node that a card stands for, the last of its chain; for a stub, the node whose children it stands for. */
  readonly node: number[];
  /** The nodes that share the card, from the first to the one it stands for; of a stub none. */
  readonly chain: (readonly number[])[];
  /** Place of the parent in these columns; -1 for the root. */
  readonly parent: number[];
  /** Nodes that a stub stands for; 0 for a card. */
  readonly folded: number[];
}

export const nothingShown: Shown = { node: [], chain: [], parent: [], folded: [] };

/** Nodes below each node, itself included. */
function subtreeSizes(model: TreeModel, count: number): Uint32Array {
  const sizes = new Uint32Array(count).fill(1);
  for (let id = count - 1; id > 0; id--) sizes[model.parent[id]] += sizes[id];
  return sizes;
}

/** What a person did to a node is seen on a card of its own. */
const marks = nodeFlags.banned | nodeFlags.forced | nodeFlags.terminal;

export function fold(model: TreeModel, moment: Moment, { least, chosen, kept, own, apart }: Folding): Shown {
  const shown: Shown = { node: [], chain: [], parent: [], folded: [] };
  if (moment.count === 0) return shown;
  const sizes = subtreeSizes(model, moment.count);
  const wanted = new Set<number>();
  for (const id of [...kept, ...own]) {
    for (let node = id; node >= 0 && node < moment.count && !wanted.has(node); node = model.parent[node])
      wanted.add(node);
  }
  const passes = (child: number) => {
    if (wanted.has(child)) return true;
    const open = chosen.get(model.parent[child]);
    return open ?? (moment.visits[child] >= least || model.has(child, nodeFlags.forced));
  };
  /** The only child, where it shares the card of its parent. */
  const follower = (id: number): number | undefined => {
    if (id === 0 || own.has(id) || apart.has(id) || model.has(id, marks) || !Number.isNaN(model.score[id])) return;
    const [child, another] = model.childrenAt(id, moment);
    return child !== undefined && another === undefined && passes(child) ? child : undefined;
  };
  const stack: { readonly id: number; readonly parent: number; readonly folded: number }[] = [
    { id: 0, parent: -1, folded: 0 },
  ];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { id: first, parent, folded } = next;
    const chain = folded > 0 ? [] : [first];
    if (folded === 0) for (let id = follower(first); id !== undefined; id = follower(id)) chain.push(id);
    const id = chain[chain.length - 1] ?? first;
    const place = shown.node.push(id) - 1;
    shown.chain.push(chain);
    shown.parent.push(parent);
    shown.folded.push(folded);
    if (folded > 0) continue;
    const children = model.childrenAt(id, moment);
    const passing = children.filter(passes);
    const rest = children.reduce((sum, child) => sum + (passes(child) ? 0 : sizes[child]), 0);
    // The last one pushed is the first one taken.
    if (rest > 0) stack.push({ id, parent: place, folded: rest });
    for (const child of passing.reverse()) stack.push({ id: child, parent: place, folded: 0 });
  }
  return shown;
}

/** Whether anything below the node is folded, or could be: what Enter does there. undefined if it has no children. */
export function nextFold(model: TreeModel, moment: Moment, shown: Shown, id: number): boolean | undefined {
  if (model.childrenAt(id, moment).length === 0) return undefined;
  return shown.node.some((node, place) => node === id && shown.folded[place] > 0);
}

/**
 * What is apart after a person asked for the nodes of a card one by one, or for one card again: those of the chain that a node
 * is in, of the chain it was taken from where it has a card of its own. undefined where there is no chain.
 */
export function nextApart(
  model: TreeModel,
  moment: Moment,
  shown: Shown,
  id: number,
  apart: ReadonlySet<number>,
): ReadonlySet<number> | undefined {
  const chain = shown.chain.find((nodes) => nodes.includes(id)) ?? [];
  if (chain.length > 1) return new Set([...apart, ...chain.slice(0, -1)]);
  const only = (node: number) => model.childrenAt(node, moment).length === 1;
  const taken: number[] = [];
  for (let node = id; node > 0 && apart.has(node); [node] = model.childrenAt(node, moment)) {
    taken.push(node);
    if (!only(node)) break;
  }
  for (let node = model.parent[id]; node > 0 && apart.has(node); node = model.parent[node]) taken.push(node);
  return taken.length === 0 ? undefined : new Set([...apart].filter((node) => !taken.includes(node)));
}
