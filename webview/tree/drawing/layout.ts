/** Where cards lie: a tidy tree (Reingold and Tilford, as d3-hierarchy has it), with cards of different extent. */
import { hierarchy, tree } from 'd3-hierarchy';

/** Sizes in pixels. `across` is along the siblings, `along` from parent to child. */
export interface LayoutInput {
  /** Place of the parent, which comes before; -1 for the root. */
  readonly parent: ArrayLike<number>;
  /** Extent of each card across. */
  readonly extent: ArrayLike<number>;
  /** Between cards across. */
  readonly gap: number;
}

export interface Layout {
  /** Middle of each card across; the root is at 0. */
  readonly across: Float64Array;
  /** Edges from the root. */
  readonly depth: Uint16Array;
}

interface Item {
  readonly at: number;
  readonly children: Item[];
}

export function layOut({ parent, extent, gap }: LayoutInput): Layout {
  const count = parent.length;
  const across = new Float64Array(count);
  const depth = new Uint16Array(count);
  if (count === 0) return { across, depth };
  const items = Array.from({ length: count }, (_, at): Item => ({ at, children: [] }));
  for (let at = 1; at < count; at++) items[parent[at]].children.push(items[at]);
  const arrange = tree<Item>()
    .nodeSize([1, 1])
    .separation((a, b) => (extent[a.data.at] + extent[b.data.at]) / 2 + gap);
  const root = arrange(hierarchy(items[0], ({ children }) => children));
  for (const node of root.descendants()) {
    across[node.data.at] = node.x - root.x;
    depth[node.data.at] = node.depth;
  }
  return { across, depth };
}
