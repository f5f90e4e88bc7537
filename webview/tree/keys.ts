/** The keys of the tree, as they act and as they are listed. */
import { h } from '../ui/elements.ts';

export const keyList: readonly (readonly [keys: string, does: string])[] = [
  ['Alt+←  Alt+→', 'to the parent, to the most visited child'],
  ['Alt+↑  Alt+↓', 'to the sibling before, after'],
  ['Enter', 'unfolds, or folds'],
  ['C', 'shows the actions of a card one by one, or as one card again'],
  ['F', 'forces the branch, or releases it'],
  ['B', 'bans the branch, or releases it'],
  ['S', 'scores the node by hand'],
  ['I', 'inserts the text into the editor'],
  ['R', 'opens the branch as text, with the prompt'],
  ['/', 'searches in the text'],
  ['Home', 'to the prompt'],
  ['+  −  0', 'zooms in, out, shows all'],
  ['Esc', 'back to now, or to the tree'],
  ['?', 'shows and hides this list'],
];

export function keyHelp(orientationDown: boolean): HTMLElement {
  const rows = keyList.flatMap(([keys, does]) => [h('dt', {}, keys), h('dd', {}, does)]);
  const turned =
    orientationDown && h('p', { class: 'soft' }, 'While the tree grows downwards, the arrows turn with it.');
  return h(
    'section',
    { class: 'help', role: 'dialog', 'aria-label': 'Keys', tabindex: -1 },
    h('h2', {}, 'Keys'),
    h('dl', {}, ...rows),
    turned,
  );
}
