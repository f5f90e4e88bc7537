/** Shown cards with their places in the plane, and what of them meets a rectangle, without looking at all of them. */
import type { Shown } from '../folding.ts';
import type { Moment, TreeModel } from '../model.ts';
import type { Orientation } from '../navigation.ts';
import type { Layout, LayoutInput } from './layout.ts';

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const cardWidth = 212;
const stubSize = { width: 52, height: 22 };
const between = { right: { along: 56, across: 10 }, down: { along: 44, across: 14 } } as const;
const lineHeight = 18;
const mostLines = 3;
const bare = 58;

/** Lines of text on a card with so many tokens. */
export function linesOf(tokens: number): number {
  return Math.min(mostLines, 1 + Math.floor(tokens / 6));
}

export function cardSize(tokens: number): { readonly width: number; readonly height: number } {
  return { width: cardWidth, height: bare + lineHeight * linesOf(tokens) };
}

/** Tokens on each shown card. */
function tokensOf(shown: Shown, { length }: Pick<TreeModel, 'length'>): number[] {
  return shown.chain.map((chain) => chain.reduce((sum, node) => sum + length[node], 0));
}

/** What the layout is to know of the shown cards. */
export function layoutInput(model: TreeModel, moment: Moment, shown: Shown, orientation: Orientation): LayoutInput {
  const tokens = tokensOf(shown, model);
  const extent = Float64Array.from(shown.node, (_, place) => {
    const size = shown.folded[place] > 0 ? stubSize : cardSize(tokens[place]);
    return orientation === 'right' ? size.height : size.width;
  });
  const beside = new Int32Array(shown.node.length).fill(-1);
  for (let place = 1; place < shown.node.length; place++) {
    const parent = shown.parent[place];
    const best = shown.chain[place][0] === model.mostVisited(shown.node[parent], moment);
    if (beside[parent] < 0 || best) beside[parent] = place;
  }
  return { parent: Int32Array.from(shown.parent), extent, beside, gap: between[orientation].across };
}

/** First index from which `passes` holds, for a condition that holds from some index on. */
function firstWhere(count: number, passes: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export class Scene {
  readonly bounds: Rect;
  private readonly columns: number[][] = [];
  private readonly places = new Map<number, number>();
  private readonly stubs = new Map<number, number>();
  private readonly step: number;
  private readonly tokens: readonly number[];

  constructor(
    readonly shown: Shown,
    private readonly layout: Layout,
    model: Pick<TreeModel, 'length'>,
    readonly orientation: Orientation,
  ) {
    this.tokens = tokensOf(shown, model);
    const along = orientation === 'right' ? cardWidth : bare + lineHeight * mostLines;
    this.step = along + between[orientation].along;
    let [low, high] = [0, 0];
    for (let place = 0; place < this.count; place++) {
      if (shown.folded[place] > 0) this.stubs.set(shown.node[place], place);
      for (const node of shown.chain[place]) this.places.set(node, place);
      const depth = layout.depth[place];
      if (this.columns[depth] === undefined) this.columns[depth] = [];
      // Depth-first order is the order across.
      this.columns[depth].push(place);
      const [start, end] = this.span(place);
      low = Math.min(low, start);
      high = Math.max(high, end);
    }
    const length = Math.max(0, this.columns.length - 1) * this.step + along;
    this.bounds =
      orientation === 'right'
        ? { x: 0, y: low, width: length, height: high - low }
        : { x: low, y: 0, width: high - low, height: length };
  }

  /** Cards and stubs. */
  get count(): number {
    return this.shown.node.length;
  }

  /** Place of the card that a node has or shares; undefined while it is folded. */
  placeOf(node: number): number | undefined {
    return this.places.get(node);
  }

  /** First node of a card's chain, which the edge to the card leads to. */
  firstOf(place: number): number {
    return this.shown.chain[place][0] ?? this.shown.node[place];
  }

  /** Tokens on a card. */
  tokensOf(place: number): number {
    return this.tokens[place];
  }

  /** Edges from the root's card. */
  depthOf(place: number): number {
    return this.layout.depth[place];
  }

  /** Place of the stub that stands for children of a node. */
  stubOf(node: number): number | undefined {
    return this.stubs.get(node);
  }

  rect(place: number): Rect {
    const { width, height } = this.size(place);
    const along = this.layout.depth[place] * this.step;
    const across = this.layout.across[place];
    return this.orientation === 'right'
      ? { x: along, y: across - height / 2, width, height }
      : { x: across - width / 2, y: along, width, height };
  }

  /** Places of cards that meet the rectangle, and of those whose edge to their parent may. */
  meeting({ x, y, width, height }: Rect): { cards: number[]; edges: number[] } {
    const right = this.orientation === 'right';
    const [from, to] = right ? [x, x + width] : [y, y + height];
    const [low, high] = right ? [y, y + height] : [x, x + width];
    const cards: number[] = [];
    const edges: number[] = [];
    const first = Math.max(0, Math.floor(from / this.step));
    const last = Math.min(this.columns.length - 1, Math.floor(to / this.step) + 1);
    const { across } = this.layout;
    for (let depth = first; depth <= last; depth++) {
      const column = this.columns[depth];
      for (let i = firstWhere(column.length, (at) => this.span(column[at])[1] >= low); i < column.length; i++) {
        if (this.span(column[i])[0] > high) break;
        cards.push(column[i]);
      }
      if (depth === 0) continue;
      const parent = (at: number) => across[this.shown.parent[column[at]]];
      // Both ends of edges go up with their order, so the edges that meet the rectangle are neighbours.
      const ends = (at: number) => [parent(at), across[column[at]]];
      for (let i = firstWhere(column.length, (at) => Math.max(...ends(at)) >= low); i < column.length; i++) {
        if (Math.min(...ends(i)) > high) break;
        edges.push(column[i]);
      }
    }
    return { cards, edges };
  }

  /** Where the edge to a card begins, at its parent, and where it ends. */
  edge(place: number): { readonly from: readonly [number, number]; readonly to: readonly [number, number] } {
    const parent = this.rect(this.shown.parent[place]);
    const child = this.rect(place);
    return this.orientation === 'right'
      ? { from: [parent.x + parent.width, parent.y + parent.height / 2], to: [child.x, child.y + child.height / 2] }
      : { from: [parent.x + parent.width / 2, parent.y + parent.height], to: [child.x + child.width / 2, child.y] };
  }

  private size(place: number): { readonly width: number; readonly height: number } {
    return this.shown.folded[place] > 0 ? stubSize : cardSize(this.tokens[place]);
  }

  private span(place: number): [number, number] {
    const { width, height } = this.size(place);
    const half = (this.orientation === 'right' ? height : width) / 2;
    return [this.layout.across[place] - half, this.layout.across[place] + half];
  }
}
