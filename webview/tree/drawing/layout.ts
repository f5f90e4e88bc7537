/**
 * Where cards lie: a layered tree that is as narrow as its cards allow, each subtree against the outline of those before it
 * (as Reingold and Tilford pack them). A parent lies beside one of its children, the best one: so the best line is straight,
 * and what a person reads next is next to what they have read.
 */

/** Sizes in pixels. `across` is along the siblings, `along` from parent to child. */
export interface LayoutInput {
  /** Place of the parent, which comes before; -1 for the root. */
  readonly parent: ArrayLike<number>;
  /** Extent of each card across. */
  readonly extent: ArrayLike<number>;
  /** Place of the child that a card lies beside; -1 where it has none. */
  readonly beside: ArrayLike<number>;
  /** Between cards across. */
  readonly gap: number;
}

export interface Layout {
  /** Middle of each card across; the root is at 0. */
  readonly across: Float64Array;
  /** Edges from the root. */
  readonly depth: Uint16Array;
}

/** How far a subtree reaches across at each depth below its root, which is at 0. */
interface Outline {
  readonly low: number[];
  readonly high: number[];
}

export function layOut({ parent, extent, beside, gap }: LayoutInput): Layout {
  const count = parent.length;
  const across = new Float64Array(count);
  const depth = new Uint16Array(count);
  const children = Array.from({ length: count }, (): number[] => []);
  for (let at = 1; at < count; at++) {
    children[parent[at]].push(at);
    depth[at] = depth[parent[at]] + 1;
  }
  const outlines: (Outline | undefined)[] = Array.from({ length: count });
  /** From its parent. */
  const offset = new Float64Array(count);
  for (let at = count - 1; at >= 0; at--) {
    const all: Outline = { low: [], high: [] };
    for (const child of children[at]) {
      const own = outlines[child] ?? all;
      outlines[child] = undefined;
      offset[child] = distance(all, own, gap);
      for (const [level, low] of own.low.entries()) {
        if (level >= all.low.length) all.low.push(low + offset[child]);
        all.high[level] = own.high[level] + offset[child];
      }
    }
    const origin = beside[at] < 0 ? 0 : offset[beside[at]];
    for (const child of children[at]) offset[child] -= origin;
    const half = extent[at] / 2;
    outlines[at] = {
      low: [-half, ...all.low.map((low) => low - origin)],
      high: [half, ...all.high.map((high) => high - origin)],
    };
  }
  for (let at = 1; at < count; at++) across[at] = across[parent[at]] + offset[at];
  return { across, depth };
}

/** How far the next subtree must be moved to lie behind those before it. */
function distance(before: Outline, next: Outline, gap: number): number {
  let least = before.low.length === 0 ? 0 : Number.NEGATIVE_INFINITY;
  const common = Math.min(before.high.length, next.low.length);
  for (let level = 0; level < common; level++) least = Math.max(least, before.high[level] + gap - next.low[level]);
  return least;
}
