/** Where a key leads from a card, as players of Go know it. */
import type { Shown } from './folding.ts';
import type { Moment, TreeModel } from './model.ts';

export type Direction = 'parent' | 'child' | 'before' | 'after';
export type Orientation = 'right' | 'down';

/** What an arrow key means while the tree grows that way. */
export function directionOf(key: string, orientation: Orientation): Direction | undefined {
  const right = { ArrowLeft: 'parent', ArrowRight: 'child', ArrowUp: 'before', ArrowDown: 'after' } as const;
  const down = { ArrowUp: 'parent', ArrowDown: 'child', ArrowLeft: 'before', ArrowRight: 'after' } as const;
  const keys: Readonly<Record<string, Direction>> = orientation === 'right' ? right : down;
  return keys[key];
}

/**
 * The node of the card reached from that of `id`: its parent; its most visited child that is shown, else the first one; or a
 * sibling that is shown, in order. The same node where there is none.
 */
export function move(model: TreeModel, moment: Moment, shown: Shown, id: number, direction: Direction): number {
  const at = shown.chain.findIndex((chain) => chain.includes(id));
  if (at < 0) return id;
  const parent = shown.parent[at];
  if (direction === 'parent') return parent < 0 ? id : shown.node[parent];
  const family = direction === 'child' ? at : parent;
  const cards = shown.parent.flatMap((each, place) => (each === family && shown.folded[place] === 0 ? [place] : []));
  if (direction === 'child') {
    const most = model.mostVisited(shown.node[at], moment);
    const place = cards.find((card) => shown.chain[card][0] === most) ?? cards[0];
    return place === undefined ? id : shown.node[place];
  }
  const next = cards[cards.indexOf(at) + (direction === 'before' ? -1 : 1)];
  return next === undefined ? id : shown.node[next];
}
