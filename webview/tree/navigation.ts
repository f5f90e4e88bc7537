/** Where a key leads from a card, as players of Go know it. Places are those of the shown cards. */
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
 * The node reached from `id`: its parent; its most visited child that is shown, else the first one; or a sibling that is
 * shown, in order. The same node where there is none.
 */
export function move(model: TreeModel, moment: Moment, shown: Shown, id: number, direction: Direction): number {
  if (direction === 'parent') return model.parent[id] < 0 ? id : model.parent[id];
  const family = direction === 'child' ? id : model.parent[id];
  const visible = new Set(shown.node.filter((_, place) => shown.folded[place] === 0));
  const cards = family < 0 ? [id] : model.childrenAt(family, moment).filter((child) => visible.has(child));
  if (direction === 'child') {
    const most = model.mostVisited(id, moment);
    return cards.includes(most) ? most : (cards[0] ?? id);
  }
  const at = cards.indexOf(id) + (direction === 'before' ? -1 : 1);
  return cards[at] ?? id;
}
