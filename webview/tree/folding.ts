/** Which cards are shown: those with enough visits, what a person opened, and a stub that counts what is folded. */
import { nodeFlags } from '../../server/protocol/search.ts';
import type { Moment, TreeModel } from './model.ts';

export interface Folding {
  /** Children with fewer visits are folded. */
  readonly least: number;
  /** By node: whether a person opened all its children, or closed them. */
  readonly chosen: ReadonlyMap<number, boolean>;
  /** Nodes that are shown whatever their visits, with the way to them. */
  readonly kept: ReadonlySet<number>;
}

/** The shown cards and stubs in depth-first order, a parent before its children, siblings in order of creation, a stub last. */
export interface Shown {
  /** The node of a card; for a stub, the node whose children it stands for. */
  readonly node: number[];
  /** Place of the parent in these columns; -1 for the root. */
  readonly parent: number[];
  /** Nodes that a stub stands for; 0 for a card. */
  readonly folded: number[];
}

/** Nodes below each node, itself included. */
function subtreeSizes(model: TreeModel, count: number): Uint32Array {
  const sizes = new Uint32Array(count).fill(1);
  for (let id = count - 1; id > 0; id--) sizes[model.parent[id]] += sizes[id];
  return sizes;
}

export function fold(model: TreeModel, moment: Moment, { least, chosen, kept }: Folding): Shown {
  const shown: Shown = { node: [], parent: [], folded: [] };
  if (moment.count === 0) return shown;
  const sizes = subtreeSizes(model, moment.count);
  const wanted = new Set<number>();
  for (const id of kept) {
    for (let node = id; node >= 0 && node < moment.count && !wanted.has(node); node = model.parent[node])
      wanted.add(node);
  }
  const stack: { readonly id: number; readonly parent: number; readonly folded: number }[] = [
    { id: 0, parent: -1, folded: 0 },
  ];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { id, parent, folded } = next;
    const place = shown.node.push(id) - 1;
    shown.parent.push(parent);
    shown.folded.push(folded);
    if (folded > 0) continue;
    const open = chosen.get(id);
    const passes = (child: number) => {
      if (wanted.has(child)) return true;
      if (open !== undefined) return open;
      return moment.visits[child] >= least || model.has(child, nodeFlags.forced);
    };
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
